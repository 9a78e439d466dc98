/**
 * Configuration of what all areas stand on, with its defaults, and the keys that the environment holds.
 * @module
 */
import type { DatabaseShare } from '../../db/cluster/watchdog.ts'
import type { Env } from './context.ts'

/** What all areas stand on: databases, bodies, memory, who may call from a browser. */
export interface CoreConfig {
  /** Origins that browsers may call from; `*` for all. Default `*`. */
  readonly corsOrigins: '*' | readonly string[]
  /** Whether all answers carry `Server-Timing`, and not only those that the secret key asks it of. Default false. */
  readonly serverTiming: boolean
  /** Largest body of a request to `/rest/v1`, in bytes. Default 10,000,000. */
  readonly maxBodyBytes: number
  /** Longest time that a database may take to answer, in milliseconds. Default 10,000. */
  readonly databaseTimeoutMs: number
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
  /**
   * Bytes of all that an isolate keeps and works on: compiled shapes, answers, tokens, counts, bodies. The platform gives it 128 MB, of which
   * code and garbage take a good third. Default 80,000,000.
   */
  readonly isolateBytes: number
  /** How many of them bodies may take that are being worked on, with what is made of them: three times a JSON body. Default 48,000,000. */
  readonly pendingBytes: number
}

export const coreDefaults: CoreConfig = {
  corsOrigins: '*',
  serverTiming: false,
  maxBodyBytes: 10_000_000,
  databaseTimeoutMs: 10_000,
  slowQueryMs: 100,
  databaseShare: {
    anon: { caller: 0.05, shape: 0.2, role: 0.4 },
    authenticated: { caller: 0.1, shape: 0.2, role: 0.4 },
    service_role: null,
  },
  databaseShareSeconds: 60,
  maxStatementsPerRequest: 1000,
  maxRowsReadPerRequest: 10_000_000,
  isolateBytes: 80_000_000,
  pendingBytes: 48_000_000,
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
