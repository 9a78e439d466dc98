/** The sample app's Worker, with its calls to databases counted. Tests run several copies of it side by side. */
import { env } from 'cloudflare:workers'
import { createGateway } from '../../functions/gateway.ts'
import { createRealtime, createRelay } from '../../functions/objects.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { countingCalls } from './wrap-database.ts'

const { CACHE_TIMEOUT_MS = '50', CACHE_TRUST_MS = '1000' } = env as Record<string, string | undefined>
const app = {
  tables,
  config: { cacheTimeoutMs: Number(CACHE_TIMEOUT_MS), cacheTrustMs: Number(CACHE_TRUST_MS) },
}
let gateway = createGateway(app)
let calls = 0
let counted: Record<string, unknown> | undefined

export const Realtime = createRealtime(app)
export const Relay = createRelay(app)

export default {
  async fetch(request: Request, env: Record<string, unknown>, context: ExecutionContext): Promise<Response> {
    if (new URL(request.url).pathname === '/calls') return new Response(String(calls))
    // As an isolate that was evicted and is started again; what is under way in the old one goes on.
    if (new URL(request.url).pathname === '/forget') {
      gateway = createGateway({ ...app })
      return new Response()
    }
    counted ??= countingCalls(env, () => calls++)
    return gateway.fetch(request, counted as never, context)
  },
}
