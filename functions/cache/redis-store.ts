import { Redis } from '@upstash/redis'
import { pause } from '../../db/cluster/pause.ts'
import type { CacheStore, Lease, Renewal, Stored } from './cache-store.ts'
import { maxSteps, maxWindowLength } from './change-window.ts'
import { generationTtlMs, renewalText } from './generation.ts'
import { Patience } from './store-time.ts'
import { StoreLags } from './trust.ts'
import type { Swapped, TrustRegister } from './trust-keeper.ts'

/** Longest life of an entry, in milliseconds. */
const dayMs = 86_400_000

/** Longest time of a renewal, in milliseconds. */
const renewalTimeoutMs = 1000

/** Gives a lease back if it is still one's own: another may have it by now. */
const giveBack =
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

/**
 * Turns the store's clock on, which is the first key: it is later with everything that the store must not lose, also after it was evicted.
 * What a reader is shown with an older clock is from before.
 */
const tick = `
local time = redis.call('TIME')
local before = redis.call('GET', KEYS[1])
local clock = math.max((tonumber(before) or 0) + 1, time[1] * 1000000 + time[2])
clock = string.format('%.0f', clock)
redis.call('SET', KEYS[1], clock)`

/**
 * Replaces generations, as `renewed` in `generation.ts` does: what the one before knew that is later, is kept, and its window with a step
 * more, as `appended` in `change-window.ts` does.
 */
const renewAll = `${tick}
for i = 2, #KEYS do
  local key = KEYS[i]
  local head, step = string.match(ARGV[i], '^([^\\n]*)(.*)$')
  local new = cjson.decode(head)
  local window = ''
  new[7] = new[4]
  local before, steps = string.match(redis.call('GET', key) or '', '^([^\\n]*)(.*)$')
  local known, was = pcall(cjson.decode, before)
  if known and type(was) == 'table' then
    if type(was[3]) == 'table' then
      if type(new[3]) ~= 'table' then new[3] = {} end
      for database, bookmark in pairs(was[3]) do
        if new[3][database] == nil or new[3][database] < bookmark then new[3][database] = bookmark end
      end
    end
    if type(was[4]) == 'number' and was[4] > new[4] then new[4] = was[4] end
    if type(was[5]) == 'number' then new[5] = was[5] end
    if step == '' then
      new[7] = new[4]
    else
      new[6] = type(was[6]) == 'string' and was[6] or was[1]
      new[7] = type(was[7]) == 'number' and was[7] or 0
      window = steps .. '\\n' .. new[1] .. ' ' .. string.sub(step, 2)
      local _, count = string.gsub(window, '\\n', '\\n')
      while count > ${maxSteps} or #window > ${maxWindowLength} do
        local stop = string.find(window, '\\n', 2, true)
        local dropped, upTo = string.match(window, '^\\n(%S+) %S+ (%S+)')
        new[6] = dropped
        new[7] = math.max(new[7], tonumber(upTo))
        window = stop and string.sub(window, stop) or ''
        count = count - 1
      end
    end
  end
  redis.call('SET', key, cjson.encode(new) .. window, 'PX', ARGV[1])
end
return clock`

/** Puts a value in the place of another, if that is there; nothing being the empty text. */
const swapOne = `${tick}
local holds = redis.call('GET', KEYS[2]) or ''
if holds == ARGV[1] then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  holds = ARGV[2]
end
return { holds, before or '', clock }`

/** What Redis and Upstash answer when they have not done what they were asked, and will not; a gateway's errors say neither. */
const refusals = /\b(?:OOM|MISCONF|READONLY|NOPERM|NOAUTH|NOREPLICAS|LOADING|limit exceeded)\b/

export interface RedisOptions {
  /** Where the store's clock lies in it. Default `atoll:clock`. */
  readonly clockKey?: string
  /** Whether others than the primary answer reads, behind the same address. Default false. */
  readonly replicas?: boolean
}

/** Times that a renewal looks for itself at a replica, and how long it waits in between, in milliseconds. */
const [maxLooks, lookAgainMs] = [10, 20]

/** A client, and what ends its calls. */
interface Timed {
  readonly redis: Redis
  readonly patience: Patience
}

/** Redis over Upstash's REST interface: https://upstash.com/docs/redis/features/restapi */
export class RedisStore implements CacheStore, TrustRegister {
  readonly name = 'redis'
  readonly isLocal = false
  readonly maxTtlMs = dayMs
  readonly #redis: Timed
  /** For renewals, which a write waits for: the store may be far from the isolate, and must hear of it. */
  readonly #patient: Timed
  /** Is shown what replicas have, not what this isolate has written. */
  readonly #plain: Timed
  readonly #clockKey: string
  readonly #replicas: boolean
  /** The latest that this isolate has been shown. */
  #clock = 0

  /** @param timeoutMs longest time of a call; one that takes longer has failed */
  constructor(
    url: string,
    token: string,
    timeoutMs: number,
    { clockKey = 'atoll:clock', replicas = false }: RedisOptions = {},
  ) {
    const open = (ms: number, readYourWrites = true): Timed => {
      const patience = new Patience(ms)
      const redis = new Redis({
        url,
        token,
        enableAutoPipelining: false,
        automaticDeserialization: false,
        enableTelemetry: false,
        readYourWrites,
        retry: { retries: 0 },
        signal: patience.signal,
      })
      return { redis, patience }
    }
    this.#redis = open(timeoutMs)
    this.#patient = open(Math.max(timeoutMs, renewalTimeoutMs))
    this.#plain = open(timeoutMs, false)
    this.#clockKey = clockKey
    this.#replicas = replicas
  }

  mayHaveForgotten(): boolean {
    return true
  }

  async read(keys: readonly string[]): Promise<(string | null)[]> {
    if (keys.length === 0) return []
    // Two reads may cross: what counts is what was known when this one began.
    const known = this.#clock
    const [clock, ...values] = await this.#values(this.#redis, [this.#clockKey, ...keys])
    this.#see(clock ?? null, known)
    return values
  }

  async #values({ redis, patience }: Timed, keys: readonly string[]): Promise<(string | null)[]> {
    const values: unknown = await patience.of(() => redis.mget(...keys))
    return asTexts(values, keys.length)
  }

  /** @throws when the store shows a clock that is older than one that it has shown before */
  #see(text: string | null, known: number): void {
    // One that was evicted says nothing; where all has gone, trust has gone as well.
    if (text === null) return
    const clock = asClock(text)
    if (clock < known) throw new StoreLags()
    this.#clock = Math.max(this.#clock, clock)
  }

  async begin(missing: readonly Stored[], lease: Lease | null) {
    if (missing.length === 0 && lease === null) return { values: [], leased: false }
    const { redis, patience } = this.#redis
    const pipeline = redis.pipeline()
    for (const { key, value, ttlMs } of missing) pipeline.set(key, value, { nx: true, px: ttlMs })
    if (missing.length > 0) pipeline.mget(...missing.map(({ key }) => key))
    if (lease) pipeline.set(lease.key, lease.token, { nx: true, px: lease.ttlMs })
    const results = await patience.of(() => pipeline.exec<unknown[]>())
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
    const { redis, patience } = this.#redis
    const pipeline = redis.pipeline()
    if (entry) pipeline.set(entry.key, entry.value, { px: entry.ttlMs })
    if (lease) pipeline.eval(giveBack, [lease.key], [lease.token])
    if (entry || lease) await patience.of(() => pipeline.exec())
  }

  async renew(generations: readonly Renewal[]): Promise<void> {
    if (generations.length === 0) return
    const keys = generations.map(({ key }) => key)
    const texts = generations.map(({ generation }) => renewalText(generation))
    const [clockKey, ttl] = [this.#clockKey, String(generationTtlMs)]
    // In the same round trip: whether those who read are shown it.
    const { redis, patience } = this.#patient
    const pipeline = redis.pipeline()
    pipeline.eval(renewAll, [clockKey, ...keys], [ttl, ...texts])
    pipeline.mget(clockKey)
    const done = await patience.of(() => pipeline.exec<[unknown, unknown]>()).catch(answered)
    if (done !== null) {
      const [clock, seen] = [asClock(done[0]), asTexts(done[1], 1)[0] ?? null]
      if (seen === null) throw new StoreLags()
      this.#see(seen, clock)
      return this.#awaitReplica(clock)
    }
    // One that is full refuses what is new, and still lets go of what is old: what is missing is as good as replaced.
    await this.forget(keys)
  }

  /** Lets go of keys, and looks whether those who read are shown that. */
  async forget(keys: readonly string[]): Promise<void> {
    const { redis, patience } = this.#patient
    const pipeline = redis.pipeline()
    pipeline.del(...keys)
    pipeline.mget(...keys)
    const [gone, left] = await patience.of(() => pipeline.exec<[unknown, unknown]>())
    if (typeof gone !== 'number') throw new Error('the store did not take a generation')
    if (asTexts(left, keys.length).some((value) => value !== null)) throw new StoreLags()
  }

  /** Waits for the replica that answers this isolate's reads. */
  async #awaitReplica(clock: number): Promise<void> {
    if (!this.#replicas) return
    for (let looks = 0; looks < maxLooks; looks++) {
      if (looks > 0) await pause(lookAgainMs)
      const [seen = null] = await this.#values(this.#plain, [this.#clockKey])
      if (seen !== null && asClock(seen) >= clock) return
    }
    throw new StoreLags()
  }

  async swap(key: string, expected: string | null, value: string, ttlMs: number): Promise<Swapped> {
    const keys = [this.#clockKey, key]
    const { redis, patience } = this.#patient
    const done: unknown = await patience.of(() =>
      redis.eval(swapOne, keys, [expected ?? '', value, String(ttlMs)]),
    )
    const [holds = '', before = '', clock] = asTexts(done, 3)
    const now = asClock(clock)
    return { holds: holds || null, before: before ? asClock(before) : null, clock: now }
  }

  async drop(key: string): Promise<void> {
    const { redis, patience } = this.#patient
    await patience.of(() => redis.del(key))
  }

  isRefusal(error: unknown): boolean {
    return error instanceof Error && error.name === 'UpstashError' && refusals.test(error.message)
  }
}

function asTexts(values: unknown, count: number): (string | null)[] {
  if (!Array.isArray(values) || values.length !== count) throw new Error('the store answered nonsense')
  return values.map((value) => {
    if (value !== null && typeof value !== 'string') throw new Error('the store answered nonsense')
    return value
  })
}

function asClock(text: unknown): number {
  const clock = Number(text)
  if (typeof text !== 'string' || !Number.isSafeInteger(clock)) throw new Error('the store answered nonsense')
  return clock
}

/** Nothing, for a store that has answered with an error; one that has not is not asked once more. */
function answered(error: unknown): null {
  if (error instanceof Error && error.name === 'UpstashError') return null
  throw error
}
