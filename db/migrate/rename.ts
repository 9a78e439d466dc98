import { sameName } from '../sql/sql-tokens.ts'

/** A name that a migration changes, in the order in which it does. */
export type Rename =
  | { readonly kind: 'table'; readonly from: string; readonly to: string }
  | { readonly kind: 'column'; readonly table: string; readonly from: string; readonly to: string }

/** What a table and one of its columns were called before a list of renames. */
export function formerNames(
  renames: readonly Rename[],
  table: string,
  column: string,
): { readonly table: string; readonly column: string } {
  const former = { table, column }
  for (const rename of [...renames].reverse()) {
    if (rename.kind === 'table') {
      if (sameName(rename.to, former.table)) former.table = rename.from
    } else if (sameName(rename.table, former.table) && sameName(rename.to, former.column)) {
      former.column = rename.from
    }
  }
  return former
}
