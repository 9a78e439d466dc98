/**
 * What the area tells the log.
 * @module
 */
import { type Emit, emitter } from '../core/events.ts'

/** The cache store is no longer believed, since it does not take what is written or lags behind; or it is again. */
export interface CacheTrustEvent {
  readonly kind: 'cache-distrusted' | 'cache-trusted'
  readonly why: string
  /** When that began, in milliseconds since 1970, and how long it has lasted. */
  readonly since: number
  readonly lastedMs: number
}

/** All that the cache tells the log. */
export type CacheEvent = CacheTrustEvent

export const emit: Emit<CacheEvent> = emitter<CacheEvent>()
