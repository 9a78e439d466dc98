import { type Emit, emitter } from '../core/events.ts'

/** A step of a move of slots has failed; it is made again in a while. */
export interface MoveFailedEvent {
  readonly kind: 'move-failed'
  readonly error: unknown
}

/** All that is told to the log of moves. */
export type ShardsEvent = MoveFailedEvent

export const emit: Emit<ShardsEvent> = emitter<ShardsEvent>()
