/**
 * Random writes, done to what the rows must be first: what it takes, the databases must take.
 * @module
 */
import type { DatabaseSync } from 'node:sqlite'
import { evenRanges, ownerOf } from '../../../db/slots/shard-map.ts'
import { slotOf } from '../../../db/slots/slots.ts'
import { quoteName, quoteText } from '../../../db/sql/quote.ts'
import type { Chance } from './chance.ts'
import {
  type ColumnModel,
  columnOf,
  hasFreeKey,
  isVolatile,
  type Model,
  type TableModel,
  tableOf,
  writtenColumns,
} from './model.ts'
import { literalRows, type References } from './oracle.ts'
import { keyLiteral, randomLiteral } from './random-values.ts'

/** Statements that were done, by database. */
export type Writes = Map<string, string[]>

export function randomWrites(chance: Chance, model: Model, references: References, count: number): Writes {
  const writes: Writes = new Map([...references.keys()].map((name) => [name, []]))
  for (let i = 0; i < count; i++) {
    const table = chance.pick(model.tables)
    if (table.isLog) continue
    const choice = chance.below(10)
    if (choice < 6) insertRow(chance, model, table, references, writes)
    else if (choice < 8) updateRow(chance, table, references, writes)
    else deleteRow(chance, table, references, writes)
  }
  return writes
}

const ranges = (names: readonly string[]) => ({
  epoch: 1,
  ranges: evenRanges(names),
  epochs: new Map<string, number>(),
})

/** Where rows of a table lie, given the literal of their distribution value. */
function targetsOf(table: TableModel, references: References, by: string | null): string[] {
  const names = [...references.keys()]
  if (table.placement.kind === 'reference') return names
  if (table.placement.kind !== 'distributed') return ['DB']
  const text = by?.startsWith("'") ? by.slice(1, -1).replaceAll("''", "'") : String(by)
  return [ownerOf(ranges(names), slotOf(text))]
}

/** Does a statement in all databases, or in none. */
function tryWrite(text: string, targets: readonly string[], references: References, writes: Writes): boolean {
  const begun: DatabaseSync[] = []
  try {
    for (const name of targets) {
      const database = references.get(name) as DatabaseSync
      database.exec('BEGIN')
      begun.push(database)
      database.exec(text)
    }
    for (const database of begun) database.exec('COMMIT')
    for (const name of targets) writes.get(name)?.push(text)
    return true
  } catch {
    for (const database of begun) if (database.isTransaction) database.exec('ROLLBACK')
    return false
  }
}

function insertRow(
  chance: Chance,
  model: Model,
  table: TableModel,
  references: References,
  writes: Writes,
): void {
  const values = new Map<number, string>()
  const { placement } = table
  if (placement.kind === 'distributed') {
    const by = columnOf(table, placement.by)
    const parent = table.foreignKeys.find(({ columns }) => columns.length === 1 && columns[0] === by.id)
    const literal = parent
      ? anyKey(chance, model, parent.parent, parent.parentColumns, references)?.[0]
      : keyLiteral(chance, by.kind)
    if (literal === undefined) return
    values.set(by.id, literal)
  }
  const targets = targetsOf(
    table,
    references,
    placement.kind === 'distributed' ? (values.get(placement.by) as string) : null,
  )
  const first = new Map([[targets[0] as string, references.get(targets[0] as string) as DatabaseSync]])
  for (const key of table.foreignKeys) {
    if (key.columns.some((id) => values.has(id))) continue
    const isNull = chance.maybe(0.25) && key.columns.every((id) => !columnOf(table, id).notNull)
    const literals = isNull ? null : anyKey(chance, model, key.parent, key.parentColumns, first)
    for (const [i, id] of key.columns.entries()) values.set(id, literals?.[i] ?? 'NULL')
  }
  for (const column of writtenColumns(table)) {
    if (values.has(column.id) || isLeftOut(chance, table, column)) continue
    values.set(column.id, literalFor(chance, table, column))
  }
  const across = [...table.uniqueAcrossShards, ...(hasFreeKey(table) ? table.primaryKey : [])]
  if (across.some((id) => isTaken(table, id, values.get(id), references))) return
  const names = [...values.keys()].map((id) => quoteName(columnOf(table, id).name))
  tryWrite(
    names.length === 0
      ? `INSERT INTO ${quoteName(table.name)} DEFAULT VALUES`
      : `INSERT INTO ${quoteName(table.name)} (${names.join(', ')}) VALUES (${[...values.values()].join(', ')})`,
    targets,
    references,
    writes,
  )
}

/** Whether the database is to fill it in by itself. */
function isLeftOut(chance: Chance, table: TableModel, column: ColumnModel): boolean {
  if (table.primaryKey.includes(column.id)) {
    return table.autoincrement && table.placement.kind === 'local' && chance.maybe(0.6)
  }
  return column.default !== null && !isVolatile(column) && chance.maybe(0.3)
}

function literalFor(chance: Chance, table: TableModel, column: ColumnModel): string {
  const isKey = table.primaryKey.includes(column.id)
  if (isKey) return table.autoincrement ? String(1 + chance.below(60)) : keyLiteral(chance, column.kind)
  if (!column.notNull && chance.maybe(0.2)) return 'NULL'
  return column.unique || table.uniques.some(({ columns }) => columns.includes(column.id))
    ? keyLiteral(chance, column.kind)
    : randomLiteral(chance, column.kind)
}

function isTaken(
  table: TableModel,
  id: number,
  literal: string | undefined,
  references: References,
): boolean {
  if (literal === undefined || literal === 'NULL') return false
  const text = `SELECT 1 AS n FROM ${quoteName(table.name)} WHERE ${quoteName(columnOf(table, id).name)} = ${literal}`
  return [...references.values()].some((database) => database.prepare(text).get() !== undefined)
}

/** The key of some row of a parent; null when it has none. */
function anyKey(
  chance: Chance,
  model: Model,
  parent: number,
  columns: readonly number[],
  references: References,
): string[] | null {
  const table = tableOf(model, parent)
  const names = columns.map((id) => columnOf(table, id).name)
  const rows = [...references.values()].flatMap((database) => literalRows(database, table.name, names))
  return rows.length > 0 ? chance.pick(rows) : null
}

/** A row that is there, and the condition that finds it. */
function anyRow(chance: Chance, table: TableModel, references: References) {
  const columns = writtenColumns(table)
  const names = columns.map(({ name }) => name)
  const rows = [...references].flatMap(([name, database]) =>
    literalRows(database, table.name, names).map((row) => ({ name, row })),
  )
  if (rows.length === 0) return null
  const { row } = chance.maybe(0.3) ? (rows.at(-1) as (typeof rows)[number]) : chance.pick(rows)
  const by = table.placement.kind === 'distributed' ? table.placement.by : -1
  const literal = row[columns.findIndex(({ id }) => id === by)] ?? null
  return {
    where: names.map((name, i) => `${quoteName(name)} IS ${row[i]}`).join(' AND '),
    targets: targetsOf(table, references, literal),
  }
}

function updateRow(chance: Chance, table: TableModel, references: References, writes: Writes): void {
  const row = anyRow(chance, table, references)
  const free = writtenColumns(table).filter(
    ({ id }) =>
      !table.primaryKey.includes(id) &&
      !table.uniqueAcrossShards.includes(id) &&
      !(table.placement.kind === 'distributed' && table.placement.by === id),
  )
  if (!row || free.length === 0) return
  const column = chance.pick(free)
  const text = `UPDATE ${quoteName(table.name)} SET ${quoteName(column.name)} = ${literalFor(chance, table, column)} WHERE ${row.where}`
  tryWrite(text, row.targets, references, writes)
}

function deleteRow(chance: Chance, table: TableModel, references: References, writes: Writes): void {
  const row = anyRow(chance, table, references)
  if (row)
    tryWrite(`DELETE FROM ${quoteName(table.name)} WHERE ${row.where}`, row.targets, references, writes)
}

/** A migration that the app writes itself: a change of many rows, with what makes statements hard to tell apart. */
export function customUpdate(chance: Chance, model: Model, references: References): string | null {
  const table = chance.pick(model.tables)
  const able = writtenColumns(table).filter(
    ({ id, unique }) =>
      !unique &&
      !table.primaryKey.includes(id) &&
      !table.foreignKeys.some(({ columns }) => columns.includes(id)) &&
      !(table.placement.kind === 'distributed' && table.placement.by === id),
  )
  if (able.length === 0 || table.isLog) return null
  const column = chance.pick(able)
  const literal = chance.maybe(0.5) ? quoteText("x; it's -- so") : randomLiteral(chance, column.kind)
  const text = `UPDATE ${quoteName(table.name)} SET ${quoteName(column.name)} = ${literal}`
  return tryWrite(text, [...references.keys()], references, new Map())
    ? `-- sets; all\n${text};\n/* done; */`
    : null
}
