/**
 * What the area tells the log.
 * @module
 */
import { type Emit, emitter } from '../core/events.ts'

/** An isolate leaves an origin alone for a while, as it failed its requests. */
export interface OriginEjectedEvent {
  readonly kind: 'origin-ejected'
  readonly pool: string
  readonly origin: string
  readonly reason: string
}

/** Checks have found that an origin is ill, or well again. */
export interface OriginHealthEvent {
  readonly kind: 'origin-ill' | 'origin-well'
  readonly pool: string
  readonly origin: string
  /** What the last check found. */
  readonly reason: string
}

/** So few of a pool's origins are well that everybody is tried. */
export interface PoolPanicEvent {
  readonly kind: 'pool-panic'
  readonly pool: string
}

/** A pool's Durable Object could not be asked: isolates go by what they see themselves. */
export interface PoolUnwatchedEvent {
  readonly kind: 'pool-unwatched'
  readonly pool: string
  readonly error: unknown
}

/** All that the balancer tells the log. */
export type BalancerEvent = OriginEjectedEvent | OriginHealthEvent | PoolPanicEvent | PoolUnwatchedEvent

export const emit: Emit<BalancerEvent> = emitter<BalancerEvent>()
