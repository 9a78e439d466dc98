import type { Table } from '../catalog/catalog.ts'
import type { Claim } from './unique-values.ts'

/** A column, by itself, whose values are unique over all shards. */
export type UniqueColumn = Pick<Claim, 'table' | 'column'>

/** Columns of a table whose values are unique over all shards. */
export function uniqueColumnsOf(table: Table): UniqueColumn[] {
  return table.uniqueAcrossShards.flatMap((name) => {
    const column = table.columns.get(name)
    return column ? [{ table, column }] : []
  })
}
