import type { IsolateBudget, Keeper } from '../../db/memory/isolate-budget.ts'
import type { CacheEntry } from './cache-entry.ts'

/** What the isolate keeps of an entry: it, its size, and when it was last known to be current. */
export interface Held {
  readonly entry: CacheEntry
  readonly bytes: number
  /** In milliseconds since 1970. */
  checkedAt: number
}

/** Bytes that an entry takes beside its key and body, about. */
const overheadBytes = 300
/** And for each generation that it was made with: a UUID's text. */
const generationBytes = 60
/** What is left to it when others want room. */
const floorBytes = 2_000_000

/** Entries in the isolate, bounded in bytes; the least recently used leaves first. */
export class FirstLevel implements Keeper {
  readonly name = 'first-level'
  readonly floorBytes = floorBytes
  readonly weight = 2
  readonly #held = new Map<string, Held>()
  readonly #maxBytes: number
  readonly #budget: IsolateBudget | null
  #bytes = 0

  constructor(maxBytes: number, budget: IsolateBudget | null = null) {
    this.#maxBytes = maxBytes
    this.#budget = budget
    budget?.register(this)
  }

  /** Bytes that are held, about: two for each character. */
  get bytes(): number {
    return this.#bytes
  }

  get entries(): number {
    return this.#held.size
  }

  evict(): boolean {
    const [oldest] = this.#held.keys()
    if (oldest === undefined) return false
    this.delete(oldest)
    return true
  }

  get(key: string): Held | null {
    const held = this.#held.get(key)
    if (held === undefined) return null
    this.#held.delete(key)
    this.#held.set(key, held)
    return held
  }

  put(key: string, entry: CacheEntry, checkedAt: number): void {
    this.delete(key)
    const bytes =
      overheadBytes +
      generationBytes * entry.generations.length +
      2 * (key.length + (entry.answer.body?.length ?? 0))
    if (bytes > this.#maxBytes / 4) return
    this.#held.set(key, { entry, bytes, checkedAt })
    this.#bytes += bytes
    for (const oldest of this.#held.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.delete(oldest)
    }
    this.#budget?.settle()
  }

  delete(key: string): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    this.#held.delete(key)
    this.#bytes -= held.bytes
  }
}
