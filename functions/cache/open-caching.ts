import type { AtollConfig, readRedis } from '../config.ts'
import type { IsolateBudget } from '../isolate-budget.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { ConsistentCache } from './consistent-cache.ts'
import { FirstLevel } from './first-level.ts'
import { GatheredStore } from './gathered-store.ts'
import type { Invalidator } from './invalidate.ts'
import { MemoryStore } from './memory-store.ts'
import { RedisStore } from './redis-store.ts'

/** The cache, and what writers replace in it. */
export interface Caching extends Invalidator {
  readonly answers: ConsistentCache
}

/** @param redis null: each isolate has its own */
export function openCaching(
  redis: ReturnType<typeof readRedis>,
  config: AtollConfig,
  budget: IsolateBudget,
): Caching | null {
  if (!config.cache) return null
  const store = redis
    ? new GatheredStore(
        new CircuitBreaker(new RedisStore(redis.url, redis.token, config.cacheTimeoutMs)),
        config.cacheTimeoutMs,
      )
    : new MemoryStore(config.cacheMemoryTtlMs, budget)
  const { cachePrefix: prefix, cacheMaxEntryLength: maxEntryLength } = config
  const first = new FirstLevel(config.cacheFirstLevelBytes, budget)
  const answers = new ConsistentCache(store, first, { prefix, maxEntryLength, leaseMs: 1000 })
  return { store, prefix, answers, wrote: (tags) => answers.wrote(tags) }
}
