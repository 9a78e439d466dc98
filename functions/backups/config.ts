/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */
import type { KeepRules } from '../../db/backups/keep.ts'

/** Backups that are made by themselves. */
export interface BackupPlan {
  /** When full backups are made: five fields, or six with seconds first: https://croner.56k.guru/usage/pattern/ */
  readonly cron: string
  /** IANA name. Default `UTC`. */
  readonly timeZone?: string
  /** Left out: all backups are full. */
  readonly increments?: IncrementPlan
  /** Which are kept after one was made; the others go. Left out: all are kept. */
  readonly keep?: KeepRules
  /** So old the last good backup may be before an alert is sent, in seconds. Left out: none is. */
  readonly maxAgeSeconds?: number
}

/** Increments between full backups: what has changed since the one before. */
export interface IncrementPlan {
  /** As that of full backups. */
  readonly cron: string
}

/** The schedule of backups. */
export interface BackupsConfig {
  /** When backups are made, and which are kept; null: when somebody asks. Default null. */
  readonly backups: BackupPlan | null
}

export const backupsDefaults: BackupsConfig = { backups: null }
