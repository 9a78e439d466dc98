/**
 * What a migration of drizzle-kit's does not do, though the snapshot beside it says that it does.
 * @module
 */
import { quoteName } from '../sql/quote.ts'
import { foldName, sameName } from '../sql/sql-tokens.ts'
import { remake } from './change-columns.ts'
import { withColumn, withConstraint, withoutColumns } from './create-table.ts'
import type { Operation } from './operation.ts'
import type { Planner } from './planner.ts'
import type { ModelTable } from './schema-model.ts'
import { columnText, foreignKeyText, type Snapshot, tableIn } from './snapshot.ts'

/**
 * Stored generated columns that drizzle-kit left out, saying so only while it wrote the migration, or left as they were: an ordinary
 * column, or another expression.
 */
export function mendStoredColumns(planner: Planner, snapshot: Snapshot | null): void {
  for (const present of [...planner.model.tables.values()]) {
    for (const column of Object.values(tableIn(snapshot, present.name)?.columns ?? {})) {
      const table = planner.model.table(present.name) as ModelTable
      if (column.generated?.type !== 'stored') continue
      const known = table.columns.find(({ name }) => sameName(name, column.name))
      if (known?.generated === 'stored' && table.sql.includes(column.generated.as)) continue
      planner.source = `ALTER TABLE ${quoteName(table.name)} ADD COLUMN ${columnText(column)}`
      planner.detach(table.name)
      const left = known ? withoutColumns(table.sql, [known.name]) : table.sql
      const columns = table.columns.filter((other) => other !== known)
      if (known) planner.dropSearchOf(table.name, known.name)
      remake(planner, table, left && withColumn(left, columnText(column)), columns)
    }
  }
  planner.source = null
}

/** Foreign keys of several columns that came with columns that were added. */
export function addForeignKeys(
  planner: Planner,
  operations: readonly Operation[],
  snapshot: Snapshot | null,
): void {
  for (const operation of operations) {
    if (operation.kind !== 'add-column') continue
    const table = planner.model.table(operation.table)
    for (const key of Object.values(tableIn(snapshot, operation.table)?.foreignKeys ?? {})) {
      if (!table || key.columnsFrom.length < 2) continue
      const names = key.columnsFrom.map(foldName)
      if (!names.includes(foldName(operation.column))) continue
      const isThere = planner.model
        .table(operation.table)
        ?.foreignKeys.some(({ columns }) => columns.map(foldName).join() === names.join())
      if (isThere) continue
      planner.source = foreignKeyText(key)
      planner.detach(table.name)
      remake(planner, table, withConstraint(table.sql, foreignKeyText(key)), table.columns)
    }
  }
  planner.source = null
}
