import { type Emit, emitter } from '../core/events.ts'

/** A step of a move of slots has failed; it is made again in a while. */
export interface MoveFailedEvent {
  readonly kind: 'move-failed'
  readonly error: unknown
}

/** After a move, rows lie on the source whose slots it does not have: nobody is shown them but those who ask all databases. */
export interface RowsAstrayEvent {
  readonly kind: 'rows-astray'
  readonly database: string
  readonly count: number
}

/** All that is told to the log of moves. */
export type ShardsEvent = MoveFailedEvent | RowsAstrayEvent

export const emit: Emit<ShardsEvent> = emitter<ShardsEvent>()
