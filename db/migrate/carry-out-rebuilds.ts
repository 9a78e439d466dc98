/**
 * Tables that a migration makes anew: what their new rows are made of.
 * @module
 */
import { quoteName } from '../sql/quote.ts'
import { foldName, nameOf, sameName, tokensOf } from '../sql/sql-tokens.ts'
import { renamedTable } from './create-table.ts'
import type { Migration } from './migration.ts'
import type { Operation, RebuildOperation, SwapOperation } from './operation.ts'
import type { Planner } from './planner.ts'
import { type Rebuild, rebuildTables } from './rebuild-tables.ts'
import { type ModelTable, readTable } from './schema-model.ts'
import { formerColumn, formerTable, indexNames, type Snapshot, tableIn } from './snapshot.ts'

/** What a migration says of the tables that it makes anew, besides. */
export interface RebuildContext {
  readonly migration: Migration
  readonly before: Snapshot | null
  /** The operations that are still to come. */
  readonly later: readonly Operation[]
}

export function carryOutRebuilds(
  planner: Planner,
  group: readonly RebuildOperation[],
  context: RebuildContext,
): void {
  const { snapshot } = context.migration
  const rebuilds = group.map((operation): Rebuild => {
    planner.source = operation.sql
    if (!planner.model.table(operation.table)) throw planner.error(`there is no table ${operation.table}`)
    renameColumns(planner, operation, snapshot)
    const table = planner.model.table(operation.table) as ModelTable
    checkSources(planner, operation, table)
    checkKnown(planner, operation, table, context)
    const filled = filling(operation, table)
    return {
      table: table.name,
      sql: operation.create,
      ...filled,
      from: null,
      uniques: operation.uniques.map(({ sql }) => sql),
      leaves: leavesOf(table, context),
    }
  })
  rebuildTables(planner, rebuilds)
}

/** Puts a table, as the migration has made and filled it, in the place of another one. */
export function carryOutSwap(
  planner: Planner,
  { table: name, from }: SwapOperation,
  context: RebuildContext,
): void {
  const table = planner.model.table(name)
  const made = planner.model.table(from)
  if (!table || !made) throw planner.error(`there is no table ${table ? from : name}`)
  const columns = made.columns.filter(({ generated }) => generated === null).map((column) => column.name)
  const indexes = made.indexes.flatMap((index) => (index.sql === null ? [] : [{ ...index, sql: index.sql }]))
  const renamed = indexes.map((index) => ({ ...index, sql: renamedTable(index.sql, made.name, table.name) }))
  const leaves = leavesOf(table, context)
  rebuildTables(planner, [
    {
      table: table.name,
      sql: renamedTable(made.sql, made.name, table.name),
      columns,
      values: columns.map(quoteName),
      isPlain: false,
      from: made.name,
      uniques: renamed.filter(({ isUnique }) => isUnique).map(({ sql }) => sql),
      leaves: (other) => leaves(other) || indexes.some((index) => sameName(index.name, other)),
    },
  ])
  for (const { sql } of renamed.filter(({ isUnique }) => !isUnique)) planner.run(sql)
}

/** What the migration makes itself does not come back, nor what drizzle-kit had made and has no longer. */
function leavesOf(
  table: ModelTable,
  { migration, before, later }: RebuildContext,
): (name: string) => boolean {
  const makes = later.flatMap((other) => {
    if (other.kind === 'create-index') return [foldName(other.index)]
    return other.kind === 'create-trigger' ? [foldName(other.trigger)] : []
  })
  const managed = indexNames(before, formerTable(migration.snapshot, table.name))
  const kept = indexNames(migration.snapshot, table.name)
  return (name) => {
    const folded = foldName(name)
    return makes.includes(folded) || (managed.has(folded) && !kept.has(folded))
  }
}

/** Of a table that it makes anew, drizzle-kit leaves out which columns were renamed; triggers, views and keys of others follow the name. */
function renameColumns(
  planner: Planner,
  { table: name, copy }: RebuildOperation,
  snapshot: Snapshot | null,
): void {
  for (const value of copy.values) {
    const table = planner.model.table(name) as ModelTable
    const to = quotedName(value)
    const isThere = (column: string) => table.columns.some((one) => sameName(one.name, column))
    const from = to === null || isThere(to) ? null : formerColumn(snapshot, table.name, to)
    if (to === null || from === null || !isThere(from)) continue
    planner.detach(name)
    planner.dropSearchOf(name, from)
    planner.run(`ALTER TABLE ${quoteName(table.name)} RENAME COLUMN ${quoteName(from)} TO ${quoteName(to)}`)
    planner.renames.push({ kind: 'column', table: table.name, from, to })
  }
}

/** A quoted name that is no column would be text in every row, but where drizzle-kit names a column that it adds. */
function checkSources(planner: Planner, { copy }: RebuildOperation, table: ModelTable): void {
  for (const [i, value] of copy.values.entries()) {
    const source = quotedName(value)
    if (source === null || table.columns.some(({ name }) => sameName(name, source))) continue
    if (!sameName(source, copy.columns[i] ?? '')) throw planner.error(`${table.name} has no column ${source}`)
  }
}

/** A column that came by another way than the migrations before this one is not what this one means to take away. */
function checkKnown(
  planner: Planner,
  { create }: RebuildOperation,
  table: ModelTable,
  { migration, before }: RebuildContext,
): void {
  if (!migration.snapshot || !before) return
  const known = Object.values(tableIn(before, formerTable(migration.snapshot, table.name))?.columns ?? {})
  const kept = readTable(create)?.columns ?? []
  for (const { name } of table.columns) {
    const isKnown = [...known, ...kept].some((column) => sameName(column.name, name))
    const isRenamed = planner.renames.some((rename) => rename.kind === 'column' && sameName(rename.to, name))
    if (isKnown || isRenamed) continue
    throw planner.error(
      `${table.name} would be made anew without its column ${name}, of which this migration does not know`,
      'It came with a migration of another branch, or by hand: take this migration back, and generate it anew on top of that.',
    )
  }
}

/** What fills the new table. A column that the old one has not is left to its default: SQLite would take its quoted name as text. */
function filling({ copy, create }: RebuildOperation, table: ModelTable) {
  const generated = new Set(
    readTable(create)?.columns.flatMap(({ name, generated: how }) => (how === null ? [] : [foldName(name)])),
  )
  const isThere = (name: string) => table.columns.some((column) => sameName(column.name, name))
  const pairs = copy.columns
    .map((column, i) => ({
      column,
      value: copy.values[i] as string,
      source: quotedName(copy.values[i] as string),
    }))
    .filter(({ column, source }) => !generated.has(foldName(column)) && (source === null || isThere(source)))
  return {
    columns: pairs.map(({ column }) => column),
    values: pairs.map(({ value, source }) => (source === null ? value : quoteName(source))),
    isPlain: pairs.every(({ column, source }) => source !== null && sameName(column, source)),
  }
}

/** The name in quotes that an expression is; a bare word may be a keyword or the rowid, and is no text in any case. */
function quotedName(expression: string): string | null {
  const [token, ...others] = tokensOf(expression)
  return others.length === 0 && token?.kind === 'name' ? nameOf(token) : null
}
