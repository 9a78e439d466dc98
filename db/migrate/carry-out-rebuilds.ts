/**
 * Tables that a migration makes anew: what their new rows are made of.
 * @module
 */
import { quoteName } from '../quote.ts'
import type { Migration } from './migration.ts'
import type { Planner } from './planner.ts'
import type { Operation, RebuildOperation } from './read-migration.ts'
import { type Rebuild, rebuildTables } from './rebuild-tables.ts'
import type { Rename } from './rename.ts'
import { type ModelTable, readTable } from './schema-model.ts'
import { formerColumn, formerTable, indexNames, type Snapshot } from './snapshot.ts'
import { foldName, nameOf, sameName, tokensOf } from './sql-tokens.ts'

export function carryOutRebuilds(
  planner: Planner,
  group: readonly RebuildOperation[],
  operations: readonly Operation[],
  { snapshot }: Migration,
  before: Snapshot | null,
): void {
  const makes = new Set(
    operations.flatMap((other) => (other.kind === 'create-index' ? [foldName(other.index)] : [])),
  )
  const rebuilds = group.map((operation): Rebuild => {
    planner.source = operation.sql
    const table = planner.model.table(operation.table)
    if (!table) throw planner.error(`there is no table ${operation.table}`)
    const filled = filling(operation, table, snapshot)
    planner.renames.push(...filled.renames)
    const managed = indexNames(before, formerTable(snapshot, table.name))
    const kept = indexNames(snapshot, table.name)
    return {
      table: table.name,
      sql: operation.create,
      ...filled,
      uniques: operation.uniques.map(({ sql }) => sql),
      leaves: (index) => {
        const name = foldName(index)
        return makes.has(name) || (managed.has(name) && !kept.has(name))
      },
    }
  })
  rebuildTables(planner, rebuilds)
}

/** What fills the new table. A column that the old one has not is left to its default: SQLite would take its quoted name as text. */
function filling({ copy, create }: RebuildOperation, table: ModelTable, snapshot: Snapshot | null) {
  const isOwn = copy.from !== null && sameName(copy.from, table.name) && copy.values.length > 0
  if (!isOwn)
    return {
      columns: copy.columns,
      values: copy.columns,
      isPlain: false,
      query: copy.query,
      renames: [] as Rename[],
    }
  const generated = new Set(
    readTable(create)?.columns.flatMap(({ name, generated: how }) => (how === null ? [] : [foldName(name)])),
  )
  const sources = copy.values.map((value) => quotedName(value))
  const isThere = (name: string) => table.columns.some((column) => sameName(column.name, name))
  const pairs = copy.columns
    .map((column, i) => {
      const source = sources[i] ?? null
      // A column that is renamed by a migration that makes its table anew is not renamed before.
      const former = source === null || isThere(source) ? null : formerColumn(snapshot, table.name, source)
      return { column, value: copy.values[i] as string, source: former ?? source }
    })
    .filter(({ column, source }) => !generated.has(foldName(column)) && (source === null || isThere(source)))
  return {
    columns: pairs.map(({ column }) => column),
    values: pairs.map(({ value, source }) => (source === null ? value : quoteName(source))),
    isPlain: pairs.every(({ column, source }) => source !== null && sameName(column, source)),
    query: null,
    renames: pairs.flatMap(({ column, source }): Rename[] =>
      source === null || sameName(column, source)
        ? []
        : [{ kind: 'column', table: table.name, from: source, to: column }],
    ),
  }
}

/** The name that an expression is, when it is nothing but one. */
function quotedName(expression: string): string | null {
  const [token, ...others] = tokensOf(expression)
  return others.length === 0 && (token?.kind === 'name' || token?.kind === 'word') ? nameOf(token) : null
}
