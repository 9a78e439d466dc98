/**
 * Erases all rows of one distribution value: tables of one group, children first, some rows in one transaction, behind the fence of the value's slot.
 * Deletions are logged as anybody's; what the log kept of old and new values goes at once. All of it can be done again.
 * @module
 */
import type { Catalog, Table } from '../catalog/catalog.ts'
import { parentsFirst } from '../catalog/parents-first.ts'
import type { ChangeSet } from '../changes/change-log.ts'
import type { ClusterSession } from '../cluster/session.ts'
import { changesOf, ownResults, tracked } from '../cluster/track-changes.ts'
import { type UniqueColumn, uniqueColumnsOf } from '../cluster/unique-columns.ts'
import { entryColumns, heldOf, nameOf, release } from '../cluster/unique-values.ts'
import { ConstraintError } from '../errors/constraint-error.ts'
import { distributedTables, type Imaged, keyedOf, readShapes } from '../moves/cargo.ts'
import { slotOf } from '../slots/slots.ts'
import { joinBalanced } from '../sql/join-balanced.ts'
import { quoteName } from '../sql/quote.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'

/** Rows that one transaction takes away, entries of the log that one blanks, and transactions of one call. */
const [rowsAtOnce, loggedAtOnce, mostTransactions] = [200, 1000, 200]
/** Entries of lookups that are looked at together. */
const entriesAtOnce = 500
/** Texts that are longer, in bytes, are no names of files. */
const longestName = 1024

export interface EraseWorld {
  readonly session: ClusterSession
  readonly catalog: Catalog
  /** Is told of each transaction: caches and jobs must hear of it. */
  changed(database: string, changes: readonly ChangeSet[]): Promise<void>
}

/** What is erased, or would be. */
export interface ErasedRows {
  /** By table. */
  readonly rows: Readonly<Record<string, number>>
  /** Entries of change logs whose old and new values go. */
  readonly logged: number
  /** Entries of lookups that no row has any more. */
  readonly entries: number
  /** Files that columns of the rows named, as `bucket/name`. */
  readonly files: readonly string[]
  /** Whether nothing is left; else it is to be called again. */
  readonly isDone: boolean
}

/** The groups of co-located tables, by the columns that they are named for. */
export function groupsOf(catalog: Catalog): Map<string, Table[]> {
  return Map.groupBy(parentsFirst(distributedTables(catalog)), groupOf)
}

const groupOf = ({ placement }: Table) => (placement.kind === 'distributed' ? placement.group : '')
const byOf = ({ placement }: Table) => quoteName(placement.kind === 'distributed' ? placement.by : '')

/** That a row has the value: as text, too, as `07` is another value than 7. */
const isOf = (table: Table) => `${byOf(table)} = ?1 AND CAST(${byOf(table)} AS TEXT) = ?1`

/** Entries of the log with values of rows. Parameters: the value, the tables. */
const isLogged =
  'value = ?1 AND name IN (SELECT value FROM json_each(?2)) AND (old IS NOT NULL OR new IS NOT NULL)'

/** Counts, and changes nothing; files are those that rows name now. */
export async function planErase(
  { session, catalog }: Pick<EraseWorld, 'session' | 'catalog'>,
  value: string,
  group: string,
): Promise<ErasedRows> {
  const tables = groupsOf(catalog).get(group) ?? []
  const database = await session.cluster.ownerOf(value, session)
  const shapes = await readShapes(session, database, tables.map(keyedOf))
  const rows: Record<string, number> = {}
  const files = new Set<string>()
  for (const [i, table] of tables.entries()) {
    for (let after = 0, n = rowsAtOnce; n === rowsAtOnce; after += n) {
      const text = `SELECT ${textsOf(shapes[i] as Imaged)} AS texts FROM ${quoteName(table.name)} WHERE ${isOf(table)} LIMIT ${rowsAtOnce} OFFSET ${after}`
      const [found = []] = await session.on(database, [{ text, parameters: [value] }])
      n = found.length
      rows[table.name] = (rows[table.name] ?? 0) + n
      for (const file of await filesOf(session, found)) files.add(file)
    }
  }
  let logged = 0
  for (const name of session.cluster.databases) {
    const text = `SELECT count(*) AS n FROM _atoll_changes WHERE ${isLogged}`
    const [[row] = []] = await session.on(name, [{ text, parameters: [value, namesOf(tables)] }])
    logged += Number(row?.n)
  }
  return { rows, logged, entries: 0, files: [...files], isDone: false }
}

/** Files that rows of a value name, of whatever group, as `bucket/name`. */
export async function filesOfValue(
  world: Pick<EraseWorld, 'session' | 'catalog'>,
  value: string,
): Promise<readonly string[]> {
  const files = new Set<string>()
  for (const group of groupsOf(world.catalog).keys())
    for (const file of (await planErase(world, value, group)).files) files.add(file)
  return [...files].sort()
}

/**
 * Erases as much as one call may.
 *
 * @throws ConstraintError when rows outside of the group refer to the value's
 */
export async function eraseRows(world: EraseWorld, value: string, group: string): Promise<ErasedRows> {
  const { session, catalog } = world
  const tables = groupsOf(catalog).get(group) ?? []
  const shapes = await readShapes(session, await session.cluster.ownerOf(value, session), tables.map(keyedOf))
  const children = tables.map((table, i) => ({ table, shape: shapes[i] as Imaged })).toReversed()
  const rows: Record<string, number> = {}
  const files = new Set<string>()
  let left = mostTransactions
  const take = async (some: typeof children, isAll: boolean): Promise<number> => {
    left--
    const found = await takeAway(world, value, some, isAll)
    for (const [i, gone] of found.entries()) {
      const { name } = (some[i] as (typeof some)[number]).table
      rows[name] = (rows[name] ?? 0) + gone.length
      for (const file of await filesOf(session, gone)) files.add(file)
    }
    return found.reduce((sum, { length }) => sum + length, 0)
  }
  try {
    for (const one of children) while (left > 0 && (await take([one], false)) === rowsAtOnce);
  } catch (error) {
    if (!(error instanceof ConstraintError) || error.kind !== 'foreign-key') throw error
    // Rows that refer to each other in a circle go together or not at all.
    await take(children, true)
  }
  const answer = { rows, logged: 0, entries: 0, files: [...files] }
  if (left <= 0) return { ...answer, isDone: false }
  const logged = await blankLogs(session, value, namesOf(tables))
  const entries = session.cluster.sharded ? await releaseEntries(session, value, tables) : 0
  // Restores of this value alone say which one it was.
  await session.primary([
    {
      text: "DELETE FROM _atoll_backups WHERE asked ->> 'value' = ?1 AND state NOT IN ('waiting', 'running')",
      parameters: [value],
    },
  ])
  return { ...answer, logged, entries, isDone: true }
}

/** By the clocks of the databases: whatever was written before is no later. Milliseconds since 1970. */
export async function latestClock(session: ClusterSession): Promise<number> {
  let latest = 0
  for (const database of session.cluster.databases) {
    const [[row] = []] = await session.on(database, [
      { text: "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS at", parameters: [] },
    ])
    latest = Math.max(latest, Number(row?.at))
  }
  return latest
}

/** @returns the texts of the rows that are gone, for each table */
async function takeAway(
  { session, catalog, changed }: EraseWorld,
  value: string,
  some: readonly { readonly table: Table; readonly shape: Imaged }[],
  isAll: boolean,
): Promise<readonly (readonly Row[])[]> {
  const deletes = some.map(({ table, shape }): BoundStatement => {
    const own = quoteName(table.name)
    const key = shape.hasRowid ? 'rowid' : shape.key.map(({ name }) => quoteName(name)).join(', ')
    const which = isAll
      ? isOf(table)
      : `(${key}) IN (SELECT ${key} FROM ${own} WHERE ${isOf(table)} LIMIT ${rowsAtOnce})`
    return {
      text: `DELETE FROM ${own} WHERE ${which} RETURNING ${textsOf(shape)} AS texts`,
      parameters: [value],
    }
  })
  const deferred = { text: 'PRAGMA defer_foreign_keys = ON', parameters: [] }
  const site = { kind: 'slots', slots: [slotOf(value)] } as const
  const [outcome] = await session.run(site, () => tracked(isAll ? [deferred, ...deletes] : deletes))
  if (outcome === undefined || 'error' in outcome) throw outcome?.error
  await changed(outcome.part.database, await changesOf([outcome], session, catalog))
  const results = ownResults(outcome.results)
  return isAll ? results.slice(1) : results
}

/** Texts of a row that may be names of files, as a JSON array. */
function textsOf({ columns }: Imaged): string {
  const cells = columns.map((column, i) => {
    const cell = quoteName(column)
    const isName = `typeof(${cell}) = 'text' AND octet_length(${cell}) BETWEEN 1 AND ${longestName}`
    return `${i === 0 ? '' : "',' || "}iif(${isName}, json_quote(${cell}), 'null')`
  })
  return `('[' || ${joinBalanced(cells, ' || ')} || ']')`
}

/** Files by their names, or by `bucket/name`. */
async function filesOf(session: ClusterSession, rows: readonly Row[]): Promise<string[]> {
  const texts = new Set(rows.flatMap(({ texts: json }) => JSON.parse(json as string) as (string | null)[]))
  texts.delete(null)
  if (texts.size === 0) return []
  const list = JSON.stringify([...texts])
  const [found = []] = await session.primary([
    {
      text: "SELECT bucket || '/' || name AS file FROM _atoll_objects WHERE name IN (SELECT value FROM json_each(?1)) OR bucket || '/' || name IN (SELECT value FROM json_each(?1)) LIMIT 1000",
      parameters: [list],
    },
  ])
  return found.map(({ file }) => file as string)
}

const namesOf = (tables: readonly Table[]) => JSON.stringify(tables.map(({ name }) => name))

/** On all databases: slots may have moved since. */
async function blankLogs(session: ClusterSession, value: string, names: string): Promise<number> {
  let blanked = 0
  for (const database of session.cluster.databases)
    for (let after = 0, n = loggedAtOnce; n === loggedAtOnce; blanked += n) {
      const [found = []] = await session.on(database, [
        {
          text: `UPDATE _atoll_changes SET old = NULL, new = NULL WHERE sequence IN (SELECT sequence FROM _atoll_changes WHERE ${isLogged} AND sequence > CAST(?3 AS INTEGER) ORDER BY sequence LIMIT ${loggedAtOnce}) RETURNING sequence`,
          parameters: [value, names, String(after)],
        },
      ])
      n = found.length
      after = Math.max(after, ...found.map(({ sequence }) => Number(sequence)))
    }
  return blanked
}

/** Entries that lead to the value's slot, and to no row there. */
async function releaseEntries(
  session: ClusterSession,
  value: string,
  tables: readonly Table[],
): Promise<number> {
  let released = 0
  for (const claim of tables.flatMap(uniqueColumnsOf))
    for (const database of session.cluster.databases)
      for (let after: string | null = ''; after !== null; ) {
        const page = await releasePage(session, claim, database, slotOf(value), after)
        released += page.released
        after = page.after
      }
  return released
}

/**
 * Takes away entries of a database that lead to no row, some at a time.
 *
 * @param slot of the rows; null: any
 * @param after the last value that was looked at
 * @returns where it goes on; null: there are no more
 */
export async function releasePage(
  session: ClusterSession,
  claim: UniqueColumn,
  database: string,
  slot: number | null,
  after: string,
): Promise<{ readonly released: number; readonly after: string | null }> {
  const [found = []] = await session.on(database, [
    {
      text: `SELECT ${entryColumns} FROM _atoll_unique AS u WHERE u.name = ?1 AND u.value > ?2${slot === null ? '' : ' AND u.slot = CAST(?3 AS INTEGER)'} ORDER BY u.value LIMIT ${entriesAtOnce}`,
      parameters: [nameOf(claim), after, ...(slot === null ? [] : [String(slot)])],
    },
  ])
  const held = found.map((row) => heldOf(row, [claim]))
  const released = await release(session, held)
  const last = found.at(-1)?.value as string | undefined
  return { released, after: found.length < entriesAtOnce ? null : (last ?? null) }
}
