import { getTableColumns } from 'drizzle-orm'
import { getViewConfig } from 'drizzle-orm/sqlite-core'
import type { Draft } from './draft.ts'

/** What is said of columns is said of such that are there. */
export function checkOptions({ name, columns, declaration }: Draft, problems: string[]): void {
  const keys = new Set([...columns.values()].map(({ key }) => key))
  for (const key of Object.keys(declaration.options.comments ?? {})) {
    if (!keys.has(key)) problems.push(`table ${name}, comments: there is no column ${key}; take the line out`)
  }
  const own =
    declaration.kind === 'view'
      ? getViewConfig(declaration.view).selectedFields
      : getTableColumns(declaration.table)
  for (const key of Object.keys(declaration.options.columns ?? {})) {
    if (!Object.hasOwn(own, key))
      problems.push(`table ${name}, columns: there is no column ${key}; take the line out`)
  }
}
