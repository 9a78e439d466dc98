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

function make(table: Table, role: string, catalog: Catalog): Table {
  const columns = columnsSeen(table, role)
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
    search,
  }
}

function columnsSeen(table: Table | undefined, role: string): ReadonlySet<string> {
  return table?.rights.get(role)?.select?.columns ?? new Set()
}

/** Of tables that the role may not select anything of, the columns do not matter: embedding them is refused. */
function isSeen(relation: Relation, here: ReadonlySet<string>, role: string, catalog: Catalog): boolean {
  const mayShow = (table: string, column: string) => {
    const columns = columnsSeen(catalog.tables.get(table), role)
    return columns.size === 0 || columns.has(column)
  }
  const { junction, to } = relation
  if (!junction) return relation.on.every(([from, there]) => here.has(from) && mayShow(to, there))
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
    if (columnsSeen(catalog.tables.get(to), role).size > 0) return true
    if (met.has(to)) return false
    met.add(to)
    return true
  })
}
