import type { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import { within } from '../core/coalescer.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import type { CacheConfig } from './config.ts'
import { ConsistentCache } from './consistent-cache.ts'
import { emit } from './events.ts'
import { FirstLevel } from './first-level.ts'
import { GatheredStore } from './gathered-store.ts'
import type { Invalidator } from './invalidate.ts'
import { MemoryStore } from './memory-store.ts'
import { RedisStore } from './redis-store.ts'
import { type KeeperAccess, trustKey } from './trust.ts'
import { TrustedStore } from './trusted-store.ts'

/** Upstash Redis, when the project has one. */
export interface RedisAccess {
  readonly url: string
  readonly token: string
}

/** The cache, and what writers replace in it. */
export interface Caching extends Invalidator {
  readonly answers: ConsistentCache
  /** Who keeps the trust in its store; null where no others write to it. */
  readonly keeper: KeeperAccess | null
}

/** How long a write waits for the keeper beside the time in which trust dies, in milliseconds. */
const deliveryMs = 3000

/**
 * @param redis null: each isolate has its own
 * @param keeper null: there is none, and what others write cannot be known for sure, so nothing of the store is served
 */
export function openCaching(
  redis: RedisAccess | null,
  config: CacheConfig,
  keeper: KeeperAccess | null,
  budget: IsolateBudget,
  leases: ReadonlyMap<string, number> = new Map(),
): Caching | null {
  if (!config.cache) return null
  const { cachePrefix: prefix, cacheMaxEntryLength: maxEntryLength, cacheTrustMs: ttlMs } = config
  const untrusted = redis
    ? new GatheredStore(
        new CircuitBreaker(openRedis(redis, config, config.cacheTimeoutMs)),
        config.cacheTimeoutMs,
      )
    : new MemoryStore(config.cacheMemoryTtlMs, budget)
  const store = redis ? new TrustedStore(untrusted, { key: trustKey(prefix), ttlMs, keeper }) : untrusted
  const first = new FirstLevel(config.cacheFirstLevelBytes, budget)
  const answers = new ConsistentCache(store, first, { prefix, maxEntryLength, leaseMs: 1000, judges: true })
  const opened = {
    store,
    untrusted,
    prefix,
    leases,
    answers,
    wrote: (tags: readonly string[]) => answers.wrote(tags),
  }
  if (redis === null) return { ...opened, keeper: null }
  const deliver: Invalidator['deliver'] = async (generations, error) => {
    emit({ kind: 'invalidation-failed', error })
    // Without a keeper, nobody trusts the store in any case.
    if (keeper === null) return 'distrusted'
    const delivery = await within(2 * ttlMs + deliveryMs, keeper.deliver(generations))
    if (delivery === null) throw new Error('the keeper of the cache takes too long', { cause: error })
    return delivery
  }
  return { ...opened, keeper, deliver }
}

export function openRedis(
  { url, token }: RedisAccess,
  { cachePrefix: prefix, cacheReadRegions: replicas }: CacheConfig,
  timeoutMs: number,
): RedisStore {
  return new RedisStore(url, token, timeoutMs, { clockKey: `${prefix}:clock`, replicas })
}
