/** The Worker of the run `hostile`, with the configuration that a variable names as JSON. */
import { env } from 'cloudflare:workers'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import { createHostile, hostileApp } from './hostile-app.ts'

export { Advisor, JobLimits, Metrics } from '../../functions/objects.ts'

const app = hostileApp(JSON.parse((env as { readonly HOSTILE_CONFIG: string }).HOSTILE_CONFIG))

export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createHostile(app)
