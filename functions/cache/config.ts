/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */

/** How answers are kept. */
export interface CacheConfig {
  /** Whether answers are cached. Default true. */
  readonly cache: boolean
  /** Longest time that the cache store may take, in milliseconds; then the databases answer. Default 50. */
  readonly cacheTimeoutMs: number
  /** Bytes of answers that an isolate keeps before the store. Default 16,000,000. */
  readonly cacheFirstLevelBytes: number
  /** Largest answer that is cached, in characters. Default 262,144. */
  readonly cacheMaxEntryLength: number
  /** Without Redis: how long an isolate may serve an answer without hearing of writes in others, in milliseconds. Default 5000. */
  readonly cacheMemoryTtlMs: number
  /**
   * How long the cache store is believed after it was last known to take what is written, in milliseconds; and so how long a write waits, once, when it no
   * longer does. Default 5000.
   */
  readonly cacheTrustMs: number
  /** Whether the store has read regions, so that writes wait for the one that is read here: a call more for each. Default false. */
  readonly cacheReadRegions: boolean
  /** What the keys in the cache store begin with. Default `atoll`. */
  readonly cachePrefix: string
}

export const cacheDefaults: CacheConfig = {
  cache: true,
  cacheTimeoutMs: 50,
  cacheFirstLevelBytes: 16_000_000,
  cacheMaxEntryLength: 262_144,
  cacheMemoryTtlMs: 5000,
  cacheTrustMs: 5000,
  cacheReadRegions: false,
  cachePrefix: 'atoll',
}
