/**
 * What a request carries through the Worker.
 * @module
 */
import type { Context } from 'hono'
import { Cluster } from '../db/cluster/cluster.ts'
import type { Caller } from './access/caller.ts'
import { createIdentify, type Identify } from './access/identify-caller.ts'
import { CircuitBreaker } from './cache/circuit-breaker.ts'
import { ConsistentCache } from './cache/consistent-cache.ts'
import { FirstLevel } from './cache/first-level.ts'
import type { Invalidator } from './cache/invalidate.ts'
import { LastWrites } from './cache/last-writes.ts'
import { MemoryStore } from './cache/memory-store.ts'
import { RedisStore } from './cache/redis-store.ts'
import { type AtollConfig, type Keys, readKeys, readRedis } from './config.ts'
import type { Relay } from './relay.ts'
import { SessionTokens } from './rest/session-token.ts'

/** Bindings of `wrangler.toml` and secrets of `.dev.vars`. */
export interface Env {
  readonly DB: D1Database
  readonly ASSETS?: Fetcher
  readonly ATOLL_PUBLISHABLE_KEY?: string
  readonly ATOLL_SECRET_KEY?: string
  readonly ATOLL_JWT_SECRET?: string
  readonly ATOLL_JWKS_URL?: string
  readonly UPSTASH_REDIS_REST_URL?: string
  readonly UPSTASH_REDIS_REST_TOKEN?: string
  /** Repairs what could not be done at once. */
  readonly RELAY?: DurableObjectNamespace<Relay>
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
  /** Databases by the names of their bindings. */
  readonly bindings: ReadonlyMap<string, D1Database>
  readonly keys: Keys
  readonly assets: Fetcher | null
  readonly identify: Identify
  readonly sessions: SessionTokens
  readonly lastWrites: LastWrites
  /** Null when nothing is cached. */
  readonly cache: Caching | null
  /** Repairs what could not be done at once; null when there is none, as in some tests. */
  readonly relay: { wake(): Promise<void> } | null
  readonly limits: Limits | null
}

/** One request, who sends it, and what it may use. */
export interface Visit {
  readonly raw: Request
  readonly caller: Caller
  readonly services: Services
  /** Keeps the isolate alive for work after the answer. */
  readonly later: (work: Promise<unknown>) => void
}

/** Hono's types for every handler of the Worker. */
export interface AtollEnv {
  readonly Bindings: Env
  readonly Variables: { services: Services; caller: Caller }
}

export function visitOf(c: Context<AtollEnv>): Visit {
  const { caller, services } = c.var
  return { raw: c.req.raw, caller, services, later: (work) => c.executionCtx.waitUntil(work) }
}

/** Services of an environment, for one gateway; made once for each. */
export function servicesFor(config: AtollConfig, migrations: readonly string[]): (env: Env) => Services {
  const made = new WeakMap<Env, Services>()
  return (env) => {
    const services = made.get(env) ?? createServices(env, config, migrations)
    made.set(env, services)
    return services
  }
}

function createServices(env: Env, config: AtollConfig, migrations: readonly string[]): Services {
  const keys = readKeys(env)
  const bindings = databasesOf(env)
  const cluster = new Cluster(bindings, { migrations, timeoutMs: config.databaseTimeoutMs })
  return {
    cluster,
    bindings,
    keys,
    assets: env.ASSETS ?? null,
    identify: createIdentify(keys, config),
    sessions: new SessionTokens(`${keys.secret}\n${keys.jwtSecret}`),
    lastWrites: new LastWrites(),
    cache: cachingFor(env, config),
    relay: relayOf(env),
    limits: limitsOf(env, config),
  }
}

/** The cache, and what writers replace in it. */
export interface Caching extends Invalidator {
  readonly answers: ConsistentCache
}

function cachingFor(env: Env, config: AtollConfig): Caching | null {
  if (!config.cache) return null
  const redis = readRedis(env)
  const store = redis
    ? new CircuitBreaker(new RedisStore(redis.url, redis.token, config.cacheTimeoutMs))
    : new MemoryStore(config.cacheMemoryTtlMs)
  const { cachePrefix: prefix, cacheMaxEntryLength: maxEntryLength } = config
  const first = new FirstLevel(config.cacheFirstLevelBytes)
  const answers = new ConsistentCache(store, first, { prefix, maxEntryLength, leaseMs: 1000 })
  return { store, prefix, answers, wrote: (tags) => answers.wrote(tags) }
}

function relayOf({ RELAY }: Env): Services['relay'] {
  // A stub belongs to the request that made it, so each call makes its own.
  return RELAY ? { wake: async () => RELAY.getByName('relay').wake() } : null
}

/** `DB` and the shards, by the names of their bindings. */
function databasesOf(env: Env): ReadonlyMap<string, D1Database> {
  const shards = Object.entries(env).filter(([name]) => /^SHARD_\d+$/.test(name))
  return new Map([['DB', env.DB], ...(shards as [string, D1Database][])])
}

function limitsOf(env: Env, { rateLimitSeconds: seconds }: AtollConfig): Limits | null {
  const perKey = env.KEY_RATE_LIMIT ?? null
  const perCaller = env.CALLER_RATE_LIMIT ?? null
  if (env.ATOLL_RATE_LIMITS === 'off' || (perKey === null && perCaller === null)) return null
  return { perKey, perCaller, seconds }
}
