/**
 * Ids of seeded rows. A seed makes rows as Drizzle does, with ids that know nothing of slots; here they are given ids that carry their
 * row's, and so is what refers to them.
 * @module
 */
import type { DatabaseSync } from 'node:sqlite'
import { type Catalog, type Column, keyColumn, type Table } from '../catalog/catalog.ts'
import { makeRoutedId, makeRoutedNumber, slotOf, slotOfId } from '../slots/slots.ts'
import { quoteName } from '../sql/quote.ts'

interface Child {
  readonly table: string
  readonly column: string
}

/** @returns how many rows of each table were given other ids */
export function routeSeedIds(memory: DatabaseSync, catalog: Catalog): Map<string, number> {
  const changed = new Map<string, number>()
  for (const table of catalog.tables.values()) {
    const { placement } = table
    const key = keyColumn(table)
    if (table.ids !== 'routed' || key === null || placement.kind !== 'distributed') continue
    // What is another row's id changes along with it.
    if (childrenIn(memory, table.name).includes(key.name)) continue
    const count = routeTable(memory, table, key, placement.by)
    if (count > 0) changed.set(table.name, count)
  }
  return changed
}

/** Columns of a table that are foreign keys. */
function childrenIn(memory: DatabaseSync, table: string): string[] {
  return memory
    .prepare('SELECT "from" AS name FROM pragma_foreign_key_list(?)')
    .all(table)
    .map(({ name }) => name as string)
}

function routeTable(memory: DatabaseSync, table: Table, key: Column, by: string): number {
  const isInteger = key.type === 'integer'
  const [id, name] = [quoteName(key.name), quoteName(table.name)]
  const select = memory.prepare(
    `SELECT ${id} AS id, CAST(${quoteName(by)} AS TEXT) AS value FROM ${name} ORDER BY ${id}`,
  )
  select.setReadBigInts(true)
  const rows = (select.all() as unknown as { id: string | bigint; value: string | null }[])
    .map((row) => ({ id: row.id, slot: slotOf(row.value ?? '') }))
    .filter((row) => slotOfId(String(row.id), isInteger) !== row.slot)
  if (rows.length === 0) return 0
  memory.exec('CREATE TEMP TABLE routed (old PRIMARY KEY, new)')
  const insert = memory.prepare('INSERT INTO temp.routed VALUES (?, ?)')
  const taken = memory.prepare(`SELECT 1 FROM ${name} WHERE ${id} = ?`)
  const given = new Set<bigint>()
  const isTaken = (next: bigint) => {
    if (given.has(next) || taken.get(next) !== undefined) return true
    given.add(next)
    return false
  }
  for (const row of rows) {
    insert.run(row.id, isInteger ? freeNumber(row, isTaken) : makeRoutedId(row.slot))
  }
  for (const { table: child, column } of [
    ...childrenOf(memory, table.name, key.name),
    { table: table.name, column: key.name },
  ]) {
    const [of, its] = [quoteName(child), quoteName(column)]
    memory.exec(
      `UPDATE ${of} SET ${its} = (SELECT new FROM temp.routed WHERE old = ${its}) WHERE ${its} IN (SELECT old FROM temp.routed)`,
    )
  }
  memory.exec('DROP TABLE temp.routed')
  return rows.length
}

/** Beyond it, ids would not be below 2^53. */
const largestNumber = 549_755_813_887

/** The id that a row's old one is the number of, or the next that is free. */
function freeNumber(
  { id, slot }: { readonly id: string | bigint; readonly slot: number },
  isTaken: (id: bigint) => boolean,
): bigint {
  const old = Math.abs(Number(id))
  for (let number = old >= 1 && old <= largestNumber ? old : 1; ; number++) {
    const made = BigInt(makeRoutedNumber(slot, number))
    if (!isTaken(made)) return made
  }
}

/** Columns that refer to a key. */
function childrenOf(memory: DatabaseSync, parent: string, key: string): Child[] {
  return memory
    .prepare(
      `SELECT t.name AS "table", f."from" AS "column" FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS f
       WHERE t.schema = 'main' AND t.type = 'table' AND lower(f."table") = lower(?) AND lower(ifnull(f."to", ?)) = lower(?)`,
    )
    .all(parent, key, key) as unknown as Child[]
}
