import type { Catalog } from '../catalog/catalog.ts'
import type { ChangeSet } from '../changes/change-log.ts'
import type { Watchdog } from './watchdog.ts'

/** One round trip to a database. */
export interface DatabaseCall {
  readonly database: string
  /** Milliseconds. */
  readonly ms: number
  readonly rowsRead: number
  readonly rowsWritten: number
  readonly outcome: 'done' | 'failed'
  /** Whether it repeats one that failed. */
  readonly isRetry: boolean
}

/** What the databases of a deployment are opened with, and who hears of what they do. */
export interface ClusterOptions {
  /** Names of the app's migrations, which every database must have; nothing is asked of the databases when there are none. */
  readonly migrations: readonly string[]
  /** Says where the app's rows lie, which is compared with what databases note. */
  readonly catalog?: Catalog
  /**
   * Whether some tables are declared to lie elsewhere, and are served where they are until they are converted: then each batch asks whether
   * they still are, and replicas, which may not know, are not asked at all. Default false.
   */
  readonly isConverting?: boolean
  /** Longest time that a database may take to answer, in milliseconds. */
  readonly timeoutMs: number
  /** Is told once of a database that has migrations which the app does not know. */
  readonly onAhead?: (database: string, migrations: readonly string[]) => void
  /** Is told of a shard whose copies of reference rows could not be laid as they are in the primary database. */
  readonly onCopyFailed?: (database: string, error: unknown) => void
  /** Is told of rows of reference tables that shards had lacked and have now, and of what went with them. */
  readonly onCopied?: (changes: readonly ChangeSet[], bookmarks: ReadonlyMap<string, string>) => Promise<void>
  /** Is told of a database that was put back in time, as a request has found, or has reason to think. */
  readonly onWentBack?: (database: string, isCertain: boolean) => Promise<void>
  /** Is told of every round trip. */
  readonly onCall?: (call: DatabaseCall) => void
  /** Keeps slow queries from taking a database to themselves. */
  readonly watchdog?: Watchdog | null
}
