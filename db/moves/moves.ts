/**
 * Moves as the primary database has them: what is to move, and how far it has come.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import type { StrayLook } from './look-at.ts'
import { isMine } from './mover-token.ts'

/** Slots from the first to the last, both included. */
export type Slots = readonly [first: number, last: number]

/** What a move is at; the last three are its ends. */
export type MoveState = 'waiting' | 'running' | 'paused' | 'cancelling' | 'cancelled' | 'done' | 'failed'

/** Slots that are handed over together. */
export interface Piece {
  readonly first: number
  readonly last: number
  readonly rows: number
  /** The source's epoch before, and the map's once they are handed over. */
  readonly from: number
  readonly epoch: number
}

/** How far a move has come. Every step can be made again from what is noted here. */
export interface Progress {
  /** What the moved tables looked like when rows began to be copied; when that changes, they are copied anew. */
  readonly shape: string
  /** The source's epoch: when its slots change by another hand, rows are copied anew, as the change log does not tell of moves. */
  readonly epoch: number
  /** Whatever the source's change log says up to here is in staging. */
  readonly position: number
  /** Tables that are copied. */
  readonly tables: number
  /** The last rowid that was looked at of the next one, as text: integers of SQLite have 64 bits. */
  readonly after: string
  /** Rows that are copied at once, as they are large. */
  readonly chunk: number
  /** Rows that were looked at, whether they are to move or not, and how many there were in the beginning. */
  readonly looked: number
  readonly total: number
  readonly rows: number
  readonly bytes: number
  /** Rows that are handed over. */
  readonly handedRows: number
  /** How many changes the source's log was ahead at the last look. */
  readonly lag: number
  /** When it began to copy, and to hand over, in milliseconds since 1970; null: not yet. */
  readonly since: readonly [copying: number, handingOver: number | null]
  /** When marks of jobs' effects and of keys began to be copied, in milliseconds since 1970; null: not yet. */
  readonly marksFrom: number | null
  /** What is handed over, in order. */
  readonly handed: readonly Slots[]
  /** What is being handed over. */
  readonly piece: Piece | null
  /** Most rows of a piece, as fast as the last ones went. */
  readonly pieceRows: number
  readonly pauses: {
    readonly count: number
    readonly longestMs: number
    readonly lastMs: number
    readonly shortestMs: number
  }
  /** What is left at the source of slots that it does not have; null: nobody has looked yet. */
  readonly strays: StrayLook | null
  /** How often rows had to be copied from the beginning. */
  readonly restarts: number
}

/** Slots that are to move from one database to another. */
export interface Move {
  readonly id: string
  readonly source: string
  readonly target: string
  readonly ranges: readonly Slots[]
  readonly state: MoveState
  /** Null until it has begun. */
  readonly progress: Progress | null
  readonly error: string | null
  readonly created: number
  readonly updated: number
}

const columns = 'id, source, target, ranges, state, progress, error, created, updated'

function moveOf(row: Row): Move {
  return {
    id: row.id as string,
    source: row.source as string,
    target: row.target as string,
    ranges: JSON.parse(row.ranges as string) as Slots[],
    state: row.state as MoveState,
    progress: row.progress === null ? null : (JSON.parse(row.progress as string) as Progress),
    error: row.error as string | null,
    created: Number(row.created),
    updated: Number(row.updated),
  }
}

/** The move that is under way or next, in the order in which they were asked for; one that is paused lets others pass, but for slots that it has closed. */
export async function nextMove(session: ClusterSession): Promise<Move | null> {
  const [rows = []] = await session.primary([
    {
      // What has begun to be handed over comes first: its slots are closed.
      text: `SELECT ${columns} FROM _atoll_moves WHERE state IN ('waiting', 'running', 'cancelling') OR (state = 'paused' AND progress ->> 'piece' IS NOT NULL)
        ORDER BY progress ->> 'piece' IS NULL, state = 'waiting', created, id LIMIT 1`,
      parameters: [],
    },
  ])
  return rows[0] ? moveOf(rows[0]) : null
}

/** All that are kept, the newest first. */
export async function listMoves(session: ClusterSession, limit = 100): Promise<Move[]> {
  const [rows = []] = await session.primary([
    {
      text: `SELECT ${columns} FROM _atoll_moves ORDER BY created DESC, id DESC LIMIT CAST(?1 AS INTEGER)`,
      parameters: [String(limit)],
    },
  ])
  return rows.map(moveOf)
}

/** @returns null when there is none */
export async function readMove(session: ClusterSession, id: string): Promise<Move | null> {
  const [rows = []] = await session.primary([
    { text: `SELECT ${columns} FROM _atoll_moves WHERE id = ?1`, parameters: [id] },
  ])
  return rows[0] ? moveOf(rows[0]) : null
}

/** Asks for a move; it waits for its turn. */
export function insertMove({
  id,
  source,
  target,
  ranges,
  created,
}: Pick<Move, 'id' | 'source' | 'target' | 'ranges' | 'created'>): BoundStatement {
  return {
    text: `INSERT INTO _atoll_moves (id, source, target, ranges, state, created, updated) VALUES (?1, ?2, ?3, ?4, 'waiting', CAST(?5 AS INTEGER), CAST(?5 AS INTEGER))`,
    parameters: [id, source, target, JSON.stringify(ranges), String(created)],
  }
}

/** Takes a move from one of some states to another; answers with its id when it was in one. */
export function turnMove(id: string, from: readonly MoveState[], to: MoveState, now: number): BoundStatement {
  return {
    text: `UPDATE _atoll_moves SET state = ?2, updated = CAST(?4 AS INTEGER) WHERE id = ?1 AND state IN (SELECT value FROM json_each(?3)) RETURNING id`,
    parameters: [id, to, JSON.stringify(from), String(now)],
  }
}

/** Notes how far a move has come, if this mover may still say so. Whether it is to be paused or cancelled, others say. */
export function noteProgress(
  id: string,
  progress: Progress | null,
  token: number,
  now: number,
): BoundStatement[] {
  return [
    isMine(token),
    {
      text: `UPDATE _atoll_moves SET progress = ?2, error = NULL, updated = CAST(?3 AS INTEGER), state = iif(state = 'waiting', 'running', state) WHERE id = ?1`,
      parameters: [id, progress === null ? null : JSON.stringify(progress), String(now)],
    },
  ]
}

/** Notes why a move does not come on, or has failed. */
export function noteTrouble(id: string, error: string, isOver: boolean, now: number): BoundStatement {
  return {
    text: `UPDATE _atoll_moves SET error = ?2, updated = CAST(?4 AS INTEGER), state = iif(?3 = '1', 'failed', state) WHERE id = ?1`,
    parameters: [id, error.slice(0, 2000), isOver ? '1' : '0', String(now)],
  }
}
