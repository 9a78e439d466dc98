import type { CacheStore, Lease, Renewal, Stored } from './cache-store.ts'

/** Failures in a row after which the store is left alone. */
const maxFailures = 3
/** How long, at first and at most, in milliseconds. */
const firstPauseMs = 500
const longestPauseMs = 1500

/** The store is not asked now, since it failed a moment ago. */
export class StoreUnavailable extends Error {
  constructor() {
    super('the cache store is left alone for a moment')
    this.name = 'StoreUnavailable'
  }
}

/**
 * Stops asking a store that fails, and lets one call through now and then to see whether it is back. Calls fail at once
 * in the meantime: nothing queues behind a dead store. Reads that are too slow say nothing of renewals, which are given more
 * time: a store that takes them must hear of every write.
 */
export class CircuitBreaker implements CacheStore {
  readonly name: string
  readonly maxTtlMs: number
  readonly isLocal: boolean
  readonly #store: CacheStore
  readonly #reads = new Circuit()
  readonly #renewals = new Circuit()

  constructor(store: CacheStore) {
    this.#store = store
    this.name = store.name
    this.maxTtlMs = store.maxTtlMs
    this.isLocal = store.isLocal
  }

  mayHaveForgotten(): boolean {
    return this.#store.mayHaveForgotten()
  }

  read(keys: readonly string[]) {
    return this.#reads.guard(() => this.#store.read(keys))
  }

  begin(missing: readonly Stored[], lease: Lease | null) {
    return this.#reads.guard(() => this.#store.begin(missing, lease))
  }

  fill(entry: Stored | null, lease: Lease | null) {
    return this.#reads.guard(() => this.#store.fill(entry, lease))
  }

  renew(generations: readonly Renewal[]) {
    return this.#renewals.guard(() => this.#store.renew(generations))
  }
}

class Circuit {
  #failures = 0
  #pauseMs = firstPauseMs
  #closedAgainAt = 0

  async guard<T>(call: () => Promise<T>): Promise<T> {
    if (this.#failures >= maxFailures) {
      const now = Date.now()
      if (now < this.#closedAgainAt) throw new StoreUnavailable()
      // This call is the probe; the others go on without the store until it has come back.
      this.#closedAgainAt = now + this.#pauseMs
      this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2)
    }
    try {
      const result = await call()
      this.#failures = 0
      this.#pauseMs = firstPauseMs
      return result
    } catch (error) {
      this.#failures++
      if (this.#failures === maxFailures) this.#closedAgainAt = Date.now() + this.#pauseMs
      throw error
    }
  }
}
