/**
 * What happens to databases between two backups that no change log tells of: slots move, and a migration changes rows.
 * @module
 */
import type { DatabaseSync } from 'node:sqlite'
import { addSlots, dropSlots, joinSlots, remap, setEpoch, turnSlots } from '../../db/moves/slot-states.ts'
import type { ShardMap, SlotRange } from '../../db/slots/shard-map.ts'
import { slotOf } from '../../db/slots/slots.ts'
import type { BoundStatement } from '../../db/sql/statement.ts'
import { transact } from './memory-database.ts'

const run = (database: DatabaseSync, statements: readonly BoundStatement[]) =>
  transact(database, statements, (text) => text)
const plain = (text: string, ...parameters: string[]): BoundStatement => ({ text, parameters })

/** Changes that the log tells nothing of, as moves, restores and migrations make them. */
function quiet(database: DatabaseSync, statements: readonly BoundStatement[]): void {
  const [[end] = []] = run(database, [
    plain("SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = '_atoll_changes'), 0) AS n"),
  ])
  run(database, [
    plain('PRAGMA defer_foreign_keys = ON'),
    ...statements,
    plain('DELETE FROM _atoll_changes WHERE sequence > CAST(?1 AS INTEGER)', String(end?.n)),
  ])
}

/** Moves the slot of an owner from one database to another, with its rows. @returns the map as it is then */
export function moveSlot(
  databases: ReadonlyMap<string, DatabaseSync>,
  [from, to]: readonly [string, string],
  slot: number,
  epoch: number,
): ShardMap {
  const [source, target, primary] = [from, to, 'DB'].map((name) => databases.get(name) as DatabaseSync) as [
    DatabaseSync,
    DatabaseSync,
    DatabaseSync,
  ]
  const all = source.prepare('SELECT id, email FROM owners').all() as { id: string; email: string }[]
  const owners = all.filter(({ id }) => slotOf(id) === slot)
  const ids = JSON.stringify(owners.map(({ id }) => id))
  const own = 'owner IN (SELECT value FROM json_each(?1))'
  const items = source.prepare(`SELECT id, owner, above, n, note FROM items WHERE ${own}`).all(ids)
  const range = [slot, slot] as const
  quiet(target, [
    plain(
      "INSERT INTO owners SELECT value ->> 'id', value ->> 'email' FROM json_each(?1)",
      JSON.stringify(owners),
    ),
    ...items.map((item) => ({
      text: 'INSERT INTO items (id, owner, above, n, note) VALUES (?1, ?2, ?3, CAST(?4 AS INTEGER), ?5)',
      parameters: [item.id, item.owner, item.above, String(item.n), item.note] as string[],
    })),
    addSlots(range, 'open'),
    ...joinSlots,
    setEpoch(epoch),
  ])
  quiet(source, [
    plain(`DELETE FROM items WHERE ${own}`, ids),
    plain('DELETE FROM owners WHERE id IN (SELECT value FROM json_each(?1))', ids),
    ...turnSlots(range, 'open', 'open'),
    dropSlots(range),
    setEpoch(epoch),
  ])
  run(
    primary,
    remap(range, to, [
      [from, epoch],
      [to, epoch],
    ]),
  )
  const ranges = primary
    .prepare('SELECT first, last, shard FROM _atoll_shard_map ORDER BY first')
    .all() as unknown as SlotRange[]
  return { epoch, ranges, epochs: new Map([...databases.keys()].map((name) => [name, epoch] as const)) }
}

/** A migration that changes rows of a database, and no log. */
export function migrate(database: DatabaseSync, name: string): void {
  quiet(database, [
    plain('INSERT INTO d1_migrations (name) VALUES (?1)', name),
    plain("UPDATE items SET note = 'migrated' WHERE n % 3 = 0"),
  ])
}

/** The log is cut off behind whoever keeps it. */
export function cutLog(database: DatabaseSync): void {
  run(database, [
    plain(
      'DELETE FROM _atoll_changes WHERE sequence <= ifnull((SELECT min(sequence) FROM _atoll_cursors), 9e18)',
    ),
  ])
}
