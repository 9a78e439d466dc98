/**
 * What a request carries through the Worker.
 * @module
 */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { type Cluster, createCluster } from '../db/cluster/cluster.ts'
import type { Caller } from './access/caller.ts'
import { createIdentify, type Identify } from './access/identify-caller.ts'
import { type AtollConfig, type Keys, readKeys } from './config.ts'

/** Bindings of `wrangler.toml` and secrets of `.dev.vars`. */
export interface Env {
  readonly DB: D1Database
  readonly ASSETS?: Fetcher
  readonly ATOLL_PUBLISHABLE_KEY?: string
  readonly ATOLL_SECRET_KEY?: string
  readonly ATOLL_JWT_SECRET?: string
  readonly ATOLL_JWKS_URL?: string
  /** `off` switches the rate limits off. */
  readonly ATOLL_RATE_LIMITS?: string
  readonly KEY_RATE_LIMIT?: RateLimit
  readonly CALLER_RATE_LIMIT?: RateLimit
}

/** Cloudflare's rate limits; null where there is none. */
export interface Limits {
  readonly perKey: RateLimit | null
  readonly perCaller: RateLimit | null
  /** Their period. */
  readonly seconds: number
}

/** What the areas need of the environment. */
export interface Services {
  readonly cluster: Cluster
  /** The primary database, for the app's functions and routes. */
  readonly database: DrizzleD1Database
  readonly keys: Keys
  readonly assets: Fetcher | null
  readonly identify: Identify
  readonly limits: Limits | null
}

/** Hono's types for every handler of the Worker. */
export interface AtollEnv {
  readonly Bindings: Env
  readonly Variables: { services: Services; caller: Caller }
}

const cache = new WeakMap<Env, WeakMap<AtollConfig, Services>>()

/** Services of an environment and a configuration; made once for each. */
export function servicesOf(env: Env, config: AtollConfig): Services {
  const byConfig = cache.get(env) ?? new WeakMap<AtollConfig, Services>()
  cache.set(env, byConfig)
  let services = byConfig.get(config)
  if (!services) {
    const keys = readKeys(env)
    services = {
      cluster: createCluster(env.DB),
      database: drizzle(env.DB),
      keys,
      assets: env.ASSETS ?? null,
      identify: createIdentify(keys, config),
      limits: limitsOf(env, config),
    }
    byConfig.set(config, services)
  }
  return services
}

function limitsOf(env: Env, { rateLimitSeconds: seconds }: AtollConfig): Limits | null {
  const perKey = env.KEY_RATE_LIMIT ?? null
  const perCaller = env.CALLER_RATE_LIMIT ?? null
  if (env.ATOLL_RATE_LIMITS === 'off' || (perKey === null && perCaller === null)) return null
  return { perKey, perCaller, seconds }
}
