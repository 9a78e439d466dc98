import type { Account } from './account.ts'
import type { BoundStatement, Cluster, Outcome, Part, Row, Site } from './cluster.ts'
import { referencePosition } from './fence.ts'
import { Usage } from './usage.ts'

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
  readonly cluster: Cluster
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

/** Opens a session. */
export function openSession(
  cluster: Cluster,
  { reads, seen, later, primary = false, account = null }: SessionOptions,
  bookmarks = new Map(seen),
  usage = new Usage(),
): ClusterSession {
  const read = new Map([[referencePosition, seen.get(referencePosition) ?? '']])
  const background = later ? { later, account } : { account }
  const session: ClusterSession = {
    reads,
    seen,
    read,
    cluster,
    usage,
    account,
    bookmarks,
    later: (work) => {
      const settled = work.catch(() => undefined)
      later?.(settled)
    },
    constraintFor: (database) => {
      if (!reads || primary) return 'first-primary'
      return bookmarks.get(database) ?? 'first-unconstrained'
    },
    note(database, bookmark) {
      if (bookmark === null) return
      if (!read.has(database)) read.set(database, bookmark)
      noteLater(bookmarks, database, bookmark)
    },
    writing: () =>
      reads ? openSession(cluster, { reads: false, seen, ...background }, bookmarks, usage) : session,
    onPrimary: () => openSession(cluster, { reads, seen, primary: true, ...background }, bookmarks, usage),
    toFill: (terms) => openSession(cluster, { reads: true, ...terms, ...background }, undefined, usage),
    run: (site, statementsOf) => cluster.run(site, statementsOf, session),
    on: (database, statements) => cluster.database(database).batch(statements, session),
    onAll: (databases, statements) =>
      Promise.all(
        databases.map((database) => cluster.runPart({ database, slots: null }, statements, session)),
      ),
    primary: (statements) => session.on(cluster.primary, statements),
  }
  return session
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
