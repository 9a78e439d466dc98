/**
 * What a request carries through the Worker.
 * @module
 */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { type Cluster, createCluster } from '../db/cluster/cluster.ts'
import type { Caller } from './access/caller.ts'
import { type Keys, readKeys } from './config.ts'

/** Bindings of `wrangler.toml` and secrets of `.dev.vars`. */
export interface Env {
  readonly DB: D1Database
  readonly ASSETS?: Fetcher
  readonly ATOLL_PUBLISHABLE_KEY?: string
  readonly ATOLL_SECRET_KEY?: string
  readonly ATOLL_JWT_SECRET?: string
}

/** What the areas need of the environment. */
export interface Services {
  readonly cluster: Cluster
  /** The primary database, for the app's functions and routes. */
  readonly database: DrizzleD1Database
  readonly keys: Keys
  readonly assets: Fetcher | null
}

/** Hono's types for every handler of the Worker. */
export interface AtollEnv {
  readonly Bindings: Env
  readonly Variables: { services: Services; caller: Caller }
}

const cache = new WeakMap<Env, Services>()

/** Services of an environment; made once for each. */
export function servicesOf(env: Env): Services {
  let services = cache.get(env)
  if (!services) {
    services = {
      cluster: createCluster(env.DB),
      database: drizzle(env.DB),
      keys: readKeys(env),
      assets: env.ASSETS ?? null,
    }
    cache.set(env, services)
  }
  return services
}
