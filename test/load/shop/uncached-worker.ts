/** The shop with nothing cached. */

import { createWorker } from '../../../functions/gateway.ts'
import { createPoolWatch, createRelay } from '../../../functions/objects.ts'
import tables, { migrations } from './shop-tables.ts'

const app = { tables, config: { cache: false }, migrations: migrations.map(({ name }) => name) } as const

export { JobLimits } from '../../../functions/jobs/job-limit.ts'
export { Metrics } from '../../../functions/meter/metrics-store.ts'
export { Advisor } from '../../../functions/monitor/advise/advisor.ts'
export const PoolWatch = createPoolWatch(app)
export const Relay = createRelay(app)
export default createWorker(app)
