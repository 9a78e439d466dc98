/**
 * What `/shards/v1` answers with: databases, moves and plans as JSON.
 * @module
 */
import type { Conversion } from '../../db/conversions/conversion.ts'
import { backOf } from '../../db/moves/cancel-move.ts'
import type { Move, MoveState, Slots } from '../../db/moves/moves.ts'
import { partDone, slotsIn } from '../../db/moves/pieces.ts'
import type { PlannedMove } from '../../db/moves/plan-moves.ts'

/** A move as `/shards/v1` and the commands show it. */
export interface ShownMove {
  readonly id: string
  readonly from: string
  readonly to: string
  /** `0-99,200` */
  readonly slots: string
  readonly state: MoveState
  /** What it is at: waiting, copying, handing over, or cancelled and going back; null when it is over. */
  readonly phase: 'waiting' | 'copying' | 'handing over' | 'going back' | null
  /** From 0 to 1: rows that were looked at to be copied are the first half, slots that are handed over the other. */
  readonly done: number
  /** Rows that are copied, and bytes. */
  readonly rows: number
  readonly bytes: number
  /** Rows a second that it has copied, or handed over when it is at that; null as long as that is not known. */
  readonly rowsPerSecond: number | null
  /** How many changes of the source it has yet to follow. */
  readonly lag: number
  /** Pieces that were handed over, and for how long their slots were closed. */
  readonly pauses: { readonly count: number; readonly longestMs: number; readonly lastMs: number }
  /** When it is expected to end, by what it has done so far; null as long as that is not known. */
  readonly expectedEnd: string | null
  readonly error: string | null
  /** Rows that were found at the source after it, whose slots are not there. */
  readonly strays: number
  /** Of a move that was cancelled: the one that brings back what was handed over; null when nothing was. */
  readonly back: ShownMove | null
  readonly created: string
  readonly updated: string
}

export function shownSlots(ranges: readonly Slots[]): string {
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',')
}

function shownMove(move: Move): ShownMove {
  const { progress, state, created, updated } = move
  const isOver = state === 'done' || state === 'cancelled' || state === 'failed'
  const phase = isOver
    ? null
    : progress === null
      ? 'waiting'
      : progress.since[1] === null
        ? 'copying'
        : 'handing over'
  const { count = 0, longestMs = 0, lastMs = 0 } = progress?.pauses ?? {}
  return {
    id: move.id,
    from: move.source,
    to: move.target,
    slots: shownSlots(move.ranges),
    state,
    phase,
    done: state === 'done' ? 1 : partDone(move, progress),
    rows: progress?.rows ?? 0,
    bytes: progress?.bytes ?? 0,
    ...paceOf(move, isOver),
    lag: isOver ? 0 : (progress?.lag ?? 0),
    pauses: { count, longestMs, lastMs },
    error: move.error,
    strays: progress?.strays?.found ?? 0,
    back: null,
    created: new Date(created).toISOString(),
    updated: new Date(updated).toISOString(),
  }
}

/** How fast it is, and when it will be done if it goes on like that. What is to come takes as long as what was. */
function paceOf(move: Move, isOver: boolean): Pick<ShownMove, 'rowsPerSecond' | 'expectedEnd'> {
  const { progress, updated } = move
  if (progress === null) return { rowsPerSecond: null, expectedEnd: null }
  const [copying, handingOver] = progress.since
  const ms = updated - (isOver ? copying : (handingOver ?? copying))
  const rows = isOver || handingOver === null ? progress.rows : progress.handedRows
  const done = partDone(move, progress)
  const left = done > 0 && !isOver ? ((updated - copying) / done) * (1 - done) : null
  return {
    rowsPerSecond: ms > 0 && rows > 0 ? Math.round((rows * 1000) / ms) : null,
    expectedEnd: left === null ? null : new Date(updated + left).toISOString(),
  }
}

/** Moves, each with what brings it back as one thing. */
export function shownMoves(moves: readonly Move[]): ShownMove[] {
  const shown = new Map(moves.map((move) => [move.id, shownMove(move)]))
  const backs = new Set([...shown.keys()].map(backOf))
  const whole = (move: ShownMove): ShownMove => {
    const back = shown.get(backOf(move.id))
    return back === undefined ? move : withBack(move, whole(back))
  }
  return [...shown.values()].filter(({ id }) => !backs.has(id)).map(whole)
}

/** A move that is cancelled is over when what was handed over is back. */
function withBack(move: ShownMove, back: ShownMove): ShownMove {
  const isOver = back.phase === null
  return {
    ...move,
    state: isOver ? (back.state === 'done' ? 'cancelled' : 'failed') : 'cancelling',
    phase: isOver ? null : 'going back',
    done: back.state === 'done' ? 0 : move.done * (1 - back.done),
    pauses: {
      count: move.pauses.count + back.pauses.count,
      longestMs: Math.max(move.pauses.longestMs, back.pauses.longestMs),
      lastMs: back.pauses.lastMs || move.pauses.lastMs,
    },
    expectedEnd: back.expectedEnd,
    rowsPerSecond: back.rowsPerSecond,
    lag: back.lag,
    error: back.error ?? move.error,
    updated: back.updated,
    back,
  }
}

/** A conversion as `/shards/v1` and the commands show it. */
export interface ShownConversion {
  readonly id: string
  readonly tables: readonly { readonly table: string; readonly from: string; readonly to: string }[]
  readonly state: Conversion['state']
  /** Tables change no sooner. */
  readonly notBefore: string
  readonly isCancelled: boolean
  /** For how long nobody was answered while tables changed, in milliseconds; null: not yet. */
  readonly pausedMs: number | null
  readonly error: string | null
  readonly created: string
  readonly updated: string
}

export function shownConversion({
  id,
  tables,
  state,
  notBefore,
  isCancelled,
  pausedMs,
  error,
  created,
  updated,
}: Conversion): ShownConversion {
  return {
    id,
    tables: tables.map(({ table, from, to }) => ({ table, from, to })),
    state,
    notBefore: new Date(notBefore).toISOString(),
    isCancelled,
    pausedMs,
    error,
    created: new Date(created).toISOString(),
    updated: new Date(updated).toISOString(),
  }
}

/** A move that a rebalance or a drain would make. */
export interface ShownPlan {
  readonly from: string
  readonly to: string
  readonly slots: string
  readonly slotCount: number
  /** What is expected to go along, as far as slots of a database are alike. */
  readonly bytes: number
  /** How long it is expected to take, and for how long slots will be closed at most, by what earlier moves took; null when there were none. */
  readonly seconds: number | null
  readonly longestPauseMs: number | null
}

/** What a conversion would do. */
export interface PlannedConversion {
  readonly tables: readonly {
    readonly table: string
    readonly from: string
    readonly to: string
    readonly rows: number
  }[]
  /** Slots that come to the primary database first, and go back to where they were. */
  readonly moves: readonly ShownPlan[]
  readonly bytes: number
  /** For how long nobody is answered while tables change, by what the last one took; null when there was none. */
  readonly pausedMs: number | null
}

/** The last conversion, and tables that wait for one. */
export interface ConversionStatus {
  readonly conversion: ShownConversion | null
  readonly pending: readonly {
    readonly table: string
    readonly from: string
    readonly to: string
    /** Null where they were not to be counted. */
    readonly rows: number | null
  }[]
}

/** @param bytesPerSlot of the source @param before moves that were made */
export function shownPlan(
  { source, target, ranges }: PlannedMove,
  bytesPerSlot: number,
  before: readonly Move[],
): ShownPlan {
  const slotCount = slotsIn(ranges)
  const bytes = Math.round(bytesPerSlot * slotCount)
  const done = before.filter(({ state, progress }) => state === 'done' && progress !== null)
  const slotsMoved = done.reduce((sum, { ranges }) => sum + slotsIn(ranges), 0)
  const ms = done.reduce((sum, { progress, updated }) => sum + updated - (progress?.since[0] ?? updated), 0)
  return {
    from: source,
    to: target,
    slots: shownSlots(ranges),
    slotCount,
    bytes,
    seconds: slotsMoved === 0 ? null : Math.ceil((slotCount * ms) / slotsMoved / 1000),
    longestPauseMs:
      done.length === 0 ? null : Math.max(...done.map(({ progress }) => progress?.pauses.longestMs ?? 0)),
  }
}

/** @returns null for a text that names no slots */
export function readSlots(text: string): Slots[] | null {
  const ranges = text.split(',').map((part): Slots | null => {
    const [, first, last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? []
    const range = [Number(first), Number(last)] as const
    return first !== undefined && range[0] <= range[1] && range[1] < 16_384 ? range : null
  })
  return ranges.every((range) => range !== null) ? ranges : null
}
