import type { Column, Table } from '../../../db/catalog/catalog.ts'

/**
 * The column that a database would number by itself; null when it may, or there is none. Ids that say where their rows lie are made on
 * one database as on many, so that shards can be added.
 */
export function numberedColumn(table: Table, sharded: boolean): Column | null {
  if (table.placement.kind !== 'distributed' || (!sharded && table.ids === 'free')) return null
  return [...table.columns.values()].find((column) => column.default?.kind === 'rowid') ?? null
}
