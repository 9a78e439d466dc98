/**
 * What the area tells the log.
 * @module
 */
import { type Emit, emitter } from '../core/events.ts'

/** Changes were not told to some of the subscribers, as what they may see could not be found out: the app's condition failed, or the data API refused. */
export interface ChangesNotToldEvent {
  readonly kind: 'changes-not-told'
  readonly table: string
  readonly role: string
  readonly error: unknown
}

/** A socket did not read what it was sent; its channels with changes were closed, so that it reads anew. */
export interface SlowReaderEvent {
  readonly kind: 'realtime-slow-reader'
  readonly topic: string
  readonly unreadBytes: number
}

/** All that is told to the log of realtime. */
export type RealtimeEvent = ChangesNotToldEvent | SlowReaderEvent

export const emit: Emit<RealtimeEvent> = emitter<RealtimeEvent>()
