/**
 * Those who read the change log of a database: each has a cursor, and the log is cut off behind the last of them.
 * @module
 */

import { quoteText } from '../sql/quote.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import type { ClusterSession } from './session.ts'

/** `cache` replaces generations, `jobs` starts jobs, `realtime` tells sockets, moves of slots carry along what changes, and backups read it again. */
export type Consumer = 'cache' | 'jobs' | 'realtime' | `move:${string}` | `backup:${string}`

const cursorOf = (consumer: Consumer) =>
  `ifnull((SELECT sequence FROM _atoll_cursors WHERE consumer = ${quoteText(consumer)}), 0)`

/** The next changes that a consumer has not seen. */
export function readChanges(columns: string, consumer: Consumer, limit: number): string {
  return `SELECT ${columns} FROM _atoll_changes WHERE sequence > ${cursorOf(consumer)} ORDER BY sequence LIMIT ${limit}`
}

/** Notes that a consumer has seen all changes up to one. */
export function advance(consumer: Consumer, upTo: number): BoundStatement {
  return {
    text: 'INSERT INTO _atoll_cursors VALUES (?1, CAST(?2 AS INTEGER)) ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence)',
    parameters: [consumer, String(upTo)],
  }
}

/** Fails, and with it its transaction, when a consumer's cursor is elsewhere: another one has worked in its name. */
export function cursorIsAt(consumer: Consumer, sequence: number): BoundStatement {
  return {
    text: `INSERT INTO _atoll_guard SELECT 'atoll/cursor' WHERE ${cursorOf(consumer)} <> CAST(?1 AS INTEGER)`,
    parameters: [String(sequence)],
  }
}

/** Where a consumer's cursor is. */
export function readCursor(consumer: Consumer): BoundStatement {
  return { text: `SELECT ${cursorOf(consumer)} AS sequence`, parameters: [] }
}

/** Tells by a row up to where changes were dropped that a consumer had not seen. */
export function lostChanges(consumer: Consumer): BoundStatement {
  return {
    text: `SELECT sequence FROM _atoll_cursors WHERE consumer = ${quoteText(`${consumer}:lost`)}`,
    parameters: [],
  }
}

/** Notes that a consumer has done what must be done about lost changes. */
export function foundLost(consumer: Consumer, upTo: number): BoundStatement {
  return {
    text: 'DELETE FROM _atoll_cursors WHERE consumer = ?1 AND sequence <= CAST(?2 AS INTEGER)',
    parameters: [`${consumer}:lost`, String(upTo)],
  }
}

/** How long and how large a log may grow behind a consumer that does not come on. */
export interface LogBounds {
  readonly maxAgeMs: number
  readonly maxRows: number
  /** How long changes stay that all consumers have seen, in milliseconds. Default: not at all. */
  readonly keepMs?: number
}

/** Changes that were dropped before a consumer had seen them. */
export interface DroppedChanges {
  readonly consumer: Consumer
  readonly upTo: number
}

/**
 * Cuts the log off behind the last of its consumers. A consumer that stays behind by more than the bounds loses changes, so
 * that the database does not fill up; it is noted that it did.
 */
export async function pruneChanges(
  session: ClusterSession,
  database: string,
  consumers: readonly Consumer[],
  bounds: LogBounds,
  now = Date.now(),
): Promise<DroppedChanges[]> {
  const [found = []] = await session.on(database, [
    {
      text: `SELECT ifnull((SELECT max(sequence) FROM _atoll_changes), 0) AS last, ifnull((SELECT min(sequence) FROM _atoll_changes), 0) AS first,
        ifnull((SELECT at FROM _atoll_changes ORDER BY sequence LIMIT 1), 0) AS at,
        (SELECT json_group_object(consumer, sequence) FROM _atoll_cursors) AS cursors`,
      parameters: [],
    },
  ])
  const { last, first, at, cursors } = found[0] as Row
  if (last === 0) return []
  const known = JSON.parse(cursors as string) as Record<string, number>
  const passing = Object.keys(known).filter(
    (name) => /^(?:move|backup):/.test(name) && !name.endsWith(':lost'),
  )
  const seen = [...consumers, ...(passing as Consumer[])].map((consumer) => ({
    consumer,
    sequence: known[consumer] ?? 0,
  }))
  const { keepMs = 0 } = bounds
  const old = keepMs > 0 ? await lastBefore(session, database, now - keepMs) : Number(last)
  const passed = Math.min(Number(last), old, ...seen.map(({ sequence }) => sequence))
  const bySize = Number(last) - bounds.maxRows
  const byAge =
    Number(at) < now - bounds.maxAgeMs ? await lastBefore(session, database, now - bounds.maxAgeMs) : 0
  const upTo = Math.max(passed, bySize, byAge)
  if (upTo < Number(first)) return []
  const dropped = seen.filter(({ sequence }) => sequence < upTo).map(({ consumer }) => ({ consumer, upTo }))
  // A long log is cut off in several transactions: others write meanwhile.
  for (let to = Number(first) + prunedAtOnce; to < upTo; to += prunedAtOnce) {
    if (to < passed) await session.on(database, cutOff(to))
  }
  await session.on(database, [
    ...dropped.flatMap(({ consumer }) => [
      {
        text: 'INSERT OR REPLACE INTO _atoll_cursors VALUES (?1, CAST(?2 AS INTEGER))',
        parameters: [`${consumer}:lost`, String(upTo)],
      },
      advance(consumer, upTo),
    ]),
    ...cutOff(upTo),
  ])
  return dropped
}

const prunedAtOnce = 10_000

/** With a note of where, for those who come back to a position. */
function cutOff(upTo: number): BoundStatement[] {
  return [
    {
      text: 'DELETE FROM _atoll_changes WHERE sequence <= CAST(?1 AS INTEGER)',
      parameters: [String(upTo)],
    },
    {
      text: "INSERT INTO _atoll_cursors VALUES ('cut', CAST(?1 AS INTEGER)) ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence)",
      parameters: [String(upTo)],
    },
  ]
}

async function lastBefore(session: ClusterSession, database: string, at: number): Promise<number> {
  // Times follow the order of the log but for a clock that was put back, which costs no more than a few rows' age.
  const [rows = []] = await session.on(database, [
    {
      text: 'SELECT ifnull(max(sequence), 0) AS sequence FROM _atoll_changes WHERE at < CAST(?1 AS INTEGER)',
      parameters: [String(at)],
    },
  ])
  return Number(rows[0]?.sequence ?? 0)
}

/** Tells by a row that a consumer has not seen all changes up to one. Numbers of the log may lack: what only moves is taken out of it again. */
export function isBehind(consumer: Consumer, upTo: number): BoundStatement {
  return {
    text: `SELECT 1 FROM _atoll_changes WHERE sequence > ${cursorOf(consumer)} AND sequence <= CAST(?1 AS INTEGER) LIMIT 1`,
    parameters: [String(upTo)],
  }
}
