/**
 * The Durable Objects' classes that `wrangler.toml` names, for an app. Only workerd can load them.
 * @module
 */
import { type App, engineOf, makeDuties, servicesFor } from './areas.ts'
import { createPoolWatch as poolWatchOf } from './balancer/pool-watch.ts'
import { createRelay as relayOf } from './relay/relay.ts'

export { JobLimits } from './jobs/job-limit.ts'
export { Metrics } from './meter/metrics-store.ts'
export { Advisor } from './monitor/advise/advisor.ts'

/** It has time, and asks for more at once than a read does. */
const relaysCacheTimeoutMs = 5000

export function createRelay(app: App) {
  return relayOf(() => {
    const engine = engineOf(app)
    const config = { ...engine.config, cacheTimeoutMs: relaysCacheTimeoutMs }
    return { engine, servicesOf: servicesFor({ ...engine, config }), duties: makeDuties() }
  })
}

export function createPoolWatch(app: App) {
  return poolWatchOf(() => engineOf(app).origins)
}
