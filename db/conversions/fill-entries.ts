/**
 * Lookup entries of tables that are to be distributed: made beforehand, a few rows at a time, while nobody asks for them yet; in the moment in
 * which tables change, those of rows that have changed since.
 * @module
 */
import type { Catalog, Table } from '../catalog/catalog.ts'
import { keySlot, slotOf } from '../slots/slots.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { changedRowids } from './check-rows.ts'
import type { Filled } from './conversion.ts'

/** Rows that are entered at once. */
const rowsAtOnce = 2000

/** A column whose values are entered. */
interface Entered {
  readonly table: Table
  readonly column: string
}

/** Columns of some tables whose values are to be unique over all shards. */
export function enteredColumns(catalog: Catalog, names: readonly string[]): Entered[] {
  return names.flatMap((name) => {
    const table = catalog.tables.get(name)
    if (table?.placement.kind !== 'distributed') return []
    return table.uniqueAcrossShards.map((column) => ({ table, column }))
  })
}

/** From where columns are filled from the beginning. */
export const fromTheFirst: Filled = { column: 0, after: '-9223372036854775808' }

/** Enters the next rows. @returns where to go on; null: all are entered */
export async function fillNext(
  primary: MigrationDatabase,
  columns: readonly Entered[],
  { column: index, after }: Filled,
): Promise<Filled | null> {
  const entered = columns[index]
  if (!entered) return null
  const rows = await readRows(primary, entered, `rowid > ${after} ORDER BY rowid LIMIT ${rowsAtOnce}`)
  await enter(primary, entered, rows)
  const last = rows.at(-1)
  return rows.length < rowsAtOnce || !last
    ? { ...fromTheFirst, column: index + 1 }
    : { column: index, after: last.at }
}

/** Enters rows that have changed behind a position of the change log. */
export async function fillChanged(
  primary: MigrationDatabase,
  columns: readonly Entered[],
  since: number,
): Promise<void> {
  for (const entered of columns) {
    const rows = await readRows(primary, entered, `rowid IN (${changedRowids(entered.table, since)})`)
    for (let i = 0; i < rows.length; i += rowsAtOnce)
      await enter(primary, entered, rows.slice(i, i + rowsAtOnce))
  }
}

/** Notes that a column's values are entered, so that nobody enters them again. */
export function noteFilled(
  primary: MigrationDatabase,
  columns: readonly Entered[],
): Promise<unknown> | undefined {
  if (columns.length === 0) return
  return primary.batch(
    columns.map(({ table, column }) =>
      primary
        .prepare("INSERT OR REPLACE INTO _atoll_state (key, value) VALUES (?, 'done')")
        .bind(`unique:${table.name}.${column}`),
    ),
  )
}

interface ReadRow {
  readonly at: string
  readonly value: string
  readonly by: string | null
}

async function readRows(
  primary: MigrationDatabase,
  { table, column }: Entered,
  which: string,
): Promise<readonly ReadRow[]> {
  const by = table.placement.kind === 'distributed' ? table.placement.by : ''
  const { results } = await primary
    .prepare(
      `SELECT CAST(rowid AS TEXT) AS at, CAST(${quoteName(column)} AS TEXT) AS value, CAST(${quoteName(by)} AS TEXT) AS by FROM ${quoteName(table.name)} WHERE ${quoteName(column)} IS NOT NULL AND ${which}`,
    )
    .all<ReadRow>()
  return results
}

async function enter(
  primary: MigrationDatabase,
  { table, column }: Entered,
  rows: readonly ReadRow[],
): Promise<void> {
  if (rows.length === 0) return
  const list = rows.map(({ value, by }) => [value, keySlot(value), slotOf(by ?? '')])
  await primary.batch([
    primary
      .prepare(
        `INSERT INTO _atoll_unique (name, value, home, slot, token, at) SELECT ${quoteText(`${table.name}.${column}`)}, value ->> 0, value ->> 1, value ->> 2, 'filled:' || hex(randomblob(12)), 0 FROM json_each(?) WHERE true ON CONFLICT DO UPDATE SET slot = excluded.slot WHERE slot <> excluded.slot`,
      )
      .bind(JSON.stringify(list)),
  ])
}
