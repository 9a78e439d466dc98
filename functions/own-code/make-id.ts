import { getTableName } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { type Catalog, keyColumn, type Table } from '../../db/catalog/catalog.ts'
import { routedId } from '../../db/catalog/declarations.ts'
import { nextNumbers } from '../../db/cluster/sequences.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { makeRoutedId, makeRoutedNumber } from '../../db/slots/slots.ts'

/**
 * A new id for a row, as the data API would give it.
 *
 * @param slot of the row; null: the id itself says where it lies
 * @throws Error for a column that is no such key
 */
export async function makeId(
  catalog: Catalog,
  column: SQLiteColumn,
  slot: number | null,
  session: ClusterSession,
): Promise<string | number> {
  const name = getTableName(column.table)
  const table = catalog.tables.get(name)
  const key = table && keyColumn(table)
  if (!table || !key || key.name !== column.name || !isMade(table, key.name, slot)) {
    throw new Error(
      slot === null
        ? `${name}.${column.name} is no key that a table is distributed by`
        : `${name}.${column.name} is no key that carries its row's slot`,
    )
  }
  if (key.type === 'text') return slot === null ? routedId() : makeRoutedId(slot)
  const [number = 0] = await nextNumbers(session, table, key.name, 1)
  return slot === null ? number : makeRoutedNumber(slot, number)
}

/** Whether ids of this key are made with a slot, or pick one. */
function isMade({ ids, placement }: Table, key: string, slot: number | null): boolean {
  return slot === null ? placement.kind === 'distributed' && placement.by === key : ids === 'routed'
}
