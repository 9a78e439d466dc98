/**
 * The change log, as those read it who tell of changes and who look up what somebody has missed.
 * @module
 */
import { type LoggedChange, loggedChangeOf } from '../../db/changes/change-log.ts'
import { readChanges } from '../../db/cluster/consumers.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import type { BoundStatement } from '../../db/sql/statement.ts'

const columns = 'sequence, name, key, value, operation, at, columns, old, new'

/** Changes that are looked at in one transaction, and bytes of values that they hold: an isolate has 128 MB. */
const changesAtOnce = 200
const bytesAtOnce = 2_000_000

const bounded = (changes: string) =>
  `SELECT ${columns} FROM (SELECT *, sum(ifnull(octet_length(old), 0) + ifnull(octet_length(new), 0)) OVER (ORDER BY sequence
  ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) AS bytes_before FROM (${changes})) WHERE ifnull(bytes_before, 0) <= ${bytesAtOnce}`

/** The next changes that realtime has not told, the first in any case. */
export const nextChanges: BoundStatement = {
  text: bounded(readChanges('*', 'realtime', changesAtOnce)),
  parameters: [],
}

/** Where the log ends, also when its end was cut off; and up to where it was. */
export const logBounds: BoundStatement = {
  text: `SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = '_atoll_changes'), 0) AS last,
    ifnull((SELECT sequence FROM _atoll_cursors WHERE consumer = 'cut'), 0) AS cut`,
  parameters: [],
}

export interface LogBounds {
  readonly last: number
  readonly cut: number
}

export async function readLogBounds(session: ClusterSession, database: string): Promise<LogBounds> {
  const [rows = []] = await session.on(database, [logBounds])
  return { last: Number(rows[0]?.last), cut: Number(rows[0]?.cut) }
}

/** Changes behind one position, up to another; as many as are looked at at once. */
export async function changesBetween(
  session: ClusterSession,
  database: string,
  after: number,
  upTo: number,
): Promise<readonly LoggedChange[]> {
  const all = `SELECT * FROM _atoll_changes WHERE sequence > CAST(?1 AS INTEGER) AND sequence <= CAST(?2 AS INTEGER) ORDER BY sequence LIMIT ${changesAtOnce}`
  const [rows = []] = await session.on(database, [
    { text: bounded(all), parameters: [String(after), String(upTo)] },
  ])
  return rows.map(loggedChangeOf)
}
