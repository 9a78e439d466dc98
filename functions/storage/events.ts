/**
 * What the area tells the log.
 * @module
 */
import { type Emit, emitter } from '../core/events.ts'

/** Files were compared with their rows, and did not agree; or uploads were cleared away. */
export interface FilesSweptEvent {
  readonly kind: 'files-swept'
  /** Bytes that no row named, which were taken away. */
  readonly orphans: number
  /** Keys in R2 that rows name and that are not there. */
  readonly missing: readonly string[]
  readonly uploads: number
}

/** All that is told to the log of files. */
export type StorageEvent = FilesSweptEvent

export const emit: Emit<StorageEvent> = emitter<StorageEvent>()
