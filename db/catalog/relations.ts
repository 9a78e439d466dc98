import type { Cardinality, ColumnPair, Relation } from './catalog.ts'

/** A foreign key between two tables or views that are both served. */
export interface Edge {
  readonly constraint: string
  readonly child: End
  readonly parent: End
}

export interface End {
  readonly table: string
  readonly isView: boolean
  /** The columns of the key, in its order. */
  readonly columns: readonly string[]
}

/** What relations need to know of a table or view. */
export interface KeyedTable {
  readonly primaryKey: readonly string[]
  readonly uniques: readonly { readonly columns: readonly string[] }[]
}

/**
 * Every relation that follows from the foreign keys: both directions of each, and many-to-many ones through a
 * join table whose primary key holds both of its foreign keys (the rule of PostgREST).
 */
export function relationsFrom(edges: readonly Edge[], tables: ReadonlyMap<string, KeyedTable>): Relation[] {
  return [...edges.flatMap((edge) => directRelations(edge, tables)), ...joinTableRelations(edges, tables)]
}

function directRelations(edge: Edge, tables: ReadonlyMap<string, KeyedTable>): Relation[] {
  const { child, parent, constraint } = edge
  const single = holdsUnique(tables.get(child.table), child.columns)
  const relation = (here: End, there: End, cardinality: Cardinality, forward: boolean): Relation => ({
    cardinality,
    from: here.table,
    to: there.table,
    toIsView: there.isView,
    constraint,
    forward,
    on: pairs(here.columns, there.columns),
    junction: null,
  })
  return [
    relation(child, parent, single ? 'one-to-one' : 'many-to-one', true),
    relation(parent, child, single ? 'one-to-one' : 'one-to-many', false),
  ]
}

function joinTableRelations(edges: readonly Edge[], tables: ReadonlyMap<string, KeyedTable>): Relation[] {
  const byChild = new Map<string, Edge[]>()
  for (const edge of edges) {
    const list = byChild.get(edge.child.table)
    if (list) list.push(edge)
    else byChild.set(edge.child.table, [edge])
  }
  const relations: Relation[] = []
  for (const [junction, keys] of byChild) {
    const primaryKey = tables.get(junction)?.primaryKey ?? []
    const inKey = keys.filter((edge) => edge.child.columns.every((column) => primaryKey.includes(column)))
    for (const first of inKey) {
      for (const second of inKey) {
        if (first === second || first.child.columns.join() === second.child.columns.join()) continue
        relations.push({
          cardinality: 'many-to-many',
          from: first.parent.table,
          to: second.parent.table,
          toIsView: second.parent.isView,
          constraint: first.constraint,
          forward: false,
          on: [],
          junction: {
            table: junction,
            fromConstraint: first.constraint,
            toConstraint: second.constraint,
            from: pairs(first.parent.columns, first.child.columns),
            to: pairs(second.child.columns, second.parent.columns),
          },
        })
      }
    }
  }
  return relations
}

/** Whether columns hold a unique key of a table, so that no two rows have the same. */
export function holdsUnique(table: KeyedTable | undefined, columns: readonly string[]): boolean {
  const covers = (key: readonly string[]) => key.length > 0 && key.every((column) => columns.includes(column))
  return (
    table !== undefined &&
    (covers(table.primaryKey) || table.uniques.some((unique) => covers(unique.columns)))
  )
}

function pairs(here: readonly string[], there: readonly string[]): ColumnPair[] {
  return here.map((column, i) => [column, there[i] as string])
}
