import { getTableColumns, getTableName, getViewName, is, sql } from 'drizzle-orm'
import { SQLiteTable, SQLiteView } from 'drizzle-orm/sqlite-core'
import type { ColumnType } from '../../../db/catalog/catalog.ts'
import { type ColumnSources, distributed, local, type TableDeclaration, view } from '../../../db/define.ts'

/** Rights as the suite's `privileges.json` has them: true, false or the columns. */
type Granted = boolean | readonly string[]
type Grants = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Granted>>>>>>
export interface Privileges {
  readonly anonymous: string
  readonly hidden: readonly string[]
  readonly grants: Grants
}

/** As the suite's `functions.ts` has them. */
export interface Computed {
  readonly table: string
  readonly name: string
  readonly type: string
  readonly sql: string
}

const operations = ['select', 'insert', 'update', 'delete'] as const

/** The anonymous role may do everything with what is not named, others nothing. */
function accessOf(name: string, { anonymous, hidden, grants }: Privileges) {
  const roles = Object.entries(grants).map(([role, tables]) => {
    const isAnonymous = role === anonymous
    const named = tables[name]
    const right = (operation: string) => {
      const granted = named?.[operation] ?? (isAnonymous && named === undefined && !hidden.includes(name))
      return typeof granted === 'boolean' ? granted : { columns: granted }
    }
    const rights = operations.map((operation) => [operation, right(operation)] as const)
    return [isAnonymous ? 'anon' : role, Object.fromEntries(rights.filter(([, one]) => one !== false))]
  })
  return Object.fromEntries(roles)
}

const computedTypes: Readonly<Record<string, ColumnType>> = { boolean: 'boolean', bigint: 'integer' }

/**
 * Declares every table and view of the suite's schema.
 *
 * @param spread names of tables that are distributed by their primary key
 */
export function conformanceTables(
  schema: Readonly<Record<string, unknown>>,
  sources: Readonly<Record<string, ColumnSources>>,
  privileges: Privileges,
  computed: readonly Computed[],
  spread: readonly string[] = [],
): Record<string, TableDeclaration> {
  const tables: Record<string, TableDeclaration> = {}
  for (const [key, entry] of Object.entries(schema)) {
    if (is(entry, SQLiteTable)) {
      const name = getTableName(entry)
      const own = computed.filter(({ table }) => table === name)
      const options = {
        access: accessOf(name, privileges),
        computed: Object.fromEntries(
          own.map((one) => [
            one.name,
            { type: computedTypes[one.type] as ColumnType, sql: sql.raw(one.sql) },
          ]),
        ),
      }
      const [by] = Object.entries(getTableColumns(entry)).find(([, column]) => column.primary) ?? []
      tables[key] =
        by !== undefined && spread.includes(name)
          ? distributed(entry, { by, ...options } as never)
          : local(entry, options as never)
    } else if (is(entry, SQLiteView)) {
      const access = accessOf(getViewName(entry), privileges) as never
      tables[key] = view(entry, { access, sources: sources[key] ?? {} })
    }
  }
  return tables
}
