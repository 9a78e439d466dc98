/**
 * Columns that are added and dropped: by ALTER TABLE where it can, by making the table anew where it cannot.
 * @module
 */

import { MigrationError } from '../errors/migration-error.ts'
import { quoteName } from '../sql/quote.ts'
import { sameName } from '../sql/sql-tokens.ts'
import { withColumn, withoutColumns } from './create-table.ts'
import type { Planner } from './planner.ts'
import { rebuildTables } from './rebuild-tables.ts'
import type { ModelTable } from './schema-model.ts'
import type { StatementOf } from './statement.ts'

/** Definitions that ALTER TABLE takes for empty tables only. Source: https://www.sqlite.org/lang_altertable.html#altertabaddcol */
function needsRebuild(definition: string): boolean {
  const hasDefault = /\bDEFAULT\s+(?!NULL\b)/i.test(definition)
  return (
    /\bDEFAULT\s+(?:\(|CURRENT_)/i.test(definition) ||
    (hasDefault && /\bREFERENCES\b/i.test(definition)) ||
    /\b(?:STORED|UNIQUE)\b|\bPRIMARY\s+KEY\b/i.test(definition)
  )
}

export function addColumn(planner: Planner, operation: StatementOf<'add-column'>): void {
  const table = planner.model.table(operation.table)
  planner.detach(operation.table)
  if (!table || !needsRebuild(operation.definition)) {
    planner.run(operation.sql)
    return
  }
  remake(planner, table, withColumn(table.sql, operation.definition), table.columns)
}

/** drizzle-kit drops a generated column and adds it anew: one that becomes an ordinary one keeps its values here, and indexes stay. */
export function redefine(
  planner: Planner,
  { table: name, column, definition }: StatementOf<'add-column'>,
): void {
  const table = planner.model.table(name)
  if (!table) throw planner.error(`there is no table ${name}`)
  const left = withoutColumns(table.sql, [column])
  planner.detach(name)
  planner.dropSearchOf(name, column)
  const isKept = !/\bGENERATED\s+ALWAYS\b/i.test(definition)
  const columns = table.columns.filter((one) => isKept || !sameName(one.name, column))
  remake(planner, table, left && withColumn(left, definition), columns, [column])
}

/** Makes a table anew with the values of these columns. */
export function remake(
  planner: Planner,
  table: ModelTable,
  sql: string | null,
  columns: ModelTable['columns'],
  /** Generated columns whose values are kept. */
  kept: readonly string[] = [],
): void {
  if (sql === null) throw planner.error(`the definition of ${table.name} cannot be read`)
  const filled = columns
    .filter(({ name, generated }) => generated === null || kept.some((one) => sameName(one, name)))
    .map(({ name }) => name)
  rebuildTables(planner, [
    {
      table: table.name,
      sql,
      columns: filled,
      values: filled.map(quoteName),
      isPlain: true,
      from: null,
      leaves: () => false,
      uniques: [],
    },
  ])
}

/** @throws MigrationError when a column that is to go is not there */
export function checkThere(planner: Planner, group: readonly StatementOf<'drop-column'>[]): void {
  for (const { table, column, sql } of group) {
    planner.source = sql
    if (!planner.model.table(table)?.columns.some(({ name }) => sameName(name, column)))
      throw planner.error(`there is no column ${table}.${column}`)
  }
}

export function dropColumns(planner: Planner, all: readonly StatementOf<'drop-column'>[]): void {
  const { model } = planner
  // Those that went before something was in the way of the next are gone.
  const group = all.filter(({ table, column }) =>
    model.table(table)?.columns.some((one) => sameName(one.name, column)),
  )
  const [{ table: name }] = group as [StatementOf<'drop-column'>]
  const names = group.map(({ column }) => column)
  planner.detach(name)
  for (const column of names) planner.dropSearchOf(name, column)
  const table = model.table(name)
  // What other columns are worked out from goes after them.
  const isSource = ({ column }: StatementOf<'drop-column'>) =>
    Number(table?.columns.find((one) => sameName(one.name, column))?.generated === null)
  const ordered = [...group].sort((a, b) => isSource(a) - isSource(b))
  const refusals = ordered.map(({ sql }) => tryDrop(planner, sql))
  const [refusal] = refusals.filter((reason) => reason !== null)
  if (refusal === undefined) return
  if (!table || !/cannot drop|error in table/i.test(refusal)) throw refusedDrop(planner, refusal)
  // ALTER TABLE does not take keys and unique columns away, nor what the table's own constraints name.
  const present = model.table(name) as ModelTable
  const left = present.columns.filter((column) => !names.some((gone) => sameName(gone, column.name)))
  try {
    remake(planner, present, withoutColumns(present.sql, names), left)
  } catch (error) {
    throw refusedDrop(planner, error instanceof MigrationError ? refusal : (error as Error).message)
  }
}

function tryDrop(planner: Planner, sql: string): string | null {
  planner.source = sql
  try {
    planner.run(sql)
    return null
  } catch (error) {
    return ((error as Error).cause as Error | undefined)?.message ?? (error as Error).message
  }
}

function refusedDrop(planner: Planner, reason: string): MigrationError {
  const [, what, name] = /error in (index|view|trigger) (.+?)(?::| after)/i.exec(reason) ?? []
  return planner.error(
    reason,
    what === undefined
      ? 'A key or constraint of the table needs the column: take that out of the schema as well.'
      : `The ${what} ${name} uses the column: drop or change it in the same migration.`,
  )
}
