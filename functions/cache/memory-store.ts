import type { IsolateBudget, Keeper } from '../../db/memory/isolate-budget.ts'
import { textBytes } from '../../db/memory/size-of.ts'
import type { CacheStore, Lease, Renewal, Stored } from './cache-store.ts'
import { generationText, generationTtlMs, readGeneration, renewed, replicaLagMs } from './generation.ts'

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
/** What is left to it when others want room: what it forgets has the primary database asked. */
const floorBytes = 4_000_000

/** A store in the isolate: for local use, and for deployments without Redis, whose isolates know nothing of each other. */
export class MemoryStore implements CacheStore, Keeper {
  readonly name = 'memory'
  readonly floorBytes = floorBytes
  readonly weight = 1
  readonly isLocal = true
  readonly maxTtlMs: number
  readonly #kept = new Map<string, Kept>()
  readonly #budget: IsolateBudget | null
  #bytes = 0
  #forgotAt = 0

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
    this.#forgotAt = Date.now()
    this.#delete(oldest)
    return true
  }

  mayHaveForgotten(): boolean {
    return Date.now() - this.#forgotAt < replicaLagMs
  }

  async read(keys: readonly string[]): Promise<(string | null)[]> {
    return keys.map((key) => this.#get(key))
  }

  async begin(missing: readonly Stored[], lease: Lease | null) {
    const values = missing.map((stored) => {
      const known = this.#get(stored.key)
      if (known === null) this.#set(stored)
      return known ?? stored.value
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
    for (const { key, generation } of generations) {
      const value = generationText(renewed(generation, readGeneration(this.#get(key))))
      this.#set({ key, value, ttlMs: generationTtlMs })
    }
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
