import { getTableColumns, getTableName, is } from 'drizzle-orm'
import { SQLiteTable, SQLiteView } from 'drizzle-orm/sqlite-core'
import { type ColumnSources, distributed, local, type TableDeclaration, view } from '../../../db/define.ts'

/** Everybody may do everything: the suite's server gives its anonymous role all rights. */
const all = { select: true, insert: true, update: true, delete: true } as const
const access = { anon: all, postgrest_test_author: all } as const

/** One table is for one role. */
const authorsOnly = { postgrest_test_author: all } as const

/**
 * Declares every table and view of the suite's schema.
 *
 * @param spread names of tables that are distributed by their primary key
 */
export function conformanceTables(
  schema: Readonly<Record<string, unknown>>,
  sources: Readonly<Record<string, ColumnSources>>,
  spread: readonly string[] = [],
): Record<string, TableDeclaration> {
  const tables: Record<string, TableDeclaration> = {}
  for (const [key, entry] of Object.entries(schema)) {
    if (is(entry, SQLiteTable)) {
      const options = { access: key === 'authors_only' ? authorsOnly : access }
      const [by] = Object.entries(getTableColumns(entry)).find(([, column]) => column.primary) ?? []
      tables[key] =
        by !== undefined && spread.includes(getTableName(entry))
          ? distributed(entry, { by, ...options } as never)
          : local(entry, options)
    } else if (is(entry, SQLiteView)) tables[key] = view(entry, { access, sources: sources[key] ?? {} })
  }
  return tables
}
