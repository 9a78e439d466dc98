/**
 * What databases and the map say of slots while these change hands: statements that can be made again without harm.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import { readMapText } from '../slots/shard-map.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import { plain } from './cargo.ts'
import type { Slots } from './moves.ts'

/** Of a database: `open`, `closed` before it lets go, `arriving` before it may be asked. */
export type SlotState = 'open' | 'closed' | 'arriving'

/** Lets ranges begin and end where others do. */
function split(
  table: '_atoll_slots' | '_atoll_shard_map',
  column: 'state' | 'shard',
  [first, last]: Slots,
): BoundStatement[] {
  return [first, last + 1].flatMap((at) => [
    {
      text: `INSERT INTO ${table} (first, last, ${column}) SELECT CAST(?1 AS INTEGER), last, ${column} FROM ${table} WHERE first < CAST(?1 AS INTEGER) AND last >= CAST(?1 AS INTEGER)`,
      parameters: [String(at)],
    },
    {
      text: `UPDATE ${table} SET last = CAST(?1 AS INTEGER) - 1 WHERE first < CAST(?1 AS INTEGER) AND last >= CAST(?1 AS INTEGER)`,
      parameters: [String(at)],
    },
  ])
}

const bounds = ([first, last]: Slots) => [String(first), String(last)]
const within = 'first >= CAST(?1 AS INTEGER) AND last <= CAST(?2 AS INTEGER)'

/** Changes what a database says of the slots that it has of a range, those in one state alone. */
export function turnSlots(range: Slots, from: SlotState, to: SlotState): BoundStatement[] {
  return [
    ...split('_atoll_slots', 'state', range),
    {
      text: `UPDATE _atoll_slots SET state = ?4 WHERE ${within} AND state = ?3`,
      parameters: [...bounds(range), from, to],
    },
  ]
}

/** Condition: all slots of a range are in a state. Parameters: first, last, the state. */
export const allAre = `(SELECT ifnull(sum(last - first + 1), 0) FROM _atoll_slots WHERE ${within} AND state = ?3) = CAST(?2 AS INTEGER) - CAST(?1 AS INTEGER) + 1`

export function stateParameters(range: Slots, state: SlotState): string[] {
  return [...bounds(range), state]
}

export function dropSlots(range: Slots): BoundStatement {
  return { text: `DELETE FROM _atoll_slots WHERE ${within}`, parameters: bounds(range) }
}

export function addSlots(range: Slots, state: SlotState): BoundStatement {
  return {
    text: 'INSERT INTO _atoll_slots (first, last, state) VALUES (CAST(?1 AS INTEGER), CAST(?2 AS INTEGER), ?3)',
    parameters: [...bounds(range), state],
  }
}

/** In which states a database has slots of a range. */
export async function statesOf(
  session: ClusterSession,
  database: string,
  range: Slots,
): Promise<ReadonlySet<string>> {
  const [rows = []] = await session.on(database, [
    {
      text: 'SELECT DISTINCT state FROM _atoll_slots WHERE first <= CAST(?2 AS INTEGER) AND last >= CAST(?1 AS INTEGER)',
      parameters: bounds(range),
    },
  ])
  return new Set(rows.map(({ state }) => state as string))
}

/** A database's slots have changed by now. */
export function setEpoch(epoch: number): BoundStatement {
  return { text: 'UPDATE _atoll_shard SET epoch = CAST(?1 AS INTEGER)', parameters: [String(epoch)] }
}

/**
 * The map says what the databases say by now: who owns a range, and at which epochs the two are.
 *
 * @param epochs of the source and of the target, as these say
 */
export function remap(
  range: Slots,
  target: string,
  epochs: readonly (readonly [database: string, epoch: number])[],
): BoundStatement[] {
  const newest = Math.max(...epochs.map(([, epoch]) => epoch))
  return [
    ...split('_atoll_shard_map', 'shard', range),
    {
      text: `UPDATE _atoll_shard_map SET shard = ?3 WHERE ${within}`,
      parameters: [...bounds(range), target],
    },
    {
      text: 'INSERT OR REPLACE INTO _atoll_shards (name, epoch) SELECT value ->> 0, value ->> 1 FROM json_each(?1)',
      parameters: [JSON.stringify(epochs)],
    },
    {
      text: 'UPDATE _atoll_cluster SET epoch = max(epoch, CAST(?1 AS INTEGER))',
      parameters: [String(newest)],
    },
    ...joined('_atoll_shard_map', 'shard'),
  ]
}

/** Neighbours that say the same become one range. */
function joined(table: '_atoll_slots' | '_atoll_shard_map', column: 'state' | 'shard'): BoundStatement[] {
  const before = `SELECT 1 FROM ${table} AS b WHERE b.last = a.first - 1 AND b.${column} = a.${column}`
  const next = `SELECT min(c.last) FROM ${table} AS c WHERE c.${column} = a.${column} AND c.last >= a.first AND NOT EXISTS (SELECT 1 FROM ${table} AS d WHERE d.first = c.last + 1 AND d.${column} = c.${column})`
  return [
    plain(`UPDATE ${table} AS a SET last = (${next}) WHERE NOT EXISTS (${before})`),
    plain(
      `DELETE FROM ${table} AS a WHERE EXISTS (SELECT 1 FROM ${table} AS b WHERE b.first < a.first AND b.last >= a.last)`,
    ),
  ]
}

export const joinSlots: readonly BoundStatement[] = joined('_atoll_slots', 'state')

/** The epoch of the map and of a database's slots. */
export async function epochOf(session: ClusterSession, database: string): Promise<number> {
  const [rows = []] = await session.on(database, [plain('SELECT epoch FROM _atoll_shard')])
  return Number(rows[0]?.epoch)
}

/** The map's row, for `parseMap`. */
export async function readMapRow(session: ClusterSession): Promise<Row | undefined> {
  const [rows = []] = await session.primary([plain(readMapText)])
  return rows[0]
}

/** A database's epoch, and the slots that it has. */
export async function slotsOf(
  session: ClusterSession,
  database: string,
): Promise<{ readonly epoch: number; readonly slots: readonly Slots[] }> {
  const [[shard] = [], rows = []] = await session.on(database, [
    plain('SELECT epoch FROM _atoll_shard'),
    plain('SELECT first, last FROM _atoll_slots ORDER BY first'),
  ])
  return {
    epoch: Number(shard?.epoch),
    slots: rows.map(({ first, last }): Slots => [Number(first), Number(last)]),
  }
}
