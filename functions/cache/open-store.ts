import type { CoreEnv, RelayCalls } from '../core/context.ts'
import type { RedisAccess } from './open-caching.ts'
import type { CacheEnv, KeeperCalls } from './services.ts'
import { type KeeperAccess, keeperName } from './trust.ts'

/** Where the Redis is; null when the project has none. */
export function readRedis(env: CacheEnv): RedisAccess | null {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = env
  return url && token ? { url, token } : null
}

/** A stub belongs to the request that made it, so each call makes its own. */
export function keeperOf(env: CoreEnv): KeeperAccess | null {
  // It is a relay as well, of which the core knows other calls.
  const RELAY = env.RELAY as DurableObjectNamespace<KeeperCalls & RelayCalls> | undefined
  if (!RELAY) return null
  return {
    trust: async (isMissing) => RELAY.getByName(keeperName).trust(isMissing),
    deliver: async (generations) => RELAY.getByName(keeperName).deliver(generations),
    distrust: async () => RELAY.getByName(keeperName).distrust(),
  }
}
