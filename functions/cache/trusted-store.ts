import { Coalescer, within } from '../core/coalescer.ts'
import type { CacheStore, Lease, Renewal, Stored } from './cache-store.ts'
import { replicaLagMs } from './generation.ts'
import { isOlder, type KeeperAccess, parseTrust, StoreDistrusted, StoreLags, type Trust } from './trust.ts'

/** How long a read waits for the keeper at most, in milliseconds; then the databases answer. */
const maxWaitMs = 1000

/** How long nobody asks a keeper again that has refused, in milliseconds. */
const refusedMs = 300

export interface TrustOptions {
  /** Where the trust lies in the store. */
  readonly key: string
  /** How long it lives, in milliseconds. */
  readonly ttlMs: number
  /** Null: there is none, and so nothing is trusted. */
  readonly keeper: KeeperAccess | null
}

/**
 * Believes a store only while it holds the keeper's key, which is read in the same command as what is asked for. After a silence
 * the key is gone: then the first read asks the keeper for it, and the store once more.
 */
export class TrustedStore implements CacheStore {
  readonly name: string
  readonly maxTtlMs: number
  readonly isLocal: boolean
  readonly #store: CacheStore
  readonly #options: TrustOptions
  readonly #asks = new Coalescer<boolean>(maxWaitMs)
  /** The latest that it has shown, when that was first seen, and when others than the first are to have it renewed. */
  #known: Trust | null = null
  #dueAt = 0
  #refusedUntil = 0

  constructor(store: CacheStore, options: TrustOptions) {
    this.#store = store
    this.#options = options
    this.name = store.name
    this.maxTtlMs = store.maxTtlMs
    this.isLocal = store.isLocal
  }

  mayHaveForgotten(): boolean {
    return this.#store.mayHaveForgotten()
  }

  /** Whether callers' last writes may be missing: what had no place to go before this life of the key is in no store. */
  mayMissWrites(): boolean {
    return this.#known === null || Date.now() - this.#known.since < replicaLagMs
  }

  async read(keys: readonly string[]): Promise<(string | null)[]> {
    const found = await this.#readTrusted(keys)
    if (found !== null) return found
    if (!(await this.#obtain())) throw new StoreDistrusted()
    const again = await this.#readTrusted(keys)
    if (again === null) throw new StoreDistrusted()
    return again
  }

  /** Null when the key is not there. */
  async #readTrusted(keys: readonly string[]): Promise<(string | null)[] | null> {
    const before = this.#known
    const [text = null, ...values] = await this.#store.read([this.#options.key, ...keys])
    const trust = parseTrust(text)
    if (trust === null) return null
    // Two reads may cross: what counts is what was known when this one began.
    if (before !== null && isOlder(trust, before)) throw new StoreLags()
    if (this.#known === null || isOlder(this.#known, trust)) {
      this.#known = trust
      // Isolates think of it at different times: the first renews it, and the others see that.
      this.#dueAt = Date.now() + this.#options.ttlMs * (0.4 + 0.4 * Math.random())
    }
    return values
  }

  async #obtain(): Promise<boolean> {
    const { keeper } = this.#options
    if (keeper === null || Date.now() < this.#refusedUntil) return false
    const asked = this.#asks.run('', () => keeper.trust(true)).catch(() => false)
    const granted = (await within(maxWaitMs, asked)) ?? false
    if (!granted) this.#refusedUntil = Date.now() + refusedMs
    return granted
  }

  /** Renews the key before it is gone, when it is time; nobody need wait for that. */
  keepAlive(): Promise<unknown> | null {
    const now = Date.now()
    if (now < this.#dueAt || this.#options.keeper === null || this.#known === null) return null
    this.#dueAt = now + this.#options.ttlMs / 4
    return this.#options.keeper.trust(false)
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
