/** The app's Worker, as `plain` of its declarations. */
import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import { appOf, declarations } from './app.ts'

export { Advisor, JobLimits, Metrics } from '../../functions/objects.ts'

const app = appOf(declarations.plain)
export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createWorker(app)
