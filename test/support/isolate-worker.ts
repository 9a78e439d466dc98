/** The sample app's Worker, with its calls to databases counted. Tests run several copies of it side by side. */
import { env } from 'cloudflare:workers'
import tables from '../../db/app/tables.ts'
import { createGateway } from '../../functions/gateway.ts'
import { createRelay } from '../../functions/relay.ts'
import { countingCalls } from './wrap-database.ts'

const { CACHE_TIMEOUT_MS = '50' } = env as { CACHE_TIMEOUT_MS?: string }
const app = { tables, config: { cacheTimeoutMs: Number(CACHE_TIMEOUT_MS) } }
const gateway = createGateway(app)
let calls = 0
let counted: Record<string, unknown> | undefined

export const Relay = createRelay(app)

export default {
  async fetch(request: Request, env: Record<string, unknown>, context: ExecutionContext): Promise<Response> {
    if (new URL(request.url).pathname === '/calls') return new Response(String(calls))
    counted ??= countingCalls(env, () => calls++)
    return gateway.fetch(request, counted as never, context)
  },
}
