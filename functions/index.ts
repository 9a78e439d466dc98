/**
 * The Worker: the app's files, served by the engine.
 * @module
 */
import { app } from './join-app.ts'
import { createRelay } from './relay.ts'
import { createWorker } from './worker.ts'

export { JobLimits } from './jobs/job-limit.ts'
export const Relay = createRelay(app)
export default createWorker(app)
