/**
 * What `npm run doctor` has found out, before anything is made of it. What cannot be found out says why.
 * @module
 */

/** Something that was asked for: known, or not known and why. */
export type Fact<Value> = { readonly value: Value } | { readonly unknown: string }

export interface Bundle {
  readonly bytes: number
  readonly gzipBytes: number
}

/** Versions of packages, as they are installed; null: not there. */
export interface Versions {
  readonly engine: string
  readonly node: string
  readonly wrangler: string | null
  readonly miniflare: string | null
  readonly workerd: string | null
  /** What others want, by who wants what. */
  readonly wanted: readonly { readonly by: string; readonly name: string; readonly version: string }[]
  /** Packages of `package.json` that are installed in another version, or not. */
  readonly others: readonly {
    readonly name: string
    readonly pinned: string
    readonly found: string | null
  }[]
}

/** What `wrangler.toml` says, for one environment. */
export interface Configured {
  readonly worker: string
  /** By binding. */
  readonly databases: readonly string[]
  readonly crons: readonly string[]
  /** Names of queues that something sends to, and of those that the Worker takes from. */
  readonly sentTo: readonly string[]
  readonly takenFrom: readonly string[]
  readonly hasBucket: boolean
  /** `namespace_id` of each rate limit. */
  readonly rateLimits: readonly { readonly name: string; readonly id: string }[]
  /** How environments differ from what they must repeat, in words. */
  readonly drift: readonly string[]
}

/** What can be seen on this machine. */
export interface LocalFacts {
  readonly versions: Versions
  readonly configured: Fact<Configured>
  /** Why the app cannot be served; null: it can. */
  readonly appFault: string | null
  /** Jobs that a schedule starts. */
  readonly scheduled: readonly string[]
  /** Buckets that the app declares. */
  readonly buckets: number
  readonly maxStatementsPerRequest: number | null
  /** Names in `.dev.vars`, and whether others may read the file; null: there is no such file. */
  readonly localVariables: { readonly names: readonly string[]; readonly isOpen: boolean } | null
  readonly cacheUrl: Fact<string | null>
  /** Why the databases of this machine are not what the code says; null: they are. */
  readonly drift: Fact<string | null>
  readonly bundle: Fact<Bundle>
  /** Processor time until the Worker can take its first request, in milliseconds. */
  readonly startupMs: Fact<number>
}

export interface RemoteDatabase {
  readonly binding: string
  readonly name: string
  readonly isThere: boolean
  /** As `WEUR`. */
  readonly region: string | null
  readonly isReplicated: boolean
  readonly bytes: number | null
}

/** The last backup that was made, or failed. */
export interface Backup {
  /** When it was begun, in milliseconds since 1970. */
  readonly at: number
  readonly isWhole: boolean
}

/** What can be seen where it is deployed. */
export interface RemoteFacts {
  readonly plan: Fact<'free' | 'paid'>
  /** Databases in the account, those of others included. */
  readonly databasesInAccount: Fact<number>
  readonly databases: Fact<readonly RemoteDatabase[]>
  /** Names of secrets and variables of the Worker; null: it was never deployed. */
  readonly variables: Fact<readonly string[] | null>
  readonly queues: Fact<ReadonlyMap<string, boolean>>
  /** Null: R2 is switched off. */
  readonly buckets: Fact<ReadonlyMap<string, boolean> | null>
  readonly crons: Fact<readonly string[]>
  readonly drift: Fact<string | null>
  /** Null: none was asked for. */
  readonly lastBackup: Fact<Backup | null>
}
