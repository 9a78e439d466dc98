/**
 * What the area tells the log.
 * @module
 */
import { type Emit, emitter } from '../core/events.ts'

/** Slow queries are refused, as they have had their share of a database's time; told once in a while for each reason. */
export interface QueriesRefusedEvent {
  readonly kind: 'queries-refused'
  readonly database: string
  /** Whose share: the caller's, the query's, the role's; or what it would have had to wait for. */
  readonly by: string
  /** Who asked: `sub:` with issuer and subject, or `ip:` with a network. */
  readonly caller: string
  readonly role: string
  readonly retryMs: number
}

/** What was counted could not be handed over; it is handed over again. */
export interface MetricsNotTakenEvent {
  readonly kind: 'metrics-not-taken'
  readonly error: unknown
}

/** A collector did not take spans; they are dropped. */
export interface SpansNotTakenEvent {
  readonly kind: 'spans-not-taken'
  readonly spans: number
  readonly error: unknown
}

/** All that the meter tells the log. */
export type MeterEvent = QueriesRefusedEvent | MetricsNotTakenEvent | SpansNotTakenEvent

export const emit: Emit<MeterEvent> = emitter<MeterEvent>()
