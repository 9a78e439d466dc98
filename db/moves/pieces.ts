/**
 * Pieces: how many of a move's slots are handed over at once. While they are, nobody reads or writes them, so pieces are made as large as
 * the last ones were fast.
 * @module
 */
import type { Move, Progress, Slots } from './moves.ts'

/** How long slots of a piece should be closed, in milliseconds; what is measured scatters, so it is half of what may be. */
const wantedPauseMs = 250
/** Rows of the first piece, and of any at least and at most. */
export const firstRows = 500
const [fewestRows, mostRows] = [200, 5000]
/** Bytes of a piece's rows: one transaction lays them. */
const mostBytes = 4_000_000

/** What staging has of a slot. */
export interface StagedSlot {
  readonly slot: number
  readonly rows: number
  readonly bytes: number
}

/** What is left of some ranges without others. */
export function without(ranges: readonly Slots[], taken: readonly Slots[]): Slots[] {
  return taken.reduce<Slots[]>(
    (left, [first, last]) =>
      left.flatMap(([from, to]): Slots[] => {
        if (last < from || first > to) return [[from, to]]
        return [[from, first - 1] as const, [last + 1, to] as const].filter(([a, b]) => a <= b)
      }),
    [...ranges],
  )
}

/** What is in some ranges and in others. */
export function both(ranges: readonly Slots[], others: readonly Slots[]): Slots[] {
  return without(ranges, without(ranges, others))
}

/** The next slots to be handed over, of those that are left: no more rows than a piece may have, but one slot at least. Null: all are. */
export function nextPiece(
  left: readonly Slots[],
  staged: readonly StagedSlot[],
  maxRows: number,
): { readonly slots: Slots; readonly rows: number } | null {
  const [range] = left
  if (!range) return null
  const [first, last] = range
  let [rows, bytes] = [0, 0]
  for (const one of staged) {
    if (one.slot < first || one.slot > last) continue
    if (rows > 0 && (rows + one.rows > maxRows || bytes + one.bytes > mostBytes)) {
      return { slots: [first, one.slot - 1], rows }
    }
    rows += one.rows
    bytes += one.bytes
  }
  return { slots: [first, last], rows }
}

/** What is known of pauses after one more. */
export function withPause(before: Progress['pauses'], ms: number): Progress['pauses'] {
  return {
    count: before.count + 1,
    longestMs: Math.max(before.longestMs, ms),
    lastMs: ms,
    shortestMs: before.count === 0 ? ms : Math.min(before.shortestMs, ms),
  }
}

/**
 * How many rows the next piece may have after one that took so long.
 *
 * @param shortestMs what a piece takes at least, however few rows it has: fewer rows do not make that shorter
 */
export function rowsAfter(before: number, rows: number, pauseMs: number, shortestMs: number): number {
  const perRow = Math.max(1, pauseMs - shortestMs) / Math.max(1, rows)
  const room = Math.max(wantedPauseMs - shortestMs, wantedPauseMs / 2)
  const fit = rows < before / 4 ? before : room / perRow
  return Math.round(Math.max(fewestRows, Math.min(mostRows, fit, before * 2)))
}

/** How many slots some ranges have. */
export function slotsIn(ranges: readonly Slots[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)
}

/** What part of a move is done, from 0 to 1: rows that were looked at are the first half, slots that are handed over the other. */
export function partDone({ ranges }: Pick<Move, 'ranges'>, progress: Progress | null): number {
  if (progress === null) return 0
  const { since, looked, total, handed } = progress
  const isCopied = since[1] !== null
  const copied = isCopied ? 1 : Math.min(1, looked / Math.max(1, total))
  return (copied + slotsIn(handed) / Math.max(1, slotsIn(ranges))) / 2
}
