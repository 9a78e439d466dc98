import { Coalescer } from '../core/coalescer.ts'
import type { CacheStore, Lease, Renewal, Stored } from './cache-store.ts'
import { withinStoreTime } from './store-time.ts'

/** Keys that one call reads beside its own. */
const maxShared = 200

/**
 * Lets reads of an isolate that is busy share calls. While few are under way each goes out at once, as it comes; beyond them, those who wait
 * are read together by the next: one command for all of them, which is what a store counts and what a call costs. Nobody is given what was
 * read before they asked.
 */
export class GatheredStore implements CacheStore {
  readonly name: string
  readonly maxTtlMs: number
  readonly isLocal: boolean
  readonly #store: CacheStore
  readonly #lanes: readonly Lane[]
  #next = 0

  /**
   * @param timeoutMs longest time of a call; a read waits for one that is under way, and for its own
   * @param lanes reads that an isolate has under way before others wait to share one
   */
  constructor(store: CacheStore, timeoutMs: number, lanes = 4) {
    this.#store = store
    this.name = store.name
    this.maxTtlMs = store.maxTtlMs
    this.isLocal = store.isLocal
    this.#lanes = Array.from({ length: lanes }, () => new Lane(store, timeoutMs))
  }

  mayHaveForgotten(): boolean {
    return this.#store.mayHaveForgotten()
  }

  async read(keys: readonly string[]): Promise<(string | null)[]> {
    if (keys.length === 0) return []
    const idle = this.#lanes.find((lane) => !lane.isBusy)
    if (idle) return idle.read(keys)
    this.#next = (this.#next + 1) % this.#lanes.length
    return (this.#lanes[this.#next] as Lane).wait(keys)
  }

  begin(missing: readonly Stored[], lease: Lease | null) {
    return this.#store.begin(missing, lease)
  }

  fill(entry: Stored | null, lease: Lease | null) {
    return this.#store.fill(entry, lease)
  }

  renew(generations: readonly Renewal[]) {
    return this.#store.renew(generations)
  }
}

type Found = ReadonlyMap<string, string | null>

/** One call at a time, and who waits for the next. */
class Lane {
  readonly #store: CacheStore
  readonly #timeoutMs: number
  #rounds: Coalescer<Found>
  #wanted = new Set<string>()

  constructor(store: CacheStore, timeoutMs: number) {
    this.#store = store
    this.#timeoutMs = timeoutMs
    this.#rounds = this.#opened()
  }

  /** What is waited for takes as long as the isolate is busy: who is never heard of again is found out by those who wait. */
  #opened(): Coalescer<Found> {
    return new Coalescer(20 * this.#timeoutMs)
  }

  get isBusy(): boolean {
    return this.#rounds.isBusy('')
  }

  async wait(keys: readonly string[]): Promise<(string | null)[]> {
    const rounds = this.#rounds
    // One call that is under way, and the next.
    const values = await withinStoreTime(2 * this.#timeoutMs, this.read(keys))
    if (values !== null) return values
    if (this.#rounds === rounds) this.#rounds = this.#opened()
    throw new Error('the store takes too long')
  }

  async read(keys: readonly string[]): Promise<(string | null)[]> {
    for (const key of keys) this.#wanted.add(key)
    const found = await this.#rounds.run('', () => this.#readAll(keys))
    // Whoever took them along may have been ended before it read them.
    if (!keys.every((key) => found.has(key))) return this.#store.read(keys)
    return keys.map((key) => found.get(key) ?? null)
  }

  async #readAll(own: readonly string[]): Promise<Found> {
    const keys = [...new Set([...own, ...[...this.#wanted].slice(0, maxShared)])]
    for (const key of keys) this.#wanted.delete(key)
    const values = await this.#store.read(keys)
    return new Map(keys.map((key, i) => [key, values[i] ?? null]))
  }
}
