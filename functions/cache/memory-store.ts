import { laterOf } from '../../db/cluster/session.ts'
import type { IsolateBudget, Keeper } from '../../db/memory/isolate-budget.ts'
import { textBytes } from '../../db/memory/size-of.ts'
import type { CacheStore, Lease, Renewal, Stored } from './cache-store.ts'
import {
  bookmarksOf,
  generationText,
  generationTtlMs,
  parseGeneration,
  readGeneration,
  renewed,
} from './generation.ts'

interface Kept {
  readonly value: string
  readonly until: number
}

/**
 * Most that it holds, in bytes: entries are kept a second time in the first level, so this is for generations mostly.
 */
const maxBytes = 16_000_000
/** What an entry takes beside its texts, about. */
const overheadBytes = 150
/** What is left to it when others want room. */
const floorBytes = 4_000_000

/**
 * A store in the isolate. Generations are kept of what was asked for, and not of all that is written.
 *
 * It is for local use, and for deployments without Redis, whose isolates know nothing of each other.
 */
export class MemoryStore implements CacheStore, Keeper {
  readonly name = 'memory'
  readonly floorBytes = floorBytes
  readonly weight = 1
  readonly isLocal = true
  readonly maxTtlMs: number
  readonly #kept = new Map<string, Kept>()
  readonly #budget: IsolateBudget | null
  #bytes = 0
  /** Where the databases stood after the latest writes, also of what nobody had asked for, or what was let go. */
  #written: ReadonlyMap<string, string> = new Map()

  /** @param maxTtlMs how long an isolate may answer without hearing of what others write */
  constructor(maxTtlMs: number, budget: IsolateBudget | null = null) {
    this.maxTtlMs = maxTtlMs
    this.#budget = budget
    budget?.register(this)
  }

  get bytes(): number {
    return this.#bytes
  }

  get entries(): number {
    return this.#kept.size
  }

  evict(): boolean {
    const [oldest] = this.#kept.keys()
    if (oldest === undefined) return false
    this.#delete(oldest)
    return true
  }

  mayHaveForgotten(): boolean {
    return false
  }

  async read(keys: readonly string[]): Promise<(string | null)[]> {
    return keys.map((key) => this.#get(key))
  }

  async begin(missing: readonly Stored[], lease: Lease | null) {
    const values = missing.map((stored) => {
      const known = this.#get(stored.key)
      if (known !== null) return known
      const value = this.#knowing(stored.value)
      this.#set({ ...stored, value })
      return value
    })
    const leased = lease !== null && this.#get(lease.key) === null
    if (leased) this.#set({ key: lease.key, value: lease.token, ttlMs: lease.ttlMs })
    return { values, leased }
  }

  async fill(entry: Stored | null, lease: Lease | null): Promise<void> {
    if (entry !== null) this.#set(entry)
    if (lease !== null && this.#get(lease.key) === lease.token) this.#delete(lease.key)
  }

  async renew(generations: readonly Renewal[]): Promise<void> {
    for (const generation of new Set(generations.map((renewal) => renewal.generation)))
      this.#written = laterOf(this.#written, bookmarksOf(generation))
    for (const { key, generation, isKept } of generations) {
      const before = readGeneration(this.#get(key))
      if (before === null && !isKept) continue
      const value = generationText(renewed(generation, before))
      this.#set({ key, value, ttlMs: generationTtlMs })
    }
  }

  /** A generation that is created: what is read under it must not lack what was written while it was not there. */
  #knowing(text: string): string {
    if (this.#written.size === 0) return text
    const made = parseGeneration(text)
    return generationText({
      ...made,
      bookmarks: Object.fromEntries(laterOf(bookmarksOf(made), this.#written)),
    })
  }

  #get(key: string): string | null {
    const kept = this.#kept.get(key)
    if (kept === undefined) return null
    if (kept.until > Date.now()) return kept.value
    this.#delete(key)
    return null
  }

  #set({ key, value, ttlMs }: Stored): void {
    this.#delete(key)
    this.#kept.set(key, { value, until: Date.now() + ttlMs })
    this.#bytes += bytesOf(key, value)
    while (this.#bytes > maxBytes && this.evict());
    this.#budget?.settle()
  }

  #delete(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    this.#bytes -= bytesOf(key, kept.value)
  }
}

function bytesOf(key: string, value: string): number {
  return overheadBytes + textBytes(key) + textBytes(value)
}
