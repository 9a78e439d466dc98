/**
 * What the area tells the log.
 * @module
 */
import { type Emit, emitter } from '../core/events.ts'

/** Something that `/metrics` shows could not be read. */
export interface GaugesUnreadEvent {
  readonly kind: 'gauges-unread'
  readonly what: string
  readonly error: unknown
}

/** A service level burns its error budget too fast, or no longer does. */
export interface ServiceLevelEvent {
  readonly kind: 'service-level-burning' | 'service-level-recovered'
  readonly objective: string
  /** How many times faster than it may. */
  readonly burnRate: number
}

/** A shard has not copied all changes of reference tables though it was asked to; or it has again. */
export interface CopiesBehindEvent {
  readonly kind: 'copies-behind' | 'copies-caught-up'
  readonly database: string
  readonly changes: number
}

/** The last good backup is older than it may be, or there is none; or there is a newer one again. */
export interface BackupAgeEvent {
  readonly kind: 'backup-overdue' | 'backup-recovered'
  /** When it was begun, ISO 8601; null: never. */
  readonly last: string | null
}

/** All that is told to the log for operators. */
export type MonitorEvent = BackupAgeEvent | GaugesUnreadEvent | ServiceLevelEvent | CopiesBehindEvent

export const emit: Emit<MonitorEvent> = emitter<MonitorEvent>()
