import type { CacheStore, Lease, Renewal, Stored } from './cache-store.ts'
import { generationText, generationTtlMs, readGeneration, renewed, replicaLagMs } from './generation.ts'

interface Kept {
  readonly value: string
  readonly until: number
}

/**
 * Most that it holds, in characters: entries are kept a second time in the first level, so this is for generations mostly.
 */
const maxCharacters = 16_000_000

/** A store in the isolate: for local use, and for deployments without Redis, whose isolates know nothing of each other. */
export class MemoryStore implements CacheStore {
  readonly name = 'memory'
  readonly isLocal = true
  readonly maxTtlMs: number
  readonly #kept = new Map<string, Kept>()
  #characters = 0
  #forgotAt = 0

  /** @param maxTtlMs how long an isolate may answer without hearing of what others write */
  constructor(maxTtlMs: number) {
    this.maxTtlMs = maxTtlMs
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
    this.#characters += key.length + value.length
    for (const oldest of this.#kept.keys()) {
      if (this.#characters <= maxCharacters) break
      this.#forgotAt = Date.now()
      this.#delete(oldest)
    }
  }

  #delete(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    this.#characters -= key.length + kept.value.length
  }
}
