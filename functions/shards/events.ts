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

/** After a move, rows lie on the source whose slots it does not have: nobody is shown them but those who ask all databases. */
export interface RowsAstrayEvent {
  readonly kind: 'rows-astray'
  readonly database: string
  readonly count: number
}

/** All that is told to the log of moves. */
export type ShardsEvent = MoveFailedEvent | ConversionEndedEvent | RowsAstrayEvent

export const emit: Emit<ShardsEvent> = emitter<ShardsEvent>()
