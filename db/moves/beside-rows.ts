/**
 * What travels beside rows when slots change hands: lookup entries of unique values, revoked tokens, marks of jobs' effects, keys of writes, and
 * jobs that are not over.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import { pieces } from '../cluster/unique-values.ts'
import { slotExpression } from '../slots/slot-expression.ts'
import { slotOf } from '../slots/slots.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import { isMine, refuseUnless } from './mover-token.ts'
import type { Slots } from './moves.ts'
import type { Carrier } from './staging.ts'

/** Rows as JSON arrays that fit into one parameter each. */
function listsOf(rows: readonly string[]): string[] {
  return pieces(rows, ({ length }) => length).map((list) => `[${list.join(',')}]`)
}

const jsonOf = (columns: readonly string[]) => `json_array(${columns.join(', ')})`
const outOf = (columns: readonly string[]) => columns.map((_, i) => `value ->> ${i}`).join(', ')

// --- lookup entries --------------------------------------------------------------------------------------------------

const entryColumns = ['name', 'value', 'home', 'slot', 'token', 'at']

/** Statements that lay the entries that are at home in closed slots at the target. */
export async function entriesAtHome(
  { session, move }: Carrier,
  [first, last]: Slots,
): Promise<BoundStatement[]> {
  const [rows = []] = await session.on(move.source, [
    {
      text: `SELECT ${jsonOf(entryColumns)} AS r FROM _atoll_unique WHERE home BETWEEN CAST(?1 AS INTEGER) AND CAST(?2 AS INTEGER)`,
      parameters: [String(first), String(last)],
    },
  ])
  return listsOf(rows.map(({ r }) => r as string)).map((list) => ({
    text: `INSERT OR REPLACE INTO _atoll_unique (${entryColumns.join(', ')}) SELECT ${outOf(entryColumns)} FROM json_each(?1)`,
    parameters: [list],
  }))
}

export function dropEntries([first, last]: Slots): BoundStatement {
  return {
    text: 'DELETE FROM _atoll_unique WHERE home BETWEEN CAST(?1 AS INTEGER) AND CAST(?2 AS INTEGER)',
    parameters: [String(first), String(last)],
  }
}

// --- marks -----------------------------------------------------------------------------------------------------------

/** What says nothing of slots goes as a whole, and stays where it was as well. */
const marks = [
  {
    table: '_atoll_unique_tokens',
    columns: ['token', 'state', 'at'],
    order: 'token',
    conflict: 'ON CONFLICT DO UPDATE SET state = excluded.state, at = max(at, excluded.at)',
  },
  {
    table: '_atoll_job_effects',
    columns: ['job', 'effect', 'at'],
    order: 'job, effect',
    conflict: 'ON CONFLICT DO NOTHING',
  },
  {
    table: '_atoll_idempotency',
    columns: ['scope', 'key', 'attempt', 'fingerprint', 'state', 'part', 'answer', 'at', 'until'],
    order: 'scope, key, attempt',
    // What is done somewhere is done.
    conflict:
      "ON CONFLICT DO UPDATE SET state = 'done', part = excluded.part, answer = excluded.answer, until = excluded.until WHERE state <> 'done' AND excluded.state = 'done'",
  },
] as const

const marksAtOnce = 500
/** Of what is copied a second time, how much older than the first time it may be: attempts of writes are over by then, and clocks differ. */
const marksMarginMs = 900_000

/** Copies marks, all of them or those since a time. */
export async function copyMarks({ session, move, token }: Carrier, since: number | null): Promise<void> {
  const from = since === null ? 0 : since - marksMarginMs
  const copy = async ({ table, columns, order, conflict }: (typeof marks)[number]) => {
    let after: string | null = null
    for (;;) {
      const keys = order.split(', ')
      const behind =
        after === null ? '' : ` AND (${order}) > (${keys.map((_, i) => `?2 ->> ${i}`).join(', ')})`
      const [rows = []]: readonly (readonly Row[])[] = await session.on(move.source, [
        {
          text: `SELECT ${jsonOf(columns)} AS r, ${jsonOf(keys)} AS k FROM ${table} WHERE at >= CAST(?1 AS INTEGER)${behind} ORDER BY ${order} LIMIT ${marksAtOnce}`,
          parameters: after === null ? [String(from)] : [String(from), after],
        },
      ])
      if (rows.length === 0) break
      await session.on(move.target, [
        isMine(token),
        ...listsOf(rows.map(({ r }) => r as string)).map((list) => ({
          text: `INSERT INTO ${table} (${columns.join(', ')}) SELECT ${outOf(columns)} FROM json_each(?1) WHERE true ${conflict}`,
          parameters: [list],
        })),
      ])
      if (rows.length < marksAtOnce) break
      after = rows.at(-1)?.k as string
    }
  }
  await Promise.all(marks.map(copy))
}

// --- jobs ------------------------------------------------------------------------------------------------------------

const jobColumns = [
  'id',
  'name',
  'queue',
  'state',
  'due',
  'payload',
  'value',
  'lane',
  'key',
  'key_until',
  'created',
  'deadline',
  'sends',
  'attempts',
  'token',
  'lapsed',
  'cancel',
  'percent',
  'note',
  'error',
  'places',
] as const

/** Jobs about rows of closed slots that are not over, as they were when they were read. */
export interface JobsOnBoard {
  readonly ids: readonly string[]
  /** They are as they were, and no others have come. */
  readonly unchanged: BoundStatement
  /** Puts them into staging. */
  readonly staged: readonly BoundStatement[]
}

const fingerprint = 'json_array(id, state, attempts, token, cancel, due)'

export async function jobsOf({ session, move, token }: Carrier, range: Slots): Promise<JobsOnBoard> {
  const [first, last] = range
  const [rows = [], [end] = []] = await session.on(move.source, [
    {
      text: `SELECT id, value, sequence, ${jsonOf(jobColumns)} AS r, ${fingerprint} AS f, (SELECT json_group_array(json_array(step, result)) FROM _atoll_job_steps WHERE job = id) AS steps FROM _atoll_jobs WHERE finished IS NULL AND value IS NOT NULL ORDER BY sequence`,
      parameters: [],
    },
    {
      text: "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = '_atoll_jobs'), 0) AS n",
      parameters: [],
    },
  ])
  const own = rows.filter(({ value }) => {
    const slot = slotOf(value as string)
    return first <= slot && slot <= last
  })
  const staged = own.flatMap((row) => [
    `["_atoll_jobs","${String(row.sequence).padStart(16, '0')}",${row.r}]`,
    ...(row.steps === '[]' ? [] : [`["_atoll_job_steps",${JSON.stringify(row.id)},${row.steps}]`]),
  ])
  return {
    ids: own.map(({ id }) => id as string),
    unchanged: refuseUnless(
      'changed',
      'jobs',
      `(SELECT count(*) FROM _atoll_jobs WHERE ${fingerprint} IN (SELECT value FROM json_each(?1))) = json_array_length(?1)
       AND NOT EXISTS (SELECT 1 FROM _atoll_jobs WHERE sequence > CAST(?2 AS INTEGER) AND finished IS NULL AND value IS NOT NULL AND ${slotExpression('value')} BETWEEN CAST(?3 AS INTEGER) AND CAST(?4 AS INTEGER))`,
      [JSON.stringify(own.map(({ f }) => f)), String(end?.n ?? 0), String(first), String(last)],
    ),
    staged: [
      isMine(token),
      {
        text: "DELETE FROM _atoll_incoming WHERE move = ?1 AND name GLOB '_atoll_*'",
        parameters: [move.id],
      },
      ...listsOf(staged).map((list) => ({
        text: 'INSERT INTO _atoll_incoming (move, name, key, slot, row) SELECT ?1, value ->> 0, value ->> 1, CAST(?3 AS INTEGER), value -> 2 FROM json_each(?2)',
        parameters: [move.id, list, String(first)],
      })),
    ],
  }
}

/** Takes jobs away at the source, with their steps. */
export function dropJobs(ids: readonly string[]): BoundStatement[] {
  if (ids.length === 0) return []
  const parameters = [JSON.stringify(ids)]
  return [
    { text: 'DELETE FROM _atoll_job_steps WHERE job IN (SELECT value FROM json_each(?1))', parameters },
    // All of a lane go: none of them is to be let go here.
    {
      text: 'UPDATE _atoll_jobs SET lane = NULL WHERE id IN (SELECT value FROM json_each(?1)) AND lane IS NOT NULL',
      parameters,
    },
    { text: 'DELETE FROM _atoll_jobs WHERE id IN (SELECT value FROM json_each(?1))', parameters },
  ]
}

/**
 * Lets jobs out of staging, in their order. Those that were on their way to a queue are sent again, from here; of one that runs, the lease
 * must be over first.
 */
export function landJobs(move: string, now: number): BoundStatement[] {
  const value = (name: (typeof jobColumns)[number]) => `row ->> ${jobColumns.indexOf(name)}`
  const columns = jobColumns.map((name) => {
    if (name === 'state') return `iif(${value(name)} = 'sent', 'waiting', ${value(name)})`
    if (name === 'due') return `iif(${value('state')} = 'sent', CAST(?2 AS INTEGER), ${value(name)})`
    // Keys count on one database: one that is taken here is given up.
    if (name === 'key')
      return `iif(EXISTS (SELECT 1 FROM _atoll_jobs AS j WHERE j.name = ${value('name')} AND j.key = ${value('key')}), NULL, ${value(name)})`
    return value(name)
  })
  return [
    {
      text: `INSERT OR IGNORE INTO _atoll_jobs (${jobColumns.join(', ')}) SELECT ${columns.join(', ')} FROM _atoll_incoming WHERE move = ?1 AND name = '_atoll_jobs' ORDER BY key`,
      parameters: [move, String(now)],
    },
    {
      text: "INSERT OR IGNORE INTO _atoll_job_steps (job, step, result) SELECT i.key, s.value ->> 0, s.value ->> 1 FROM _atoll_incoming AS i, json_each(i.row) AS s WHERE i.move = ?1 AND i.name = '_atoll_job_steps'",
      parameters: [move],
    },
    { text: "DELETE FROM _atoll_incoming WHERE move = ?1 AND name GLOB '_atoll_*'", parameters: [move] },
  ]
}

/** An index by which entries are found by their home, for as long as slots move away from a database. */
export const indexEntries: BoundStatement = {
  text: 'CREATE INDEX IF NOT EXISTS _atoll_unique_home ON _atoll_unique (home)',
  parameters: [],
}
export const unindexEntries: BoundStatement = {
  text: 'DROP INDEX IF EXISTS _atoll_unique_home',
  parameters: [],
}

/** How many jobs a database has that are not over. */
export async function openJobs(session: ClusterSession, database: string): Promise<number> {
  const [rows = []] = await session.on(database, [
    { text: 'SELECT count(*) AS n FROM _atoll_jobs WHERE finished IS NULL', parameters: [] },
  ])
  return Number(rows[0]?.n)
}
