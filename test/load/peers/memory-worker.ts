/** The app as it is, with answers kept in the isolate for a minute: there is only one, which hears of all writes. */

import { createWorker } from '../../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../../functions/objects.ts'
import { app as shipped } from '../../fixture-app/app.ts'

const app = { ...shipped, config: { ...shipped.config, cacheMemoryTtlMs: 60_000 } }

export { JobLimits } from '../../../functions/jobs/job-limit.ts'
export { Metrics } from '../../../functions/meter/metrics-store.ts'
export { Advisor } from '../../../functions/monitor/advise/advisor.ts'
export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createWorker(app)
