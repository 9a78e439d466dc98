import type { Outcome, Part } from '../slots/parts.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import { referencePosition } from './fence.ts'
import { MoveWait } from './move-wait.ts'
import { type ClusterSession, type ClusterView, noteLater, type SessionOptions } from './session.ts'
import { Usage } from './usage.ts'

/** The databases, as their sessions ask them. */
interface Asked extends ClusterView {
  readonly isConverting: boolean
  database(name: string): {
    batch(
      statements: readonly BoundStatement[],
      session: ClusterSession,
    ): Promise<readonly (readonly Row[])[]>
  }
  runPart(part: Part, statements: readonly BoundStatement[], session: ClusterSession): Promise<Outcome>
}

/** Opens a session. */
export function openSession(
  cluster: Asked,
  { reads, seen, later, primary = false, account = null }: SessionOptions,
  bookmarks = new Map(seen),
  usage = new Usage(),
  moves = new MoveWait(),
): ClusterSession {
  const read = new Map([[referencePosition, seen.get(referencePosition) ?? '']])
  const background = later ? { later, account } : { account }
  const session: ClusterSession = {
    reads,
    seen,
    read,
    cluster,
    moves,
    usage,
    account,
    bookmarks,
    later: (work) => {
      const settled = work.catch(() => undefined)
      later?.(settled)
    },
    constraintFor: (database) => {
      if (!reads || primary || moves.hasBegun || cluster.isConverting) return 'first-primary'
      return bookmarks.get(database) ?? 'first-unconstrained'
    },
    note(database, bookmark) {
      if (bookmark === null) return
      if (!read.has(database)) read.set(database, bookmark)
      noteLater(bookmarks, database, bookmark)
    },
    writing: () =>
      reads ? openSession(cluster, { reads: false, seen, ...background }, bookmarks, usage, moves) : session,
    onPrimary: () =>
      openSession(cluster, { reads, seen, primary: true, ...background }, bookmarks, usage, moves),
    toFill: (terms) =>
      openSession(cluster, { reads: true, ...terms, ...background }, undefined, usage, moves),
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
