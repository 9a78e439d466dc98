/** The same, as it would be if what an isolate keeps had no bounds. */
import { createPoolWatch, createRelay } from '../../functions/objects.ts'
import { createHostile, hostileApp } from './hostile-app.ts'

export { Advisor, JobLimits, Metrics } from '../../functions/objects.ts'

const app = hostileApp({ isolateBytes: 1e12, pendingBytes: 1e12, compiledShapes: 1e9 })

export const PoolWatch = createPoolWatch(app)
export const Relay = createRelay(app)
export default createHostile(app)
