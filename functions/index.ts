/**
 * The Worker: the app's files, served by the engine.
 * @module
 */
import { createWorker } from './gateway.ts'
import { app } from './join-app.ts'
import { createPoolWatch, createRealtime, createRelay } from './objects.ts'

export { Advisor, JobLimits, Metrics } from './objects.ts'
export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createWorker(app)
