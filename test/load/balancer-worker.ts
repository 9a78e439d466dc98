/** Four origins behind a pool for each strategy, for `npm run load -- balancer`. */

import { defineOrigins, type PoolDeclaration } from '../../functions/define.ts'
import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import tables from '../fixture-app/db/app/tables.ts'

const origins = Object.fromEntries(
  ['a', 'b', 'c', 'd'].map((name) => [name, { url: { variable: `ORIGIN_${name.toUpperCase()}` } }]),
)
const strategies = ['round-robin', 'least-request', 'peak-ewma'] as const
const pools = Object.fromEntries(
  strategies.map((strategy): [string, PoolDeclaration] => [strategy, { origins, strategy }]),
)
const app = {
  tables,
  config: { cache: false },
  origins: defineOrigins({
    pools,
    routes: strategies.map((pool) => ({ path: `/${pool}/*`, pool, rewrite: '' })),
  }),
}

export { JobLimits } from '../../functions/jobs/job-limit.ts'
export { Metrics } from '../../functions/meter/metrics-store.ts'
export { Advisor } from '../../functions/monitor/advise/advisor.ts'
export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createWorker(app)
