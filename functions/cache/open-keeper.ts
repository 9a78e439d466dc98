import type { Catalog } from '../../db/catalog/catalog.ts'
import type { CacheConfig } from './config.ts'
import { emit } from './events.ts'
import { bulkTag, generationKey, mapTag, tableTag } from './generation.ts'
import { openRedis, type RedisAccess } from './open-caching.ts'
import { trustKey } from './trust.ts'
import { type Kept, TrustKeeper } from './trust-keeper.ts'

/** Longest time of the keeper's calls to the store, in milliseconds: writes wait for them. */
const timeoutMs = 1000

/** Keys that one command takes away. */
const keysAtOnce = 500

/** What the Durable Object gives its keeper. */
export interface KeeperHome {
  readonly storage: DurableObjectStorage
  /** Has `recover` called in some milliseconds. */
  readonly wake: (inMs: number) => Promise<void>
}

/**
 * The keeper of the trust in the cache's store, for the Durable Object that is its home.
 *
 * @param databases bindings of all databases, whose tags are forgotten when the store cannot be told what has changed
 */
export function openKeeper(
  redis: RedisAccess,
  config: CacheConfig,
  catalog: Catalog,
  databases: readonly string[],
  { storage, wake }: KeeperHome,
): TrustKeeper {
  const store = openRedis(redis, config, timeoutMs)
  const { cachePrefix: prefix, cacheTrustMs: ttlMs } = config
  return new TrustKeeper({
    store,
    register: store,
    key: trustKey(prefix),
    ttlMs,
    load: () => storage.get<Kept>('trust'),
    // What is sent waits until this is safe: an object whose place another has taken sends nothing any more.
    save: (kept) => storage.put('trust', kept),
    async forgetAll() {
      const keys = everyTag(catalog, databases).map((tag) => generationKey(prefix, tag))
      for (let i = 0; i < keys.length; i += keysAtOnce) await store.forget(keys.slice(i, i + keysAtOnce))
    },
    wake,
    told: (kind, { since, why }) => emit({ kind, why, since, lastedMs: Date.now() - since }),
  })
}

/** Of these each answer has some: of tables, or beside what is told apart by value or row. */
function everyTag(catalog: Catalog, databases: readonly string[]): string[] {
  const tables = [...catalog.tables.keys()]
  const own = databases.flatMap((name) =>
    tables.flatMap((table) => [tableTag(table, name), bulkTag(table, name)]),
  )
  return [mapTag, ...own]
}
