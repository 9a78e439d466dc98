import { is } from 'drizzle-orm'
import { SQLiteTable, SQLiteView } from 'drizzle-orm/sqlite-core'
import { type ColumnSources, local, type TableDeclaration, view } from '../../../db/define.ts'

/** Everybody may do everything: the suite's server gives its anonymous role all rights. */
const all = { select: true, insert: true, update: true, delete: true } as const
const access = { anon: all, postgrest_test_author: all } as const

/** One table is for one role. */
const authorsOnly = { postgrest_test_author: all } as const

/** Declares every table and view of the suite's schema. */
export function conformanceTables(
  schema: Readonly<Record<string, unknown>>,
  sources: Readonly<Record<string, ColumnSources>>,
): Record<string, TableDeclaration> {
  const tables: Record<string, TableDeclaration> = {}
  for (const [key, entry] of Object.entries(schema)) {
    if (is(entry, SQLiteTable))
      tables[key] = local(entry, { access: key === 'authors_only' ? authorsOnly : access })
    else if (is(entry, SQLiteView)) tables[key] = view(entry, { access, sources: sources[key] ?? {} })
  }
  return tables
}
