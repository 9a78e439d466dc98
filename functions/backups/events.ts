import { type Emit, emitter } from '../core/events.ts'

/** A step of a backup, a restore or a verification has failed; it is made again in a while, unless that was the end. */
export interface BackupFailedEvent {
  readonly kind: 'backup-failed'
  readonly run: string
  readonly isOver: boolean
  readonly error: unknown
}

/** One has come to its end. */
export interface BackupDoneEvent {
  readonly kind: 'backup-done'
  readonly run: string
  readonly what: 'full' | 'increment' | 'restore' | 'verify'
  /** Why an increment became a full backup. */
  readonly instead: string | null
  /** What was found to be wrong. */
  readonly wrong: readonly string[]
  /** Backups that have gone, as no rule keeps them. */
  readonly pruned: readonly string[]
}

/** All that is told to the log of backups. */
export type BackupsEvent = BackupFailedEvent | BackupDoneEvent

export const emit: Emit<BackupsEvent> = emitter<BackupsEvent>()
