/**
 * Finds databases that were put back in time. What a database looks like is kept where a restore of it does not reach: by its relay, whose
 * storage is no database's, and by other databases. `README.md` tells why that finds each of them.
 * @module
 */

import { restoredRoom } from '../cluster/sequences.ts'
import type { ClusterSession } from '../cluster/session.ts'
import type { BoundStatement } from '../sql/statement.ts'
import { isOlder, latestOf, readSeen, repairKey, type Seen, seenOf } from './positions.ts'

/** What a relay remembers of its database. */
export interface Memory {
  get(): Promise<Seen | null>
  put(seen: Seen): Promise<void>
}

/** A restore that was noticed. */
export interface Restore {
  readonly database: string
  /** As it was last seen before, and as it was found. */
  readonly before: Seen
  readonly found: Seen
  /** The life that it begins. */
  readonly incarnation: string
}

/** What is still to be done about a restore, as its database notes it. */
export interface Repair {
  /** Steps that are left, the next first. */
  readonly steps: readonly string[]
  /** Where the next one has come to; null: it has not begun. */
  readonly at: string | null
}

export interface Noticed {
  /** Null when nothing was found now. */
  readonly restore: Restore | null
  readonly repair: Repair | null
  /** The database as it is now. */
  readonly now: Seen
}

/** Fails, and with it its transaction, when a database was put back in time since it was looked at. */
export function isStill({ tick, mark }: Seen): BoundStatement {
  return {
    text: "INSERT INTO _atoll_guard SELECT 'atoll/cursor' WHERE NOT EXISTS (SELECT 1 FROM _atoll_incarnation WHERE tick = CAST(?1 AS INTEGER) AND mark = ?2)",
    parameters: [String(tick), mark],
  }
}

/**
 * Sequences go on so far behind what was last seen: more than can have been given out since then.
 */
export const room = 1_000_000

/**
 * Compares a database with what was seen of it, and lets it be seen as it is now.
 *
 * @param asks whether others are asked, too, and see it as it is now; else it is only compared with what its relay has seen
 * @param isCertain whether a request has found that it went back
 * @param stepsOf what must be repaired when it did
 */
export async function noticeRestore(
  session: ClusterSession,
  database: string,
  memory: Memory,
  stepsOf: () => readonly string[],
  { asks = true, isCertain = false }: { readonly asks?: boolean; readonly isCertain?: boolean } = {},
): Promise<Noticed> {
  const writing = session.writing()
  const { cluster } = session
  const isPrimary = database === cluster.primary
  const [[row] = []] = await writing.on(database, [readSeen(isPrimary)])
  if (!row) throw new Error(`${database} does not know itself: run npm run db:migrate`)
  const found = seenOf(row)
  const own = await memory.get()
  const witnesses = asks ? await witnessesOf(writing, database) : []
  const known = own === null ? witnesses : [own, ...witnesses]
  const repair = typeof row.repair === 'string' ? (JSON.parse(row.repair) as Repair) : null
  if (isCertain || known.some((seen) => isOlder(found, seen))) {
    const before = latestOf(known.length === 0 ? [{ ...found, at: 0 }] : known, found)
    const incarnation = crypto.randomUUID()
    const steps = stepsOf()
    const now = await beginRepair(writing, database, isPrimary, found, before, { incarnation, steps })
    await letSee(writing, database, memory, now)
    return { restore: { database, before, found, incarnation }, repair: { steps, at: null }, now }
  }
  if (!asks) return { restore: null, repair, now: found }
  const gaps = known.length === 0 ? [] : (latestOf(known, found).gaps ?? [])
  const others = await changesOfOthers(writing, database)
  const isKnown = known.some(({ positions }) => JSON.stringify(positions) === JSON.stringify(found.positions))
  const isNew = !isKnown || own?.others !== others
  // What has not changed is not written again, so that a cluster where nothing happens is left alone.
  if (isNew || own === null || own.tick !== found.tick) {
    const ticked = isNew ? await tick(writing, database, found) : found
    if (ticked) await letSee(writing, database, memory, { ...ticked, gaps, others })
    return { restore: null, repair, now: ticked ?? found }
  }
  return { restore: null, repair, now: found }
}

/** Moves the tick on, unless somebody else has done so in between. */
async function tick(session: ClusterSession, database: string, found: Seen): Promise<Seen | null> {
  const mark = crypto.randomUUID()
  const [rows = []] = await session.on(database, [
    {
      text: 'UPDATE _atoll_incarnation SET tick = tick + 1, mark = ?1 WHERE tick = CAST(?2 AS INTEGER) AND mark = ?3 RETURNING tick',
      parameters: [mark, String(found.tick), found.mark],
    },
  ])
  return rows.length === 0 ? null : { ...found, tick: found.tick + 1, mark }
}

/** Databases that see another: all shards the primary one, which sees all shards. */
function seenBy({ cluster }: ClusterSession, database: string): readonly string[] {
  return database === cluster.primary ? cluster.shards : [cluster.primary]
}

async function witnessesOf(session: ClusterSession, database: string): Promise<Seen[]> {
  const outcomes = await session.onAll(seenBy(session, database), [
    { text: 'SELECT seen FROM _atoll_witnesses WHERE database = ?1', parameters: [database] },
  ])
  return outcomes.flatMap((outcome) =>
    'error' in outcome
      ? []
      : (outcome.results[0] ?? []).map(({ seen }) => JSON.parse(seen as string) as Seen),
  )
}

/** How far all other databases together are seen to have logged changes. */
async function changesOfOthers(session: ClusterSession, database: string): Promise<number> {
  const isPrimary = database === session.cluster.primary
  const own = "ifnull((SELECT seq FROM sqlite_sequence WHERE name = '_atoll_changes'), 0)"
  const [rows = []] = await session.primary([
    {
      text: `SELECT ${isPrimary ? '0' : own} + ifnull((SELECT sum(seen->>'$.positions.changes') FROM _atoll_witnesses WHERE database <> ?1), 0) AS n`,
      parameters: [database],
    },
  ])
  return Number(rows[0]?.n ?? 0)
}

/** Keeps what was seen wherever it can be kept; who cannot be reached is told the next time. */
async function letSee(session: ClusterSession, database: string, memory: Memory, seen: Seen): Promise<void> {
  await memory.put(seen)
  await session.onAll(seenBy(session, database), [
    {
      text: 'INSERT INTO _atoll_witnesses VALUES (?1, CAST(?2 AS INTEGER), ?3) ON CONFLICT DO UPDATE SET tick = excluded.tick, seen = excluded.seen WHERE excluded.tick >= tick',
      parameters: [database, String(seen.tick), JSON.stringify(seen)],
    },
  ])
}

/**
 * In one transaction the database begins another life: its logs and numbers go on behind all that was ever given out, and it notes what is to
 * be repaired. Until that is done, nothing is promised by it that others may have: numbers and unique values.
 */
async function beginRepair(
  session: ClusterSession,
  database: string,
  isPrimary: boolean,
  found: Seen,
  before: Seen,
  { incarnation, steps }: { readonly incarnation: string; readonly steps: readonly string[] },
): Promise<Seen> {
  const { positions } = before
  const changes = positions.changes + room
  const references = positions.references + room
  const repair: Repair = { steps, at: null }
  const gaps = [...(before.gaps ?? []), [before.at, found.at] as const].slice(-maxGaps)
  const next = {
    gaps,
    incarnation,
    tick: Math.max(before.tick, found.tick) + 1,
    mark: crypto.randomUUID(),
  }
  const numbers = Object.entries(positions.numbers).map(([table, number]) => [table, number + restoredRoom()])
  await session.on(database, [
    // Of two at the same time, one fails.
    isStill(found),
    ...renumbered(gaps, changes),
    ...goOn('_atoll_changes', changes),
    ...goOn('_atoll_jobs', positions.jobs + room),
    ...(isPrimary
      ? [
          // What was logged since copies nobody: all are laid anew.
          { text: 'DELETE FROM _atoll_reference_log', parameters: [] },
          ...goOn('_atoll_reference_log', references),
          {
            text: `INSERT INTO _atoll_sequences (name, next) SELECT value->>0, value->>1 FROM json_each(?1) WHERE true
 ON CONFLICT DO UPDATE SET next = max(next, excluded.next)`,
            parameters: [JSON.stringify(numbers)],
          },
        ]
      : []),
    {
      text: 'UPDATE _atoll_incarnation SET incarnation = ?1, tick = CAST(?2 AS INTEGER), mark = ?3',
      parameters: [next.incarnation, String(next.tick), next.mark],
    },
    {
      text: `INSERT OR REPLACE INTO _atoll_state VALUES ('${repairKey}', ?1)`,
      parameters: [JSON.stringify(repair)],
    },
  ])
  const [[row] = []] = await session.on(database, [readSeen(isPrimary)])
  // What happened since is seen the next time: no more than was just begun may be told of it.
  return row ? { ...seenOf(row), ...next } : { ...found, ...next }
}

/** Restores whose times are remembered. */
const maxGaps = 50

/**
 * Changes that were logged since the database was put back have numbers that others had before: from the first of them on they are given new
 * ones, so that whoever knows changes by their numbers does not take them for known. What is older was seen under its number, and keeps it.
 */
function renumbered(gaps: NonNullable<Seen['gaps']>, to: number): BoundStatement[] {
  const first = `(SELECT min(c.sequence) FROM _atoll_changes AS c WHERE c.at > CAST(?3 AS INTEGER) OR EXISTS (SELECT 1 FROM json_each(?1) AS g WHERE c.at > g.value->>0 AND c.at <= g.value->>1))`
  const parameters = [JSON.stringify(gaps), String(to), String(gaps.at(-1)?.[0] ?? 0)]
  return ['_atoll_cursors', '_atoll_changes'].map((table) => ({
    text: `UPDATE ${table} SET sequence = sequence + CAST(?2 AS INTEGER) WHERE sequence >= ${first}`,
    parameters,
  }))
}

/** Lets a table's sequence go on behind a number. */
function goOn(table: string, behind: number): BoundStatement[] {
  return [
    {
      text: 'INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)',
      parameters: [table],
    },
    {
      text: `UPDATE sqlite_sequence SET seq = max(seq, CAST(?2 AS INTEGER), ifnull((SELECT max(sequence) FROM ${table}), 0)) WHERE name = ?1`,
      parameters: [table, String(behind)],
    },
  ]
}
