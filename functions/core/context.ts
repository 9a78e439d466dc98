/**
 * What a request carries through the Worker.
 * @module
 */
import type { Context } from 'hono'
import type { Account } from '../../db/cluster/account.ts'
import type { Cluster } from '../../db/cluster/cluster.ts'
import type { Watchdog } from '../../db/cluster/watchdog.ts'
import type { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import { createIdentify, type Identify } from '../access/identify-caller.ts'
import type { AtollConfig } from '../areas.ts'
import { openPools, openWatch, type WatchPool } from '../balancer/open-pools.ts'
import type { PoolLink } from '../balancer/pool-link.ts'
import type { PoolWatch } from '../balancer/pool-watch.ts'
import { StickyCookies } from '../balancer/sticky.ts'
import { LastWrites } from '../cache/last-writes.ts'
import { type Caching, openCaching } from '../cache/open-caching.ts'
import { type KeeperAccess, keeperName } from '../cache/trust.ts'
import { openAccount } from '../databases/open-account.ts'
import { openCluster } from '../databases/open-cluster.ts'
import { SessionTokens } from '../databases/session-token.ts'
import type { JobLimit, JobLimitAccess } from '../jobs/job-limit.ts'
import type { JobRegistry } from '../jobs/job-registry.ts'
import { PayloadStore } from '../jobs/payload-store.ts'
import type { JobMessage } from '../jobs/run-batch.ts'
import { countAnswer } from '../meter/count-call.ts'
import { createHandOver } from '../meter/hand-over.ts'
import type { Measured } from '../meter/measure.ts'
import { Meter, SilentMeter } from '../meter/meter.ts'
import type { MetricsAccess, MetricsStore } from '../meter/metrics-store.ts'
import { joinStores } from '../meter/metrics-stores.ts'
import { readSpanExport, Spans } from '../meter/spans.ts'
import type { AdvisorAccess, AdvisorObject } from '../monitor/advise/advisor.ts'
import type { Relay } from '../relay/relay.ts'
import { AddressSigner } from '../storage/signed-address.ts'
import type { Caller } from './caller.ts'
import { type Keys, readKeys, readRedis, readSetting } from './config.ts'
import type { Engine } from './engine.ts'
import { drainEvents } from './events.ts'
import type { InnerSession } from './inner-session.ts'
import type { PendingWork } from './pending-work.ts'
import type { RequestTrace } from './request-trace.ts'
import { Sealer } from './sealer.ts'
import type { ReadSetting } from './setting.ts'

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
  /** Carries on what was written: one for each database. */
  readonly RELAY?: DurableObjectNamespace<Relay>
  /** Counts the jobs that are under way: one for each name that has a limit. */
  readonly JOB_LIMITS?: DurableObjectNamespace<JobLimit>
  /** Watches over the origins of pools: one for each. */
  readonly POOLS?: DurableObjectNamespace<PoolWatch>
  /** Keeps what isolates count. */
  readonly METRICS?: DurableObjectNamespace<MetricsStore>
  /** Tries indexes on a copy. */
  readonly ADVISOR?: DurableObjectNamespace<AdvisorObject>
  /** Address of an OpenTelemetry collector, and what it wants to be told: `name=value,…`. */
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string
  readonly OTEL_EXPORTER_OTLP_HEADERS?: string
  /** `off` switches measuring off. */
  readonly ATOLL_METRICS?: string
  /** Carries jobs; others are `QUEUE_HIGH` and so on. */
  readonly QUEUE?: Queue<JobMessage>
  /** Files, and large payloads of jobs. */
  readonly BUCKET?: R2Bucket
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
  /** The environment itself, for the app's own code. */
  readonly env: Env
  /** The data API: answers a request to `/rest/v1` from inside. */
  readonly serve: Serve
  readonly cluster: Cluster
  readonly watchdog: Watchdog
  /** Begins to count what a request asks of databases. @param address whence it comes, where that is known */
  readonly openAccount: (caller: Caller, address: string | null) => Account
  /** Databases by the names of their bindings. */
  readonly bindings: ReadonlyMap<string, D1Database>
  readonly keys: Keys
  readonly assets: Fetcher | null
  readonly identify: Identify
  readonly sessions: SessionTokens
  readonly lastWrites: LastWrites
  /** Null when nothing is cached. */
  readonly cache: Caching | null
  /** Carries on what was written; null when there is none, as in some tests. */
  readonly relay: RelayAccess | null
  readonly limits: Limits | null
  readonly registry: JobRegistry
  /** Queues by the names that jobs call them by. */
  readonly queues: ReadonlyMap<string, Queue<JobMessage>>
  readonly jobLimit: ((name: string) => JobLimitAccess) | null
  readonly payloads: PayloadStore
  /** Where the bytes of files are; null when no bucket is bound. */
  readonly files: R2Bucket | null
  readonly addresses: AddressSigner
  /** Variables and secrets that the app's declarations name. */
  readonly setting: ReadSetting
  /** A pool of origins as this isolate knows it. @throws 503 when a variable that it needs is not set */
  readonly pool: (name: string) => PoolLink
  /** What watches over a pool; null when there is none. */
  readonly poolWatch: WatchPool | null
  readonly stickyCookies: StickyCookies
  /** A rate limit by the name of its binding; null: not bound, or all are off. */
  readonly rateLimit: (binding: string) => RateLimit | null
  readonly rateLimitSeconds: number
  readonly meter: Meter
  /** Of all that this isolate keeps. */
  readonly budget: IsolateBudget
  /** Room for the bodies that are worked on. */
  readonly pending: PendingWork
  /** What isolates have counted; null when nobody keeps it. */
  readonly metrics: (() => MetricsAccess) | null
  readonly advisor: (() => AdvisorAccess) | null
  /** Null when no collector is named. */
  readonly spans: Spans | null
  /** Seals what the dashboard remembers of who has signed in. */
  readonly sealer: Sealer
  /** Hands over what was counted, some time after a request; null when nobody takes it. */
  readonly handOver: ((context: { waitUntil(work: Promise<unknown>): void }) => void) | null
}

/** What the relays are asked. */
export interface RelayAccess {
  /** To look after copies and caches soon: all of them, or one database's. */
  repair(database?: string): Promise<void>
  /** To see to the jobs of a database, at once or in some time. */
  carry(database: string, inMs?: number): Promise<void>
  /** To look at a database at once which somebody has found to be older than it was. */
  suspect(database: string, isCertain: boolean): Promise<void>
}

/**
 * Answers a request of a caller who is known already.
 *
 * @throws AtollError for what is refused
 */
export type Serve = (visit: Visit) => Promise<Response>

/** One request, who sends it, and what it may use. */
export interface Visit {
  readonly raw: Request
  readonly caller: Caller
  readonly services: Services
  /** Keeps the isolate alive for work after the answer. */
  readonly later: (work: Promise<unknown>) => void
  /** Of requests that the app's own code sends; left out for those that come from outside. */
  readonly inner?: InnerSession
}

/** Hono's types for every handler of the Worker. */
export interface AtollEnv {
  readonly Bindings: Env
  readonly Variables: { services: Services; caller: Caller; trace: RequestTrace; measured: Measured }
}

/** @param c of any handler, whatever further variables it has */
export function visitOf<Own extends AtollEnv>(c: Context<Own>): Visit {
  // Not `c.var`, which makes an object of all variables each time.
  const [caller, services] = [c.get('caller'), c.get('services')]
  return { raw: c.req.raw, caller, services, later: (work) => c.executionCtx.waitUntil(work) }
}

const made = new WeakMap<Engine, WeakMap<Env, Services>>()

/** Services of an environment, made once in an isolate: requests and jobs share a cache. */
export function servicesFor(engine: Engine): (env: Env) => Services {
  const known = made.get(engine) ?? new WeakMap<Env, Services>()
  made.set(engine, known)
  return (env) => {
    const services = known.get(env) ?? createServices(env, engine)
    known.set(env, services)
    return services
  }
}

function createServices(
  env: Env,
  { config, catalog, migrations, registry, origins, rest, budget, pending }: Engine,
): Services {
  const keys = readKeys(env)
  const bindings = databasesOf(env)
  const metrics = metricsOf(env, config)
  const poolWatch = openWatch(env.POOLS)
  const meter = metrics === null ? new SilentMeter() : new Meter(drainEvents, budget)
  const spanExport = readSpanExport(env)
  const spans = spanExport && new Spans(spanExport)
  const relay = relayOf(env)
  const cache = openCaching(readRedis(env), config, keeperOf(env), budget)
  const { cluster, watchdog } = openCluster(
    bindings,
    { catalog, migrations, config },
    { cache, meter, spans, relay },
  )
  return {
    env,
    serve: rest.serve,
    cluster,
    watchdog,
    openAccount: (caller, address) => openAccount(config, caller, address),
    bindings,
    keys,
    assets: env.ASSETS ?? null,
    identify: createIdentify(keys, config, budget),
    sessions: new SessionTokens(`${keys.secret}\n${keys.jwtSecret}`),
    lastWrites: new LastWrites(budget),
    cache,
    relay,
    limits: limitsOf(env, config),
    registry,
    queues: queuesOf(env),
    jobLimit: jobLimitOf(env),
    payloads: new PayloadStore(env.BUCKET ?? null),
    files: env.BUCKET ?? null,
    addresses: new AddressSigner(`${keys.secret}\n${keys.jwtSecret}`),
    setting: settingsOf(env),
    pool: openPools(origins.pools, settingsOf(env), poolWatch, (pool, origin, answer, ms) =>
      countAnswer(meter, spans, { pool, origin, answer, ms }),
    ),
    poolWatch,
    stickyCookies: new StickyCookies(`${keys.secret}\n${keys.jwtSecret}`),
    rateLimit: (binding) => {
      const limit = (env as unknown as Record<string, RateLimit | undefined>)[binding]
      return env.ATOLL_RATE_LIMITS === 'off' ? null : (limit ?? null)
    },
    rateLimitSeconds: config.rateLimitSeconds,
    meter,
    budget,
    pending,
    metrics,
    advisor: advisorOf(env),
    spans,
    sealer: new Sealer('atoll-dashboard', `${keys.secret}\n${keys.jwtSecret}`),
    handOver: metrics && createHandOver(meter, metrics),
  }
}

function advisorOf({ ADVISOR }: Env): Services['advisor'] {
  return ADVISOR ? () => ADVISOR.getByName('advisor') as unknown as AdvisorAccess : null
}

function metricsOf({ METRICS, ATOLL_METRICS }: Env, { metricsStores }: AtollConfig): Services['metrics'] {
  if (!METRICS || ATOLL_METRICS === 'off') return null
  // The types of calls between isolates know no tuples.
  const open = (i: number) =>
    METRICS.getByName(i === 0 ? 'metrics' : `metrics-${i}`) as unknown as MetricsAccess
  return () => joinStores(metricsStores, open)
}

export function settingsOf(env: Env): ReadSetting {
  return (name) => readSetting(env, name)
}

/** What keeps the trust in the cache's store: the relay that is no database's. */
function keeperOf({ RELAY }: Env): KeeperAccess | null {
  if (!RELAY) return null
  return {
    trust: async (isMissing) => RELAY.getByName(keeperName).trust(isMissing),
    deliver: async (generations) => RELAY.getByName(keeperName).deliver(generations),
    distrust: async () => RELAY.getByName(keeperName).distrust(),
  }
}

/** A stub belongs to the request that made it, so each call makes its own. */
export function relayOf({ RELAY }: Env): RelayAccess | null {
  if (!RELAY) return null
  return {
    repair: async (database = 'DB') => RELAY.getByName(database).repair(database),
    carry: async (database, inMs = 0) => RELAY.getByName(database).carry(database, inMs),
    suspect: async (database, isCertain) => RELAY.getByName(database).suspect(database, isCertain),
  }
}

function jobLimitOf({ JOB_LIMITS }: Env): Services['jobLimit'] {
  if (!JOB_LIMITS) return null
  return (name) => ({
    take: async (request) => JOB_LIMITS.getByName(name).take(request),
    release: async (ids) => JOB_LIMITS.getByName(name).release(ids),
    renew: async (ids, holdMs) => JOB_LIMITS.getByName(name).renew(ids, holdMs),
  })
}

/** `QUEUE` is the queue `default`, `QUEUE_HIGH` the queue `high`. */
function queuesOf(env: Env): Services['queues'] {
  const found = Object.entries(env).flatMap(([binding, queue]) => {
    const [, name = 'default'] = /^QUEUE(?:_([A-Z0-9_]+))?$/.exec(binding) ?? [null, null]
    return name === null
      ? []
      : [[name.toLowerCase().replaceAll('_', '-'), queue as Queue<JobMessage>] as const]
  })
  return new Map(found)
}

/** `DB` and the shards, by the names of their bindings. */
export function databasesOf(env: Env): ReadonlyMap<string, D1Database> {
  const shards = Object.entries(env).filter(([name]) => /^SHARD_\d+$/.test(name))
  return new Map([['DB', env.DB], ...(shards as [string, D1Database][])])
}

function limitsOf(env: Env, { rateLimitSeconds: seconds }: AtollConfig): Limits | null {
  const perKey = env.KEY_RATE_LIMIT ?? null
  const perCaller = env.CALLER_RATE_LIMIT ?? null
  if (env.ATOLL_RATE_LIMITS === 'off' || (perKey === null && perCaller === null)) return null
  return { perKey, perCaller, seconds }
}
