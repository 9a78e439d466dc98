/**
 * Makes tables anew with all their rows, on D1's terms: one transaction in which foreign keys are enforced, their checks deferred and
 * their actions not. DROP TABLE deletes each row, and so the rows of children by their actions; a table that comes by RENAME under the
 * old name does not settle what that deletion left open, rows that are inserted do. So tables are copied aside together with all
 * children that an action would reach, dropped, made under their own names, and filled again.
 * @module
 */
import { quoteName, quoteText } from '../sql/quote.ts'
import { foldName, sameName } from '../sql/sql-tokens.ts'
import { isAtollTrigger } from './attachments.ts'
import { renamedTable } from './create-table.ts'
import type { Planner } from './planner.ts'
import {
  acts,
  isIndexed,
  type ModelForeignKey,
  type ModelTable,
  maxColumns,
  type SchemaModel,
} from './schema-model.ts'

/** A table that is to be another one. */
export interface Rebuild {
  readonly table: string
  /** CREATE TABLE of what it becomes, under its own name. */
  readonly sql: string
  /** The new table's columns that are filled, and what each is filled with, from the old table. */
  readonly columns: readonly string[]
  readonly values: readonly string[]
  /** Whether the rows and all these values stay what they are. */
  readonly isPlain: boolean
  /** The table that the values are of, when it is not the old one: one that goes when this one is made. */
  readonly from: string | null
  /** Names of indexes and triggers that are not to come back: the schema has them no longer, or the migration makes them itself. */
  readonly leaves: (name: string) => boolean
  /** CREATE UNIQUE INDEX of those that it is to have from the beginning. */
  readonly uniques: readonly string[]
}

/** A table's rows, put aside. */
interface Held {
  readonly table: ModelTable
  readonly rebuild: Rebuild | null
  readonly aside: string
  readonly hasRowids: boolean
  readonly columns: readonly string[]
}

export function rebuildTables(planner: Planner, rebuilds: readonly Rebuild[]): void {
  const { model } = planner
  const family = familyOf(model, rebuilds)
  const order = parentsFirst(family)
  for (const { name } of order) planner.detach(name)
  const sources = rebuilds.flatMap(({ from }) => model.table(from ?? '') ?? [])
  const triggersOf = ({ name }: ModelTable) =>
    model.triggersOn(name).filter((trigger) => !isAtollTrigger(trigger.name))
  const appTriggers = order.flatMap(triggersOf)
  const newTriggers = sources.flatMap(triggersOf)
  // The rows' own deletion acts on rows of the same table, and would tell them.
  for (const { name } of [...appTriggers, ...newTriggers]) planner.run(`DROP TRIGGER ${quoteName(name)}`)
  const temporary = indexChildren(planner, order)
  const held = order.map((table) => putAside(planner, table, rebuildOf(rebuilds, table)))
  keepSequences(planner, order)
  for (const { name } of sources) planner.run(`DROP TABLE ${quoteName(name)}`)
  // Of tables that refer to each other, none may be without the other: their rows go first.
  const dropped = parentsFirst(order, ({ onDelete }) => acts(onDelete)).reverse()
  if (hasCycle(order)) for (const { name } of dropped) planner.runOnRows(`DELETE FROM ${quoteName(name)}`)
  for (const { table, rebuild } of dropped.map(
    (one) => held.find(({ table: other }) => other === one) as Held,
  )) {
    planner.run(`DROP TABLE ${quoteName(table.name)}`)
    planner.run(rebuild?.sql ?? table.sql)
    // Foreign keys may refer to unique indexes, which rows that come are looked up in.
    for (const unique of rebuild?.uniques ?? []) planner.run(unique)
    remakeIndexes(planner, { table, rebuild }, true)
  }
  temporary.push(...indexLate(planner, order))
  for (const one of held) putBack(planner, one)
  for (const index of temporary) if (model.has(index)) planner.run(`DROP INDEX ${quoteName(index)}`)
  restoreSequences(planner, order)
  for (const one of held) remakeIndexes(planner, one, false)
  const renamed = newTriggers.map(({ name, of, sql }) => {
    const table = rebuilds.find(({ from }) => sameName(from ?? '', of))?.table ?? of
    return { name, of: table, sql: renamedTable(sql, of, table) }
  })
  for (const { name, of, sql } of [...renamed, ...appTriggers]) {
    const isLeft = rebuilds.some(({ table, leaves }) => sameName(table, of) && leaves(name))
    if (!isLeft && !model.has(name)) planner.run(sql)
  }
  for (const table of touched(model, order)) planner.willCheck(table)
}

function rebuildOf(rebuilds: readonly Rebuild[], { name }: ModelTable): Rebuild | null {
  return rebuilds.find(({ table }) => sameName(table, name)) ?? null
}

interface Reference {
  readonly child: ModelTable
  readonly key: ModelForeignKey
}

function referencesTo(model: SchemaModel, parent: string): Reference[] {
  return [...model.tables.values()].flatMap((child) =>
    child.foreignKeys.filter((key) => sameName(key.parent, parent)).map((key) => ({ child, key })),
  )
}

/** Whether a row's deletion may change others of its table, or of one that it refers to in turn, before these are deleted. */
const changesOthers = ({ foreignKeys }: ModelTable) =>
  foreignKeys.some(({ onDelete }) => /^SET /i.test(onDelete))

/** The tables themselves, and all that the actions of their rows' deletion would reach. */
function familyOf(model: SchemaModel, rebuilds: readonly Rebuild[]): ModelTable[] {
  const found = new Map<string, ModelTable>()
  const add = (name: string) => {
    const table = model.table(name)
    // What takes a table's place goes when it is put aside.
    if (!table || found.has(foldName(name)) || rebuilds.some(({ from }) => sameName(from ?? '', name))) return
    found.set(foldName(name), table)
    for (const { child, key } of referencesTo(model, name))
      if (acts(key.onDelete) || (acts(key.onUpdate) && changesOthers(table))) add(child.name)
  }
  for (const { table } of rebuilds) add(table)
  return [...found.values()]
}

/** Tables in an order in which what a foreign key refers to comes first; cycles are broken somewhere. */
function parentsFirst(
  tables: readonly ModelTable[],
  counts: (key: ModelForeignKey) => boolean = () => true,
): ModelTable[] {
  const ordered = new Set<ModelTable>()
  const visit = (table: ModelTable, path: ReadonlySet<ModelTable>) => {
    if (ordered.has(table) || path.has(table)) return
    for (const { parent } of table.foreignKeys.filter(counts)) {
      const next = tables.find(({ name }) => sameName(name, parent))
      if (next) visit(next, new Set([...path, table]))
    }
    ordered.add(table)
  }
  for (const table of tables) visit(table, new Set())
  return [...ordered]
}

/** Whether a table refers to one that comes after it. */
function hasCycle(order: readonly ModelTable[]): boolean {
  return order.some(({ foreignKeys }, i) =>
    order.slice(i + 1).some(({ name }) => foreignKeys.some(({ parent }) => sameName(parent, name))),
  )
}

/** Each deletion looks for the row's children: without an index, through all rows of theirs. */
function indexChildren(planner: Planner, order: readonly ModelTable[]): string[] {
  const dropped: string[] = []
  const made: string[] = []
  for (const parent of [...order].reverse()) {
    for (const { child, key } of referencesTo(planner.model, parent.name)) {
      // Children that go before have no rows by then.
      if (dropped.includes(child.name) || isIndexed(child, key.columns)) continue
      made.push(planner.temporaryIndex(child.name, key.columns))
    }
    dropped.push(parent.name)
  }
  return made
}

/** Each row that comes settles what its children left open: those that came before it are looked for. */
function indexLate(planner: Planner, order: readonly ModelTable[]): string[] {
  return order.flatMap(({ name }, i) => {
    const table = planner.model.table(name)
    const late = order.slice(i).map((parent) => parent.name)
    const keys =
      table?.foreignKeys.filter(({ parent }) => late.some((other) => sameName(other, parent))) ?? []
    return keys
      .filter(({ columns }) => table && !isIndexed(table, columns))
      .map(({ columns }) => planner.temporaryIndex(name, columns))
  })
}

function putAside(planner: Planner, table: ModelTable, rebuild: Rebuild | null): Held {
  const source = planner.model.table(rebuild?.from ?? table.name) ?? table
  const columns =
    rebuild?.columns ?? table.columns.filter(({ generated }) => generated === null).map(({ name }) => name)
  const aside = `_atoll_held_${table.name}`
  const rowid = rowidOf([source])
  const hasRowids = source.hasRowid && rowid !== null && columns.length < maxColumns
  const values = rebuild?.values ?? columns.map(quoteName)
  const listed = [
    ...(hasRowids ? [`${rowid} AS "_atoll_rowid"`] : []),
    ...values.map((value, i) => `${value} AS "c${i}"`),
  ]
  planner.run(
    `CREATE TABLE ${quoteName(aside)} AS SELECT ${listed.length === 0 ? '1 AS "none"' : listed.join(', ')} FROM ${quoteName(source.name)}`,
  )
  checkCount(planner, source.name, aside)
  return { table, rebuild, aside, hasRowids, columns }
}

/** A name of the rowid that is no column's of these tables. */
function rowidOf(tables: readonly ModelTable[]): string | null {
  const isFree = (name: string) =>
    !tables.some(({ columns }) => columns.some((column) => sameName(column.name, name)))
  return ['rowid', '_rowid_', 'oid'].find(isFree) ?? null
}

function putBack(planner: Planner, { table, rebuild, aside, hasRowids, columns }: Held): void {
  const made = planner.model.table(table.name)
  const names = columns.map(quoteName)
  const rowid = made ? rowidOf([made]) : null
  // A table that has its rowid as a column is given it by that; another one keeps the rows' own.
  const keepsRowids = hasRowids && made?.hasRowid === true && made.rowidColumn === null && rowid !== null
  const into = [...(keepsRowids ? [rowid] : []), ...names]
  const from = [...(keepsRowids ? ['"_atoll_rowid"'] : []), ...columns.map((_, i) => `"c${i}"`)]
  const filled =
    into.length === 0
      ? `INSERT INTO ${quoteName(table.name)} DEFAULT VALUES`
      : `INSERT INTO ${quoteName(table.name)} (${into.join(', ')}) SELECT ${from.join(', ')} FROM ${quoteName(aside)}`
  planner.runOnRows(filled)
  checkCount(planner, aside, table.name)
  planner.run(`DROP TABLE ${quoteName(aside)}`)
  const isRowid = made?.rowidColumn !== null && sameName(made?.rowidColumn ?? '', table.rowidColumn ?? '')
  planner.rewrote(table.name, (rebuild?.isPlain ?? true) && (keepsRowids || isRowid))
}

/** Fails, and the transaction with it, when two tables have not as many rows. */
function checkCount(planner: Planner, a: string, b: string): void {
  planner.steps.push({
    sql: `SELECT CASE WHEN (SELECT count(*) FROM ${quoteName(a)}) = (SELECT count(*) FROM ${quoteName(b)}) THEN 1 ELSE json_extract('{}', ${quoteText(`atoll/rows/${b}`)}) END`,
    source: planner.source,
  })
}

const sequences = '_atoll_held_sequences'

/** AUTOINCREMENT gives no number out again, also none of rows that were deleted; DROP TABLE forgets how far it was. */
function keepSequences(planner: Planner, tables: readonly ModelTable[]): void {
  const numbered = tables.filter(({ isAutoincrement }) => isAutoincrement).map(({ name }) => quoteText(name))
  if (numbered.length === 0) return
  planner.run(
    `CREATE TABLE ${sequences} AS SELECT name COLLATE NOCASE AS name, seq FROM sqlite_sequence WHERE name COLLATE NOCASE IN (${numbered.join(', ')})`,
  )
}

function restoreSequences(planner: Planner, tables: readonly ModelTable[]): void {
  if (!planner.model.has(sequences)) return
  for (const before of tables) {
    const made = planner.model.table(before.name)
    if (!made?.isAutoincrement) continue
    const { name } = made
    const text = quoteText(name)
    planner.runOnRows(
      `INSERT INTO sqlite_sequence (name, seq) SELECT ${text}, 0 FROM ${sequences} WHERE name = ${text} COLLATE NOCASE AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ${text})`,
    )
    planner.runOnRows(
      `UPDATE sqlite_sequence SET seq = max(seq, ifnull((SELECT seq FROM ${sequences} WHERE name = ${text} COLLATE NOCASE), 0)) WHERE name = ${text}`,
    )
  }
  planner.run(`DROP TABLE ${sequences}`)
}

function remakeIndexes(
  planner: Planner,
  { table, rebuild }: Pick<Held, 'table' | 'rebuild'>,
  unique: boolean,
): void {
  for (const { name, sql, isUnique } of table.indexes) {
    if (isUnique !== unique || sql === null || name.startsWith('_atoll_temporary_') || rebuild?.leaves(name))
      continue
    // An index that no migration file of drizzle-kit's knows goes on for as long as its columns are there.
    if (rebuild === null || planner.model.problemOf(sql) === null) planner.run(sql)
  }
}

/** The tables, and those that refer to them. */
function touched(model: SchemaModel, order: readonly ModelTable[]): string[] {
  const names = order.flatMap(({ name }) => [
    name,
    ...referencesTo(model, name).map(({ child }) => child.name),
  ])
  return [...new Map(names.map((name) => [foldName(name), name])).values()].filter(
    (name) => (model.table(name)?.foreignKeys.length ?? 0) > 0,
  )
}
