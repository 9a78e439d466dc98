/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */
import type { DatabaseShare } from '../../db/cluster/watchdog.ts'

/** What databases may take, and what of them one caller may. */
export interface DatabasesConfig {
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
  /** How long a change waits in the log for those who follow it before it is given up, in seconds. Default 604,800: a week. */
  readonly changeLogMaxAgeSeconds: number
  /** How many changes wait there, per database. Default 1,000,000. */
  readonly changeLogMaxRows: number
  /** How long changes of tables that realtime tells of stay there for those who come back to a position, in seconds. Default 300. */
  readonly changeLogKeepSeconds: number
  /**
   * Where `npm run deploy` makes databases that the account lacks: all of them, or some by their bindings. A database stays where it was made. Default
   * null: close to who makes it.
   */
  readonly databaseLocation: DatabaseLocation | Readonly<Record<string, DatabaseLocation>> | null
  /** Whether `npm run deploy` switches read replicas of all databases on or off. Default null: it leaves them as they are. */
  readonly readReplicas: boolean | null
}

/** Western and eastern Europe, western and eastern North America, Asia and the Pacific, Oceania. */
export type DatabaseLocation = 'weur' | 'eeur' | 'wnam' | 'enam' | 'apac' | 'oc'

export const databasesDefaults: DatabasesConfig = {
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
  changeLogMaxAgeSeconds: 604_800,
  changeLogMaxRows: 1_000_000,
  changeLogKeepSeconds: 300,
  databaseLocation: null,
  readReplicas: null,
}
