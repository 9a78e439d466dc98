import { Redis } from '@upstash/redis'
import type { CacheStore, Lease, Renewal, Stored } from './cache-store.ts'
import { generationText, generationTtlMs } from './generation.ts'

/** Longest life of an entry, in milliseconds. */
const dayMs = 86_400_000

/** Longest time of a renewal, in milliseconds. */
const renewalTimeoutMs = 1000

/** Gives a lease back if it is still one's own: another may have it by now. */
const giveBack =
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

/** Replaces generations, as `renewed` in `generation.ts` does: what the one before knew that is later, is kept. */
const renewAll = `
for i, key in ipairs(KEYS) do
  local new = cjson.decode(ARGV[i + 1])
  local known, was = pcall(cjson.decode, redis.call('GET', key) or '')
  if known and type(was) == 'table' then
    if type(was[3]) == 'table' then
      if type(new[3]) ~= 'table' then new[3] = {} end
      for database, bookmark in pairs(was[3]) do
        if new[3][database] == nil or new[3][database] < bookmark then new[3][database] = bookmark end
      end
    end
    if type(was[4]) == 'number' and was[4] > new[4] then new[4] = was[4] end
  end
  redis.call('SET', key, cjson.encode(new), 'PX', ARGV[1])
end
return #KEYS`

/** Redis over Upstash's REST interface: https://upstash.com/docs/redis/features/restapi */
export class RedisStore implements CacheStore {
  readonly name = 'redis'
  readonly isLocal = false
  readonly maxTtlMs = dayMs
  readonly #redis: Redis
  /** For renewals, which a write waits for: the store may be far from the isolate, and must hear of it. */
  readonly #patient: Redis

  /** @param timeoutMs longest time of a call; one that takes longer has failed */
  constructor(url: string, token: string, timeoutMs: number) {
    const open = (ms: number) =>
      new Redis({
        url,
        token,
        enableAutoPipelining: false,
        automaticDeserialization: false,
        enableTelemetry: false,
        retry: { retries: 0 },
        signal: () => AbortSignal.timeout(ms),
      })
    this.#redis = open(timeoutMs)
    this.#patient = open(Math.max(timeoutMs, renewalTimeoutMs))
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

  async renew(generations: readonly Renewal[]): Promise<void> {
    if (generations.length === 0) return
    const keys = generations.map(({ key }) => key)
    const texts = generations.map(({ generation }) => generationText(generation))
    const done = await this.#patient.eval(renewAll, keys, [String(generationTtlMs), ...texts]).catch(answered)
    if (Number(done) === keys.length) return
    // One that is full refuses what is new, and still lets go of what is old: what is missing is as good as replaced.
    const gone: unknown = await this.#patient.del(...keys)
    if (typeof gone !== 'number') throw new Error('the store did not take a generation')
  }
}

/** Nothing, for a store that has answered with an error; one that has not is not asked once more. */
function answered(error: unknown): null {
  if (error instanceof Error && error.name === 'UpstashError') return null
  throw error
}
