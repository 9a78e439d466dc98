/**
 * Moves slots between databases behind every router's back: closes them, then copies what is in them and opens them
 * elsewhere in one transaction, takes them away in another, and tells the map. Until it is told, questions to all shards are
 * refused, so that none sees rows twice.
 */

import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { writtenColumns } from '../../db/catalog/catalog.ts'
import { slotOf } from '../../db/slots/slots.ts'
import { endPermitsText, permitAllText } from '../../db/system/permits.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { databases as all } from './one-and-many.ts'

type Databases = typeof all
type Name = keyof Databases

interface Range {
  readonly first: number
  readonly last: number
}

/** The first slots that a database owns. */
export async function firstRange(name: Name): Promise<Range> {
  const range = await all[name].prepare('SELECT first, last FROM _atoll_slots ORDER BY first').first<Range>()
  if (!range) throw new Error(`${name} owns no slots`)
  return range
}

const distributed = [...buildCatalog(tables).tables.values()].flatMap((table) =>
  table.placement.kind === 'distributed'
    ? [{ name: table.name, by: table.placement.by, columns: writtenColumns(table).map(({ name }) => name) }]
    : [],
)

/** @param closed called when the slots are closed, and open nowhere yet */
export async function moveSlots(
  databases: Databases,
  range: Range,
  from: Name,
  to: Name,
  closed: () => Promise<void> = async () => undefined,
): Promise<void> {
  const [source, target] = [databases[from], databases[to]]
  const epoch =
    Number(await databases.DB.prepare('SELECT epoch FROM _atoll_cluster').first<number>('epoch')) + 1
  const inRange = (slot: number) => slot >= range.first && slot <= range.last
  await source.prepare("UPDATE _atoll_slots SET state = 'closed' WHERE first = ?").bind(range.first).run()
  await closed()
  const moved: { readonly table: string; readonly by: string; readonly values: readonly unknown[] }[] = []
  const copies: D1PreparedStatement[] = [
    target.prepare('PRAGMA defer_foreign_keys = ON'),
    target.prepare(permitAllText),
  ]
  for (const { name, by, columns } of distributed) {
    const { results } = await source.prepare(`SELECT * FROM ${name}`).all<Record<string, unknown>>()
    const rows = results.filter((row) => inRange(slotOf(String(row[by]))))
    moved.push({ table: name, by, values: rows.map((row) => row[by]) })
    const values = columns.map((column) => `value->>'${column}'`).join(', ')
    copies.push(
      target
        .prepare(`INSERT INTO ${name} (${columns.join(', ')}) SELECT ${values} FROM json_each(?)`)
        .bind(JSON.stringify(rows)),
    )
  }
  const entries = await source
    .prepare('SELECT * FROM _atoll_unique WHERE home BETWEEN ? AND ?')
    .bind(range.first, range.last)
    .all<Record<string, unknown>>()
  const tokens = await source.prepare('SELECT * FROM _atoll_unique_tokens').all<Record<string, unknown>>()
  await target.batch([
    ...copies,
    target.prepare(endPermitsText),
    target
      .prepare(
        "INSERT OR REPLACE INTO _atoll_unique SELECT value->>'name', value->>'value', value->>'home', value->>'slot', value->>'token', value->>'at' FROM json_each(?)",
      )
      .bind(JSON.stringify(entries.results)),
    target
      .prepare(
        "INSERT OR IGNORE INTO _atoll_unique_tokens SELECT value->>'token', value->>'state', value->>'at' FROM json_each(?)",
      )
      .bind(JSON.stringify(tokens.results)),
    target.prepare('INSERT INTO _atoll_slots (first, last) VALUES (?, ?)').bind(range.first, range.last),
    target.prepare('UPDATE _atoll_shard SET epoch = ?').bind(epoch),
  ])
  await source.batch([
    source.prepare('DELETE FROM _atoll_slots WHERE first = ?').bind(range.first),
    source.prepare('DELETE FROM _atoll_unique WHERE home BETWEEN ? AND ?').bind(range.first, range.last),
    source.prepare('UPDATE _atoll_shard SET epoch = ?').bind(epoch),
    source.prepare('PRAGMA defer_foreign_keys = ON'),
    ...moved.map(({ table, by, values }) =>
      source
        .prepare(`DELETE FROM ${table} WHERE ${by} IN (SELECT value FROM json_each(?))`)
        .bind(JSON.stringify(values)),
    ),
  ])
  await databases.DB.batch([
    databases.DB.prepare('UPDATE _atoll_shard_map SET shard = ? WHERE first = ?').bind(to, range.first),
    databases.DB.prepare('UPDATE _atoll_shards SET epoch = ? WHERE name IN (?, ?)').bind(epoch, from, to),
    databases.DB.prepare('UPDATE _atoll_cluster SET epoch = ?').bind(epoch),
  ])
}
