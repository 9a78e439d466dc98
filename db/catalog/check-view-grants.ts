import { is, SQL, Table } from 'drizzle-orm'
import { getViewConfig } from 'drizzle-orm/sqlite-core'
import type { Draft } from './draft.ts'
import type { TableRights } from './grants.ts'

/**
 * A view is granted by itself, as in PostgreSQL: the policies of the tables that it reads are not asked. So that
 * nobody shows by a view what a policy hides, a role that sees only some rows or columns of a table must be given a
 * condition on every view that reads it.
 */
export function checkViewGrants(
  draft: Draft,
  rights: ReadonlyMap<string, TableRights>,
  problems: string[],
): void {
  if (draft.declaration.kind !== 'view') return
  const tables = new Set(Object.values(draft.sources).map(([table]) => table))
  tablesIn(getViewConfig(draft.declaration.view).query, tables)
  // Which tables a view in plain SQL reads cannot be seen: it may read any.
  const isOpaque = tables.size === 0
  const candidates = isOpaque ? [...rights.keys()].filter((name) => name !== draft.name) : [...tables]
  for (const [role, { select }] of rights.get(draft.name) ?? []) {
    if (select === null) continue
    for (const [column, [table, source]] of Object.entries(draft.sources)) {
      const below = rights.get(table)?.get(role)?.select
      if (!below || below.columns.has(source) || !select.columns.has(column)) continue
      problems.push(
        `view ${draft.name}, role ${role}, select: it shows the column ${source} of ${table}, which the role does not see; ` +
          `list the view's columns without it`,
      )
    }
    if (select.where.kind !== 'all') continue
    const hidden = candidates.find((table) => rights.get(table)?.get(role)?.select?.where.kind === 'rule')
    if (hidden === undefined) continue
    problems.push(
      `view ${draft.name}, role ${role}, select: it shows every row, and the role sees only some rows of ${hidden}` +
        `${isOpaque ? ', which the view may read' : ''}; ` +
        `give the view a condition of its own, or () => true when that is meant`,
    )
  }
}

function tablesIn(chunk: unknown, tables: Set<string>): void {
  if (Array.isArray(chunk)) for (const part of chunk) tablesIn(part, tables)
  else if (is(chunk, SQL)) tablesIn(chunk.queryChunks, tables)
  else if (is(chunk, Table)) {
    tables.add((chunk as unknown as Record<symbol, string>)[Symbol.for('drizzle:OriginalName')] as string)
  }
}
