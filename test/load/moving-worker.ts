/** The Worker of the run `move`. */
import type { App } from '../../functions/areas.ts'
import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import tables, { migrations } from './moving-tables.ts'

export { Advisor, JobLimits, Metrics } from '../../functions/objects.ts'

const app: App = {
  tables,
  config: { cache: false },
  migrations: migrations.map(({ name }) => name),
}

export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createWorker(app)
