/** The data API twice: measured, and with measuring switched off. */

import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import tables from '../fixture-app/db/app/tables.ts'

const app = { tables, config: { cache: false } }
const worker = createWorker(app)

/** An environment of its own has services of its own. */
let off: Record<string, unknown> | undefined

export { JobLimits } from '../../functions/jobs/job-limit.ts'
export { Metrics } from '../../functions/meter/metrics-store.ts'
export { Advisor } from '../../functions/monitor/advise/advisor.ts'
export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)

export default {
  ...worker,
  async fetch(request: Request, env: Record<string, unknown>, context: ExecutionContext): Promise<Response> {
    const url = new URL(request.url)
    const [, first = ''] = url.pathname.split('/', 2)
    url.pathname = url.pathname.slice(first.length + 1)
    off ??= { ...env, ATOLL_METRICS: 'off' }
    return worker.fetch(new Request(url, request), (first === 'off' ? off : env) as never, context)
  },
}
