/** The shop with answers in the isolate's memory for a minute, or in the Redis that its variables name. */

import { createWorker } from '../../../functions/gateway.ts'
import { createPoolWatch, createRelay } from '../../../functions/objects.ts'
import tables, { migrations } from './shop-tables.ts'

const app = { tables, config: { cacheMemoryTtlMs: 60_000 }, migrations: migrations.map(({ name }) => name) }

export { JobLimits } from '../../../functions/jobs/job-limit.ts'
export { Metrics } from '../../../functions/meter/metrics-store.ts'
export { Advisor } from '../../../functions/monitor/advise/advisor.ts'
export const PoolWatch = createPoolWatch(app)
export const Relay = createRelay(app)
export default createWorker(app)
