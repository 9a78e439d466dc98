/**
 * Configuration: what an app may set, with its defaults, and the keys that the environment holds.
 * @module
 */
import type { DatabaseShare } from '../../db/cluster/watchdog.ts'
import type { Setting } from '../balancer/declarations.ts'
import type { Objective } from '../monitor/service-levels.ts'
import type { SpanExport } from '../monitor/spans.ts'
import type { Budgets } from '../rest/ask/budget.ts'
import type { Env } from './context.ts'

/** Everything that `functions/app/config.ts` may set. */
export interface AtollConfig {
  /** Name of the one schema, as messages and profiles call it. Default `public`. */
  readonly schema: string
  /** Largest number of rows in an answer, and in each embedded list. Default 1000; null: no bound. */
  readonly maxRows: number | null
  /** Whether clients may ask for `sum()`, `avg()`, `count()`, `min()` and `max()`. Default true. */
  readonly aggregates: boolean
  /** Whether filters may name an embedded table that has an alias by its own name. Default true. */
  readonly legacyTargetNames: boolean
  /** Whether `/rest/v1/` describes the API. Default true. */
  readonly openapi: boolean
  /** Whether all answers carry `Server-Timing`, and not only those that the secret key asks it of. Default false. */
  readonly serverTiming: boolean
  /** Origins that browsers may call from; `*` for all. Default `*`. */
  readonly corsOrigins: '*' | readonly string[]
  /** Whether callers without key and token are the role `anon`. Default true. */
  readonly anonymous: boolean
  /** Audience that tokens must name when they name one; null: any. Default null. */
  readonly jwtAudience: string | null
  /** Issuer that tokens must name; null: any. Default null. */
  readonly jwtIssuer: string | null
  /** Period of the rate limits in `wrangler.toml`, in seconds, for `Retry-After`. Default 60. */
  readonly rateLimitSeconds: 10 | 60
  /** Largest body of a request to `/rest/v1`, in bytes. Default 10,000,000. */
  readonly maxBodyBytes: number
  /**
   * What one request to `/rest/v1` may ask, by role, as far as it differs from the defaults in `functions/rest/ask/budget.ts`: `anon`,
   * `authenticated`, `service_role`; all other roles have what `authenticated` has. Default none.
   *
   * @example budgets: { anon: { toManyLevels: 2, answerBytes: 1_000_000 } }
   */
  readonly budgets: Budgets
  /** Whether `Prefer: tx=rollback` may ask for a write that is undone. Default true. */
  readonly txRollback: boolean
  /** Longest time that a database may take to answer, in milliseconds. Default 10,000. */
  readonly databaseTimeoutMs: number
  /** How long an `Idempotency-Key` is known, in seconds. Default 86,400: a day. */
  readonly idempotencyKeySeconds: number
  /** Most bytes of rows or of a function's answer that are kept for one, at most 900,000; a request for more is refused. Default 262,144. */
  readonly idempotencyMaxAnswerBytes: number
  /** Most bytes that a caller's keys may take up on a database. Default 100,000,000. */
  readonly idempotencyMaxCallerBytes: number
  /** Queries that take at least so long are slow, in milliseconds: they count against `databaseShare`. Default 100. */
  readonly slowQueryMs: number
  /**
   * What part of each database's time slow queries may take, by role: of one caller (up to tenfold where they kept others waiting), of one
   * query, whoever asks, and of the whole role. Null: no bound. Roles that are not named have what `authenticated` has. Default
   * `anon` 0.05, 0.2 and 0.4; `authenticated` 0.1, 0.2 and 0.4; `service_role` null.
   */
  readonly databaseShare: Readonly<Record<string, DatabaseShare | null>>
  /** For how long a share may be taken at once, in seconds. Default 60. */
  readonly databaseShareSeconds: number
  /** Most statements that one request may run, its functions' included; 50 on Workers Free, whose bound that is. Default 1000; null: none. */
  readonly maxStatementsPerRequest: number | null
  /** Most rows that one request may have read, but for `service_role`, before it asks for more. Default 10,000,000; null: any number. */
  readonly maxRowsReadPerRequest: number | null
  /** Whether answers are cached. Default true. */
  readonly cache: boolean
  /** Longest time that the cache store may take, in milliseconds; then the databases answer. Default 50. */
  readonly cacheTimeoutMs: number
  /** Bytes of answers that an isolate keeps before the store. Default 16,000,000. */
  readonly cacheFirstLevelBytes: number
  /** Largest answer that is cached, in characters. Default 262,144. */
  readonly cacheMaxEntryLength: number
  /** Without Redis: how long an isolate may serve an answer without hearing of writes in others, in milliseconds. Default 5000. */
  readonly cacheMemoryTtlMs: number
  /**
   * How long the cache store is believed after it was last known to take what is written, in milliseconds; and so how long a write waits, once, when it no
   * longer does. Default 5000.
   */
  readonly cacheTrustMs: number
  /** Whether the store has read regions, so that writes wait for the one that is read here: a call more for each. Default false. */
  readonly cacheReadRegions: boolean
  /** What the keys in the cache store begin with. Default `atoll`. */
  readonly cachePrefix: string
  /** How long a job that was sent to its queue may wait there before it is sent again, in seconds; doubled each time. Default 60. */
  readonly jobResendSeconds: number
  /** How long a Worker may be silent before the jobs that it runs are taken from it, in seconds. Default 60. */
  readonly jobLeaseSeconds: number
  /** How long jobs that have ended are kept to be looked at, in seconds. Default 3600. */
  readonly jobKeepSeconds: number
  /** How long a change waits in the log for those who follow it before it is given up, in seconds. Default 604,800: a week. */
  readonly changeLogMaxAgeSeconds: number
  /** How many changes wait there, per database. Default 1,000,000. */
  readonly changeLogMaxRows: number
  /** Whether webhooks may be delivered to private and loopback addresses. Default false. */
  readonly webhooksToPrivateAddresses: boolean
  /** Where names in webhooks' addresses are looked up, DNS over HTTPS as JSON; null: nowhere. Default Cloudflare's. */
  readonly webhookResolver: string | null
  /** Largest file, in bytes. Default 5,000,000,000. */
  readonly storageMaxObjectBytes: number
  /** How long an upload in parts may rest before it is cleared away, in seconds. Default 86,400: a day. */
  readonly uploadExpirySeconds: number
  /** How many request shapes an isolate keeps compiled, from their second use on. Default 1000. */
  readonly compiledShapes: number
  /**
   * Bytes of all that an isolate keeps and works on: compiled shapes, answers, tokens, counts, bodies. The platform gives it 128 MB, of which
   * code and garbage take a good third. Default 80,000,000.
   */
  readonly isolateBytes: number
  /** How many of them bodies may take that are being worked on, with what is made of them: three times a JSON body. Default 48,000,000. */
  readonly pendingBytes: number
  /** How many uploads by tus a caller may have unfinished; those without a name are told apart by address. Default 200. */
  readonly unfinishedUploads: number
  /** How many Durable Objects keep what is measured; more when a thousand isolates are too many for one. Default 1. */
  readonly metricsStores: number
  /** Whether each request is told to the log, as a line of JSON. Default false. */
  readonly logRequests: boolean
  /** Service levels that are promised, and watched. Default none. */
  readonly objectives: readonly Objective[]
  /** Where to tell of a service level that burns its budget too fast, as a webhook; null: nowhere. Default null. */
  readonly alertWebhook: { readonly url: Setting; readonly secret: string } | null
  /** What a million rows that D1 reads cost. Default 0.001. */
  readonly d1DollarsPerMillionRead: number
  /** What a million rows that D1 writes cost. Default 1. */
  readonly d1DollarsPerMillionWritten: number
}

export const defaultConfig: AtollConfig = {
  schema: 'public',
  maxRows: 1000,
  aggregates: true,
  legacyTargetNames: true,
  openapi: true,
  serverTiming: false,
  corsOrigins: '*',
  anonymous: true,
  jwtAudience: null,
  jwtIssuer: null,
  rateLimitSeconds: 60,
  maxBodyBytes: 10_000_000,
  budgets: {},
  txRollback: true,
  databaseTimeoutMs: 10_000,
  idempotencyKeySeconds: 86_400,
  idempotencyMaxAnswerBytes: 262_144,
  idempotencyMaxCallerBytes: 100_000_000,
  slowQueryMs: 100,
  databaseShare: {
    anon: { caller: 0.05, shape: 0.2, role: 0.4 },
    authenticated: { caller: 0.1, shape: 0.2, role: 0.4 },
    service_role: null,
  },
  databaseShareSeconds: 60,
  maxStatementsPerRequest: 1000,
  maxRowsReadPerRequest: 10_000_000,
  cache: true,
  cacheTimeoutMs: 50,
  cacheFirstLevelBytes: 16_000_000,
  cacheMaxEntryLength: 262_144,
  cacheMemoryTtlMs: 5000,
  cacheTrustMs: 5000,
  cacheReadRegions: false,
  cachePrefix: 'atoll',
  jobResendSeconds: 60,
  jobLeaseSeconds: 60,
  jobKeepSeconds: 3600,
  changeLogMaxAgeSeconds: 604_800,
  changeLogMaxRows: 1_000_000,
  webhooksToPrivateAddresses: false,
  webhookResolver: 'https://cloudflare-dns.com/dns-query',
  storageMaxObjectBytes: 5_000_000_000,
  uploadExpirySeconds: 86_400,
  compiledShapes: 1000,
  isolateBytes: 80_000_000,
  pendingBytes: 48_000_000,
  unfinishedUploads: 200,
  metricsStores: 1,
  logRequests: false,
  objectives: [],
  alertWebhook: null,
  d1DollarsPerMillionRead: 0.001,
  d1DollarsPerMillionWritten: 1,
}

/** The project's keys; an empty one matches nothing. */
export interface Keys {
  readonly publishable: string
  readonly secret: string
  /** Signs the tokens of users. */
  readonly jwtSecret: string
  /** Address of the public keys that sign them as well, a JWKS (RFC 7517). */
  readonly jwksUrl: string
}

/** Upstash Redis, when the project has one. */
export interface RedisAccess {
  readonly url: string
  readonly token: string
}

export function readRedis(env: Env): RedisAccess | null {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = env
  return url && token ? { url, token } : null
}

/** Where spans go, by OpenTelemetry's own variables; null: nowhere. */
export function readSpanExport(env: Env): SpanExport | null {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: text = '' } = env
  if (!endpoint) return null
  const pairs = text.split(',').map((pair): [string, string] => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]
  })
  return { endpoint, headers: Object.fromEntries(pairs.filter(([name]) => name !== '')) }
}

export function readKeys(env: Env): Keys {
  return {
    publishable: env.ATOLL_PUBLISHABLE_KEY ?? '',
    secret: env.ATOLL_SECRET_KEY ?? '',
    jwtSecret: env.ATOLL_JWT_SECRET ?? '',
    jwksUrl: env.ATOLL_JWKS_URL ?? '',
  }
}

/** A variable or secret that the app's own declarations name. */
export function readSetting(env: Env, name: string): string | undefined {
  const value = (env as unknown as Record<string, unknown>)[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
