/**
 * The Durable Objects' classes that `wrangler.toml` names, for an app. Only workerd can load them.
 * @module
 */
import { type App, type Env, engineOf, makeDuties, servicesFor } from './areas.ts'
import { createPoolWatch as poolWatchOf } from './balancer/pool-watch.ts'
import { PlacedApps } from './placed-app.ts'
import { createHub } from './realtime/hub.ts'
import { createRelay as relayOf } from './relay/relay.ts'

export { JobLimits } from './jobs/job-limit.ts'
export { Metrics } from './meter/metrics-store.ts'
export { Advisor } from './monitor/advise/advisor.ts'

/** It has time, and asks for more at once than a read does. */
const relaysCacheTimeoutMs = 5000

export function createRelay(app: App) {
  const placed = new PlacedApps(app)
  const partsOf = (used: App) => {
    const engine = engineOf(used)
    const config = { ...engine.config, cacheTimeoutMs: relaysCacheTimeoutMs }
    return { engine, servicesOf: servicesFor({ ...engine, config }), duties: makeDuties() }
  }
  const known = new WeakMap<App, ReturnType<typeof partsOf>>()
  return relayOf(async (env) => {
    // While tables are being converted, the databases refuse it, and it comes again.
    const used = (await placed.settled(env as Env)) ?? placed.current(env as Env)
    const parts = known.get(used) ?? partsOf(used)
    known.set(used, parts)
    return parts
  })
}

export function createRealtime(app: App) {
  const placed = new PlacedApps(app)
  return createHub(async (env) => {
    const engine = engineOf((await placed.settled(env as Env)) ?? placed.current(env as Env))
    return { engine, services: servicesFor(engine)(env as Env) }
  })
}

export function createPoolWatch(app: App) {
  return poolWatchOf(() => engineOf(app).origins)
}
