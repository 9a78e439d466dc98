import type { ChangeSet } from '../changes/change-log.ts'
import type { Outcome, Part, Site } from '../slots/parts.ts'
import type { ShardMap } from '../slots/shard-map.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import type { Account } from './account.ts'
import type { MoveWait } from './move-wait.ts'
import type { Usage } from './usage.ts'

export interface SessionOptions {
  /** Whether the request only reads, so that replicas may answer and calls may be repeated. */
  readonly reads: boolean
  /** Bookmarks that the caller has seen, by database. */
  readonly seen: ReadonlyMap<string, string>
  /** Whether replicas may not answer, though the request reads. */
  readonly primary?: boolean
  /** Keeps the isolate alive for work after the answer; its errors are of no concern to the request. */
  readonly later?: (work: Promise<unknown>) => void
  /** Whom it is for; left out for what the engine does by itself. */
  readonly account?: Account | null
}

/** One request's view of the cluster: what it has seen of each database, it will see again. */
export interface ClusterSession {
  readonly reads: boolean
  /** Where D1 may answer from: any replica, one that is as new as the bookmark, or the primary. */
  constraintFor(database: string): string
  /** Notes the position of a database after a call. */
  note(database: string, bookmark: string | null): void
  /** Bookmarks that the caller had seen before. */
  readonly seen: ReadonlyMap<string, string>
  /** Every bookmark seen by now, by database. */
  readonly bookmarks: ReadonlyMap<string, string>
  readonly cluster: ClusterView
  /** How it waits for slots that change hands. */
  readonly moves: MoveWait
  /** What this session and those made of it have cost. */
  readonly usage: Usage
  /** Null: nobody's. */
  readonly account: Account | null
  /** Lets work go on after the answer. What it fails to do must be repaired elsewhere. */
  later(work: Promise<unknown>): void
  /**
   * Where the databases stood that this session has asked, as it found them first; and how far their copies of reference
   * tables had to be.
   */
  readonly read: ReadonlyMap<string, string>
  /** The same, for calls that write though the request reads. */
  writing(): ClusterSession
  /** The same, for calls that replicas may not answer. */
  onPrimary(): ClusterSession
  /** A session of its own, for an answer that others may have as well. */
  toFill(terms: { readonly seen: ReadonlyMap<string, string>; readonly primary: boolean }): ClusterSession
  run(site: Site, statementsOf: (part: Part) => readonly BoundStatement[]): Promise<Outcome[]>
  /** Runs statements on one database, whatever it owns. */
  on(database: string, statements: readonly BoundStatement[]): Promise<readonly (readonly Row[])[]>
  /** Runs statements on several databases, whatever they own. */
  onAll(databases: readonly string[], statements: readonly BoundStatement[]): Promise<Outcome[]>
  /** Runs statements on the primary database. */
  primary(statements: readonly BoundStatement[]): Promise<readonly (readonly Row[])[]>
}

/** The databases, as those who hold a session see them: `cluster.ts` has them. */
export interface ClusterView {
  /** Whether there are shards beside the primary database. */
  readonly sharded: boolean
  readonly databases: readonly string[]
  /** Name of the primary database. */
  readonly primary: string
  /** Names of the shards beside the primary database. */
  readonly shards: readonly string[]
  open(options: SessionOptions): ClusterSession
  /** Runs statements on every database of a site, each as one transaction, and follows slots that move. */
  run(
    site: Site,
    statementsOf: (part: Part) => readonly BoundStatement[],
    session: ClusterSession,
  ): Promise<Outcome[]>
  /** How many databases a site has, as far as the map is known here. */
  partsOf(site: Site, session: ClusterSession): Promise<readonly Part[]>
  /** The database on which rows with a distribution value lie, as far as the map is known here. */
  ownerOf(value: string, session: ClusterSession): Promise<string>
  /** Which database owns which slots, as far as it is known here. */
  currentMap(session: ClusterSession): Promise<ShardMap>
  /** Why slots are closed for so long. */
  whyMoved(moved: readonly Part[], session: ClusterSession): Promise<unknown>
  /** Tells of a shard that could not take its copies as they are. */
  copyFailed(database: string, error: unknown): void
  /** Tells of copies that were brought up. */
  copied(changes: readonly ChangeSet[], session: ClusterSession): Promise<void>
  /** Lets somebody look, after the answer, whether a database was put back in time. */
  wentBack(database: string, session: ClusterSession): void
}

/** Notes a database's bookmark, unless a later one is known: bookmarks compare as text. */
export function noteLater(bookmarks: Map<string, string>, database: string, bookmark: string): void {
  const known = bookmarks.get(database)
  if (known === undefined || known < bookmark) bookmarks.set(database, bookmark)
}

/** The later bookmark of each database. */
export function laterOf(
  a: ReadonlyMap<string, string>,
  b: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const merged = new Map(a)
  for (const [database, bookmark] of b) noteLater(merged, database, bookmark)
  return merged
}
