import type { Renewal } from './cache-store.ts'
import type { LastWrites } from './last-writes.ts'
import type { Caching } from './open-caching.ts'
import type { Delivery, Distrust } from './trust.ts'

/** Of Upstash Redis; both or none. */
export interface CacheEnv {
  readonly UPSTASH_REDIS_REST_URL?: string
  readonly UPSTASH_REDIS_REST_TOKEN?: string
}

/** What the relay is asked that is no database's, but keeps the trust in the cache's store. */
export interface KeeperCalls extends Rpc.DurableObjectBranded {
  trust(isMissing: boolean): Promise<boolean>
  deliver(generations: readonly Renewal[]): Promise<Delivery>
  distrust(): Promise<Distrust | null>
}

/** What the area offers. */
export interface CacheServices {
  /** Null when nothing is cached. */
  readonly cache: Caching | null
  readonly lastWrites: LastWrites
}
