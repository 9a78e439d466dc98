/** The app's Worker. */
import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import { app } from './app.ts'

export { Advisor, JobLimits, Metrics } from '../../functions/objects.ts'
export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createWorker(app)
