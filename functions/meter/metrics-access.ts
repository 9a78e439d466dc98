/**
 * What isolates ask of the store of what is measured.
 * @module
 */
import type { NotedEvent } from '../core/events.ts'
import type { Delta, ShapeDelta } from './delta.ts'
import type { Measures } from './merge.ts'
import type { Family } from './series.ts'

/** What was measured in a stretch of time. */
export interface Point {
  /** Seconds since 1970 at which it begins. */
  readonly at: number
  readonly measures: Measures
}

/** What isolates keep of one kind. */
export interface KeptBy {
  /** That have said so lately. */
  readonly isolates: number
  /** Of all of them, and of the one that has most. */
  readonly bytes: number
  readonly mostBytes: number
  readonly entries: number
}

/** The store as isolates ask it. Totals are of all isolates since the store began. */
export interface MetricsAccess {
  record(delta: Delta): Promise<void>
  totals(): Promise<Measures>
  /** Points of so many seconds that begin at or after a time; only some families of them, where it is said. */
  points(step: number, from: number, families?: readonly Family[]): Promise<readonly Point[]>
  shapes(days: number): Promise<readonly ShapeDelta[]>
  events(): Promise<readonly NotedEvent[]>
  /** What isolates keep that have handed over lately, by keeper. */
  kept(): Promise<Readonly<Record<string, KeptBy>>>
}
