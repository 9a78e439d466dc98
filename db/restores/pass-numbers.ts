import { type Catalog, keyColumn } from '../catalog/catalog.ts'
import { goOnBehind, greatestOf, restoredRoom } from '../cluster/sequences.ts'
import type { ClusterSession } from '../cluster/session.ts'
import type { RepairNote } from './repair-note.ts'

/** Lets the numbers of every table go on behind all ids that any shard has. */
export async function passNumbers(
  session: ClusterSession,
  catalog: Catalog,
  tell: (note: RepairNote) => void,
): Promise<void> {
  const [rows = []] = await session.primary([
    { text: 'SELECT name, next FROM _atoll_sequences', parameters: [] },
  ])
  for (const { name, next } of rows) {
    const table = catalog.tables.get(name as string)
    const key = table && keyColumn(table)
    if (!table || !key || table.placement.kind !== 'distributed') continue
    const greatest = await greatestOf(session, table, key.name, true)
    await goOnBehind(session, table, greatest, restoredRoom())
    tell({ kind: 'numbers', table: table.name, next: Math.max(Number(next), greatest + 1) })
  }
}
