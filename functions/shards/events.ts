import { type Emit, emitter } from '../core/events.ts'

/** A step of a move of slots has failed; it is made again in a while. */
export interface MoveFailedEvent {
  readonly kind: 'move-failed'
  readonly error: unknown
}

/** Tables lie elsewhere from now on, or stay where they are. */
export interface ConversionEndedEvent {
  readonly kind: 'conversion-ended'
  readonly tables: readonly string[]
  readonly outcome: string
  /** For how long nobody was answered, in milliseconds; null: tables did not come to change. */
  readonly pausedMs: number | null
  readonly error: string | null
}

/** All that is told to the log of moves. */
export type ShardsEvent = MoveFailedEvent | ConversionEndedEvent

export const emit: Emit<ShardsEvent> = emitter<ShardsEvent>()
