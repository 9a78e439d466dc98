/**
 * The Worker: the app's files, served by the engine.
 * @module
 */
import { createPoolWatch } from './balancer/pool-watch.ts'
import { createWorker } from './gateway.ts'
import { app } from './local/join-app.ts'
import { createRelay } from './relay/relay.ts'

export { JobLimits } from './jobs/job-limit.ts'
export { Metrics } from './meter/metrics-store.ts'
export { Advisor } from './monitor/advise/advisor.ts'
export const PoolWatch = createPoolWatch(app)
export const Relay = createRelay(app)
export default createWorker(app)
