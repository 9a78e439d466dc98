/**
 * Backups and restores as the primary database has them: what was asked for, and how far it has come.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import type { Part } from './format.ts'

export type RunState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'

/** Something that was asked for. */
export interface Run {
  readonly id: string
  /** `increment` is what was asked for: it may become a full backup. */
  readonly kind: 'full' | 'increment' | 'restore' | 'verify'
  readonly state: RunState
  /** JSON. */
  readonly asked: unknown
  readonly step: number
  /** JSON; null until it has begun. */
  readonly progress: unknown
  readonly error: string | null
  /** How often in a row a step has failed. */
  readonly failures: number
  readonly created: number
  readonly updated: number
}

const columns = 'id, kind, state, asked, step, progress, error, failures, created, updated'

function runOf(row: Row): Run {
  return {
    id: row.id as string,
    kind: row.kind as Run['kind'],
    state: row.state as RunState,
    asked: JSON.parse(row.asked as string),
    step: Number(row.step),
    progress: row.progress === null ? null : JSON.parse(row.progress as string),
    error: row.error as string | null,
    failures: Number(row.failures),
    created: Number(row.created),
    updated: Number(row.updated),
  }
}

/** What is under way or next. */
export async function nextRun(session: ClusterSession): Promise<Run | null> {
  const [rows = []] = await session.primary([
    {
      text: `SELECT ${columns} FROM _atoll_backups WHERE state IN ('waiting', 'running') ORDER BY state = 'waiting', created, id LIMIT 1`,
      parameters: [],
    },
  ])
  return rows[0] ? runOf(rows[0]) : null
}

/** All that are kept, the newest first. */
export async function listRuns(session: ClusterSession): Promise<Run[]> {
  const [rows = []] = await session.primary([
    {
      text: `SELECT ${columns} FROM _atoll_backups ORDER BY created DESC, id DESC LIMIT 200`,
      parameters: [],
    },
  ])
  return rows.map(runOf)
}

/** @returns null when there is none */
export async function readRun(session: ClusterSession, id: string): Promise<Run | null> {
  const [rows = []] = await session.primary([
    { text: `SELECT ${columns} FROM _atoll_backups WHERE id = ?1`, parameters: [id] },
  ])
  return rows[0] ? runOf(rows[0]) : null
}

/** Asks for something; it waits for its turn. */
export function insertRun(id: string, kind: Run['kind'], asked: object, now: number): BoundStatement {
  return {
    text: `INSERT INTO _atoll_backups (id, kind, state, asked, created, updated) VALUES (?1, ?2, 'waiting', ?3, CAST(?4 AS INTEGER), CAST(?4 AS INTEGER))`,
    parameters: [id, kind, JSON.stringify(asked), String(now)],
  }
}

/** How many of some kinds are not over. */
export async function openRuns(session: ClusterSession, kinds: readonly Run['kind'][]): Promise<number> {
  const [[row] = []] = await session.primary([
    {
      text: "SELECT count(*) AS n FROM _atoll_backups WHERE kind IN (SELECT value FROM json_each(?1)) AND state IN ('waiting', 'running')",
      parameters: [JSON.stringify(kinds)],
    },
  ])
  return Number(row?.n)
}

/** When the last good backup was begun, in milliseconds since 1970; null when none is remembered. */
export async function lastGoodBackup(session: ClusterSession): Promise<number | null> {
  const [[row] = []] = await session.primary([
    {
      text: "SELECT max(created) AS at FROM _atoll_backups WHERE kind IN ('full', 'increment') AND state = 'done'",
      parameters: [],
    },
  ])
  return (row?.at as number | null | undefined) ?? null
}

/** Somebody else has taken the same step. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken'
}

export interface Noted {
  readonly progress: object
  readonly state?: RunState
  readonly error?: string | null
  /** New parts, with their numbers. */
  readonly parts?: readonly (readonly [number: number, part: Part])[]
  /** All parts go first. */
  readonly dropsParts?: boolean
}

/**
 * Notes a step, unless another one was noted meanwhile.
 *
 * @throws Overtaken when one was
 */
export async function noteStep(session: ClusterSession, run: Run, noted: Noted, now: number): Promise<void> {
  const { progress, state = 'running', error = null, parts = [], dropsParts = false } = noted
  const isMine =
    "EXISTS (SELECT 1 FROM _atoll_backups WHERE id = ?1 AND step = CAST(?2 AS INTEGER) AND state IN ('waiting', 'running'))"
  const own = [run.id, String(run.step)]
  const results = await session.primary([
    ...(dropsParts
      ? [{ text: `DELETE FROM _atoll_backup_parts WHERE backup = ?1 AND ${isMine}`, parameters: own }]
      : []),
    ...parts.map(([number, part]) => ({
      text: `INSERT OR REPLACE INTO _atoll_backup_parts SELECT ?1, CAST(?3 AS INTEGER), ?4 WHERE ${isMine}`,
      parameters: [...own, String(number), JSON.stringify(part)],
    })),
    {
      text: `UPDATE _atoll_backups SET step = step + 1, progress = ?3, state = ?4, error = ?5, failures = 0, updated = CAST(?6 AS INTEGER) WHERE id = ?1 AND ${isMine} RETURNING id`,
      parameters: [...own, JSON.stringify(progress), state, error, String(now)],
    },
  ])
  if (results.at(-1)?.length !== 1) throw new Overtaken(`another one is at work on ${run.id}`)
}

/** Notes why a step has failed, and whether that is the end. */
export function noteFailure(id: string, error: string, isOver: boolean, now: number): BoundStatement {
  return {
    text: `UPDATE _atoll_backups SET error = ?2, failures = failures + 1, updated = CAST(?4 AS INTEGER), state = iif(?3 = '1', 'failed', state) WHERE id = ?1 AND state IN ('waiting', 'running')`,
    parameters: [id, error.slice(0, 2000), isOver ? '1' : '0', String(now)],
  }
}

/** Ends what is not over; answers with its id when it was not. */
export function cancelRun(id: string, now: number): BoundStatement {
  return {
    text: "UPDATE _atoll_backups SET state = 'cancelled', step = step + 1, updated = CAST(?2 AS INTEGER) WHERE id = ?1 AND state IN ('waiting', 'running') RETURNING id",
    parameters: [id, String(now)],
  }
}

/** The parts of a backup that is being made, in their order. */
export async function readParts(session: ClusterSession, id: string): Promise<Part[]> {
  const [rows = []] = await session.primary([
    { text: 'SELECT part FROM _atoll_backup_parts WHERE backup = ?1 ORDER BY number', parameters: [id] },
  ])
  return rows.map(({ part }) => JSON.parse(part as string) as Part)
}

export function dropParts(id: string): BoundStatement {
  return { text: 'DELETE FROM _atoll_backup_parts WHERE backup = ?1', parameters: [id] }
}
