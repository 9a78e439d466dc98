import type { Catalog, Relation, Table } from '../../db/catalog/catalog.ts'

const kept = new WeakMap<Table, Map<string, Table>>()

/**
 * A table as a role sees it: only the columns that it may select, and only the relations that begin and end in such
 * columns. Everything that requests name is looked up here, so that what a role may not see is to it as if it were
 * not there, and errors say the same of both.
 */
export function seenTable(table: Table, role: string, catalog: Catalog): Table {
  // Roles are made up by whoever signs tokens: only those that have rights are remembered.
  if (!table.rights.has(role)) return make(table, role, catalog)
  let byRole = kept.get(table)
  if (!byRole) {
    byRole = new Map()
    kept.set(table, byRole)
  }
  let seen = byRole.get(role)
  if (!seen) {
    seen = make(table, role, catalog)
    byRole.set(role, seen)
  }
  return seen
}

/** The same with all of its columns, for rows that a function shows to a role which may not select any itself. */
export function seenWhole(table: Table, role: string, catalog: Catalog): Table {
  return make(table, role, catalog, new Set(table.columns.keys()))
}

function make(
  table: Table,
  role: string,
  catalog: Catalog,
  columns: ReadonlySet<string> = columnsSeen(table, role) ?? new Set(),
): Table {
  const search = table.search && {
    ...table.search,
    columns: table.search.columns.filter((column) => columns.has(column)),
  }
  return {
    ...table,
    columns: new Map([...table.columns].filter(([name]) => columns.has(name))),
    relations: withoutDeniedTwins(
      table.relations.filter((relation) => isSeen(relation, columns, role, catalog)),
      role,
      catalog,
    ),
    declared: table.declared.filter((relation) => isSeen(relation, columns, role, catalog)),
    search,
  }
}

/** Columns that the role may select; null when it may not select at all. */
function columnsSeen(table: Table | undefined, role: string): ReadonlySet<string> | null {
  return table?.rights.get(role)?.select?.columns ?? null
}

/**
 * Of tables that the role may not select anything of, the columns do not matter: embedding them is refused. A join table
 * that it may not select is not there at all.
 */
function isSeen(relation: Relation, here: ReadonlySet<string>, role: string, catalog: Catalog): boolean {
  const mayShow = (table: string, column: string) =>
    columnsSeen(catalog.tables.get(table), role)?.has(column) ?? true
  const { junction, rule, to } = relation
  if (rule) {
    const { columns, reads } = rule
    // What its SQL reads besides must be there for the role, as a join table must.
    if (reads.some((table) => columnsSeen(catalog.tables.get(table), role) === null)) return false
    if (!columns.here.every((column) => here.has(column))) return false
    if (!columns.there.every((column) => mayShow(to, column))) return false
    if (!columns.others.every(([table, column]) => mayShow(table, column))) return false
  }
  if (!junction) return relation.on.every(([from, there]) => here.has(from) && mayShow(to, there))
  if (columnsSeen(catalog.tables.get(junction.table), role) === null) return false
  return (
    junction.from.every(([from, there]) => here.has(from) && mayShow(junction.table, there)) &&
    junction.to.every(([from, there]) => mayShow(junction.table, from) && mayShow(to, there))
  )
}

/** That several relations lead to a denied table is not told: one is enough to be refused by. */
function withoutDeniedTwins(
  relations: readonly Relation[],
  role: string,
  catalog: Catalog,
): readonly Relation[] {
  const met = new Set<string>()
  return relations.filter(({ to }) => {
    if (columnsSeen(catalog.tables.get(to), role) !== null) return true
    if (met.has(to)) return false
    met.add(to)
    return true
  })
}
