/**
 * The cache: answers that are kept in isolates and in Redis, and what makes them stale.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { Area } from '../core/area.ts'
import type { CoreEnv } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import { type CacheConfig, cacheDefaults } from './config.ts'
import { duties } from './duties.ts'
import { gauges } from './gauges.ts'
import { LastWrites } from './last-writes.ts'
import { openCaching } from './open-caching.ts'
import { keeperOf, readRedis } from './open-store.ts'
import type { CacheEnv, CacheServices } from './services.ts'

export type { CachedAnswer } from './cache-entry.ts'
export type { CacheDirectives, FillTerms, Served } from './cache-query.ts'
export type { Renewal } from './cache-store.ts'
export type { CacheConfig } from './config.ts'
export type { ConsistentCache } from './consistent-cache.ts'
// What areas above it use.
export type { CacheEvent } from './events.ts'
export type { Footprint } from './footprint.ts'
export {
  bulkTag,
  generationKey,
  makeGeneration,
  mapTag,
  renewalOfMap,
  rowTag,
  tableTag,
  valueTag,
} from './generation.ts'
export { awaitLeases, everythingOn, type Invalidator, invalidate, sweepChanges } from './invalidate.ts'
export { LastWrites, lastWritesKey } from './last-writes.ts'
export { openKeeper } from './open-keeper.ts'
export { readRedis } from './open-store.ts'
export type { CacheEnv, CacheServices, KeeperCalls } from './services.ts'
export { type Delivery, type Distrust, keeperName } from './trust.ts'
export type { TrustKeeper } from './trust-keeper.ts'

/** Leases of tables that have one, in milliseconds. */
function leasesOf({ tables }: Catalog): ReadonlyMap<string, number> {
  return new Map(
    [...tables].flatMap(([name, { cache }]): [string, number][] =>
      cache && cache.leaseMs > 0 ? [[name, cache.leaseMs]] : [],
    ),
  )
}

export const cache = {
  name: 'cache',
  defaults: cacheDefaults,
  gauges,
  duties,

  open(env: CoreEnv & CacheEnv, { config, budget, catalog }: CoreEngine<CacheConfig>): CacheServices {
    return {
      cache: openCaching(readRedis(env), config, keeperOf(env), budget, leasesOf(catalog)),
      lastWrites: new LastWrites(budget),
    }
  },
} satisfies Area
