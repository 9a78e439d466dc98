/** The same with an isolate that may keep little, so that few requests show whether it does. */
import { createPoolWatch, createRelay } from '../../functions/objects.ts'
import { createHostile, hostileApp } from './hostile-app.ts'

export { Advisor, JobLimits, Metrics } from '../../functions/objects.ts'

const app = hostileApp({ isolateBytes: 4e6, pendingBytes: 12e6 })

export const PoolWatch = createPoolWatch(app)
export const Relay = createRelay(app)
export default createHostile(app)
