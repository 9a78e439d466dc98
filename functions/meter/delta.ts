import type { Kept } from '../../db/memory/isolate-budget.ts'
import type { NotedEvent } from '../core/events.ts'

/** Counts of a histogram's buckets that are not empty, and the sum of its values. */
export interface HistogramDelta {
  readonly buckets: readonly (readonly [bucket: number, count: number])[]
  readonly sum: number
}

/** What requests of one shape have cost. */
export interface ShapeCost {
  calls: number
  /** Time in databases, in milliseconds. */
  ms: number
  rowsRead: number
  rowsWritten: number
  rowsReturned: number
}

/** A request shape, with what index advice needs to know of it. */
export interface ShapeAbout {
  /** The query, without its operands. */
  readonly shape: string
  readonly method: string
  readonly table: string
  /** The statement of it that read most, with its parameters as they were once; null: none, or too large. */
  readonly statement: {
    readonly text: string
    readonly parameters: readonly (string | number | null)[]
  } | null
}

/** What one statement has cost since the last hand-over, with what it is. */
export interface ShapeDelta extends ShapeAbout, ShapeCost {}

/** What an isolate hands over. It is numbered, so that one that comes twice counts once. */
export interface Delta {
  readonly isolate: string
  /** A whole number; of one that was divided, the last part has it, and those before it have less and more than the number before. */
  readonly sequence: number
  readonly counters: Readonly<Record<string, number>>
  readonly histograms: Readonly<Record<string, HistogramDelta>>
  readonly shapes: readonly ShapeDelta[]
  readonly events: readonly NotedEvent[]
  /** What the isolate keeps at the moment, by keeper; left out by those that do not know. */
  readonly kept?: Readonly<Record<string, Kept>>
}
