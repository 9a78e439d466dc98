/**
 * Which rows on shards may refer to rows of which reference tables.
 * @module
 */
import type { Catalog, ColumnPair, Table } from '../catalog/catalog.ts'
import { referenceTables } from './reference-triggers.ts'

/** A foreign key of a distributed table to a reference table. */
export interface Referrer {
  readonly child: Table
  readonly parent: Table
  /** Its columns: the child's, the parent's. */
  readonly on: readonly ColumnPair[]
}

/** Foreign keys of distributed tables that name rows of reference tables. */
export function referrersOf(catalog: Catalog): Referrer[] {
  const parents = new Map(referenceTables(catalog).map((table) => [table.name, table]))
  return [...catalog.tables.values()]
    .filter(({ kind, placement }) => kind === 'table' && placement.kind === 'distributed')
    .flatMap((child) =>
      child.relations.flatMap(({ forward, junction, to, on }): Referrer[] => {
        const parent = parents.get(to)
        return parent && forward && junction === null ? [{ child, parent, on }] : []
      }),
    )
}

/** The columns of a reference table that rows on shards refer to; none when none do. */
export function referredColumns(catalog: Catalog, { name }: Table): string[] {
  const own = referrersOf(catalog).filter(({ parent }) => parent.name === name)
  return [...new Set(own.flatMap(({ on }) => on.map(([, column]) => column)))]
}

/** Whether rows refer to this table that lie on shards. */
export function isReferred(catalog: Catalog, table: Table): boolean {
  return referredColumns(catalog, table).length > 0
}
