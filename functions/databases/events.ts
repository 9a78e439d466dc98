/**
 * What the area tells the log.
 * @module
 */
import type { RepairNote } from '../../db/restores/repair-note.ts'
import { type Emit, emitter } from '../core/events.ts'

/** A database has migrations that this version of the code does not know; it is used for as long as what is needed is there. */
export interface DatabaseAheadEvent {
  readonly kind: 'database-ahead'
  readonly database: string
  readonly migrations: readonly string[]
}

/** A shard could not take changed rows of reference tables as they are: it keeps rows that it refers to, or stays behind. */
export interface CopyFailedEvent {
  readonly kind: 'copy-failed'
  readonly database: string
  readonly error: unknown
}

/** A database was put back in time: some of what was acknowledged is gone there, and what others know of it is being repaired. */
export interface DatabaseWentBackEvent {
  readonly kind: 'database-went-back'
  readonly database: string
  /** The life that it begins. */
  readonly incarnation: string
  /** Where it was when it was last seen, and where it was found. */
  readonly from: object
  readonly to: object
}

/** What the repair of such a database has done, or found and left to the operator. */
export interface RestoreRepairEvent {
  readonly kind: 'restore-repair'
  readonly database: string
  readonly note: RepairNote
}

/** The repair is over. */
export interface RestoreRepairedEvent {
  readonly kind: 'restore-repaired'
  readonly database: string
}

/** A consumer of the change log stayed behind for so long that it has lost changes. */
export interface ChangesDroppedEvent {
  readonly kind: 'changes-dropped'
  readonly database: string
  readonly consumer: string
  /** Sequence of the last change that it has lost. */
  readonly upTo: number
}

/** All that is told to the log of databases. */
export type DatabasesEvent =
  | DatabaseAheadEvent
  | CopyFailedEvent
  | DatabaseWentBackEvent
  | RestoreRepairEvent
  | RestoreRepairedEvent
  | ChangesDroppedEvent

export const emit: Emit<DatabasesEvent> = emitter<DatabasesEvent>()
