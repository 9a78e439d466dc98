import { Redis } from '@upstash/redis'
import type { CacheStore, Lease, Stored } from './cache-store.ts'

/** Longest life of an entry, in milliseconds. */
const dayMs = 86_400_000

/** Gives a lease back if it is still one's own: another may have it by now. */
const giveBack =
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

/** Redis over Upstash's REST interface: https://upstash.com/docs/redis/features/restapi */
export class RedisStore implements CacheStore {
  readonly name = 'redis'
  readonly isLocal = false
  readonly maxTtlMs = dayMs
  readonly #redis: Redis

  /** @param timeoutMs longest time of a call; one that takes longer has failed */
  constructor(url: string, token: string, timeoutMs: number) {
    this.#redis = new Redis({
      url,
      token,
      enableAutoPipelining: false,
      automaticDeserialization: false,
      enableTelemetry: false,
      retry: { retries: 0 },
      signal: () => AbortSignal.timeout(timeoutMs),
    })
  }

  mayHaveForgotten(): boolean {
    return true
  }

  async read(keys: readonly string[]): Promise<(string | null)[]> {
    if (keys.length === 0) return []
    const values: unknown = await this.#redis.mget(...keys)
    if (!Array.isArray(values) || values.length !== keys.length)
      throw new Error('the store answered nonsense')
    return values.map((value) => {
      if (value !== null && typeof value !== 'string') throw new Error('the store answered nonsense')
      return value
    })
  }

  async begin(missing: readonly Stored[], lease: Lease | null) {
    if (missing.length === 0 && lease === null) return { values: [], leased: false }
    const pipeline = this.#redis.pipeline()
    for (const { key, value, ttlMs } of missing) pipeline.set(key, value, { nx: true, px: ttlMs })
    if (missing.length > 0) pipeline.mget(...missing.map(({ key }) => key))
    if (lease) pipeline.set(lease.key, lease.token, { nx: true, px: lease.ttlMs })
    const results = await pipeline.exec<unknown[]>()
    const values = missing.length === 0 ? [] : results[missing.length]
    if (
      !Array.isArray(values) ||
      values.length !== missing.length ||
      values.some((value) => typeof value !== 'string')
    ) {
      throw new Error('the store did not keep what it was given')
    }
    return { values: values as string[], leased: lease !== null && results.at(-1) === 'OK' }
  }

  async fill(entry: Stored | null, lease: Lease | null): Promise<void> {
    const pipeline = this.#redis.pipeline()
    if (entry) pipeline.set(entry.key, entry.value, { px: entry.ttlMs })
    if (lease) pipeline.eval(giveBack, [lease.key], [lease.token])
    if (entry || lease) await pipeline.exec()
  }

  async replace(values: readonly Stored[]): Promise<void> {
    if (values.length === 0) return
    const pipeline = this.#redis.pipeline()
    for (const { key, value, ttlMs } of values) pipeline.set(key, value, { px: ttlMs })
    const results = await pipeline.exec<unknown[]>({ keepErrors: true }).catch(() => null)
    if (results?.every((result) => (result as { result?: unknown }).result === 'OK')) return
    // One that is full refuses what is new, and still lets go of what is old: what is missing is as good as replaced.
    const gone: unknown = await this.#redis.del(...values.map(({ key }) => key))
    if (typeof gone !== 'number') throw new Error('the store did not take a generation')
  }
}
