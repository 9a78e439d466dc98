/** The Worker of the run `hostile`. */
import { createPoolWatch, createRelay } from '../../functions/objects.ts'
import { createHostile, hostileApp } from './hostile-app.ts'

export { Advisor, JobLimits, Metrics } from '../../functions/objects.ts'

const app = hostileApp({})

export const PoolWatch = createPoolWatch(app)
export const Relay = createRelay(app)
export default createHostile(app)
