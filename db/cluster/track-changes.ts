/**
 * Tells what transactions have changed: they ask the change log themselves, where cascades and the app's own triggers are
 * noted as well.
 * @module
 */
import type { Catalog } from '../catalog/catalog.ts'
import {
  type ChangeSet,
  changeOf,
  logAfter,
  logBefore,
  maxListed,
  tablesChanged,
} from '../changes/change-log.ts'
import type { Outcome } from '../slots/parts.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import type { ClusterSession } from './session.ts'

/** A transaction's statements, with the questions to the change log around them. */
export function tracked(statements: readonly BoundStatement[]): readonly BoundStatement[] {
  return [logBefore, ...statements, logAfter]
}

/** What a tracked transaction answered to its own statements. */
export function ownResults(results: readonly (readonly Row[])[]): readonly (readonly Row[])[] {
  return results.slice(1, -1)
}

/** What tracked transactions have changed. */
export async function changesOf(
  outcomes: readonly Outcome[],
  session: ClusterSession,
  catalog: Catalog,
): Promise<ChangeSet[]> {
  const sets = await Promise.all(
    outcomes.map(async (outcome): Promise<ChangeSet | null> => {
      if ('error' in outcome) return null
      const { results, part } = outcome
      const before = Number(results[0]?.[0]?.n ?? 0)
      const changes = (results.at(-1) ?? []).map(changeOf).filter(({ sequence }) => sequence > before)
      const upTo = changes[0]?.sequence ?? before
      if (changes.length === 0) return null
      if (changes.length <= maxListed) return { database: part.database, changes, upTo, tables: null }
      // Whoever has swept the log meanwhile may have cut it off: then any table may have changed.
      const [rows = []] = await session.writing().on(part.database, [tablesChanged(before, upTo)])
      return {
        database: part.database,
        changes,
        upTo,
        tables: rows.length > 0 ? rows.map(({ name }) => name as string) : [...catalog.tables.keys()],
      }
    }),
  )
  return sets.filter((set) => set !== null)
}

/**
 * A shard's changes by the database under whose name they are known: rows of reference tables are the primary's, whichever copy was
 * brought up. Positions of one log say nothing of another's.
 */
export function atHome(set: ChangeSet, catalog: Catalog, primary: string): ChangeSet[] {
  if (set.database === primary) return [set]
  const isCopy = (table: string) => hasCopies(table, catalog)
  const part = (copied: boolean): ChangeSet => ({
    database: copied ? primary : set.database,
    changes: set.changes.filter(({ table }) => isCopy(table) === copied),
    upTo: copied ? 0 : set.upTo,
    tables: set.tables?.filter((table) => isCopy(table) === copied) ?? null,
  })
  return [part(false), part(true)].filter(({ changes, tables }) => changes.length > 0 || tables?.length)
}

/** Whether a table's rows are the primary database's, and shards have copies of them. */
export function hasCopies(table: string, catalog: Catalog): boolean {
  return catalog.tables.get(table)?.placement.kind === 'reference'
}
