/**
 * The store of the cache's simulation, as each isolate and the keeper reach it: one state, a replica that may answer reads in its place,
 * and faults that are everybody's or only one's. Time is virtual, and chance comes from a seed.
 * @module
 */
import type { CacheStore, Lease, Stored } from '../../functions/cache/cache-store.ts'
import { generationTtlMs } from '../../functions/cache/generation.ts'
import type { TrustRegister } from '../../functions/cache/trust-keeper.ts'

export const faults = [
  'down',
  'lossy',
  'slow',
  'read-only',
  'full',
  'partial',
  'partial-and-keeper',
  'lagging',
] as const
export type Fault = (typeof faults)[number]

/** What becomes of generations that are replaced, as the code under test has it. */
export type GenerationCode = Pick<
  typeof import('../../functions/cache/generation.ts'),
  'generationText' | 'parseGeneration' | 'renewed'
>

export interface StoreWorld {
  readonly generations: GenerationCode
  /** Does something by the store's own clock. */
  readonly outside: <T>(work: () => T) => T
  readonly random: () => number
  readonly step: () => Promise<void>
  readonly sleep: (maxMs: number) => Promise<void>
  readonly violations: string[]
  /** Whether the store gives leases back without looking at their token. */
  readonly ignoresTokens?: boolean
  /** Whether a new generation forgets what the one before knew. */
  readonly forgetsBookmarks?: boolean
  /** Whether renewals are not looked for by reading. */
  readonly blind?: boolean
  /** Whether a replica that lags answers the first isolate alone. */
  readonly regional?: boolean
}

/** Who asks: an isolate by its number, or the keeper. */
type Asker = number | 'keeper'

interface Value {
  readonly value: string
  readonly until: number
}

/** What a store says when it does nothing. */
class Refused extends Error {}

export class SimulatedStore {
  readonly #world: StoreWorld
  readonly #kept = new Map<string, Value>()
  /** What the replica has, and what it has not applied yet, in order. */
  readonly #replica = new Map<string, Value>()
  #journal: { readonly at: number; readonly key: string; readonly value: Value | null }[] = []
  readonly #leases = new Map<string, { token: string; until: number }[]>()
  #clock = 0
  fault: Fault | 'none' = 'none'
  lagMs = 0
  failures = 0

  constructor(world: StoreWorld) {
    this.#world = world
  }

  // --- its state -------------------------------------------------------------------------------------------------
  #get(key: string): string | null {
    const found = this.#kept.get(key)
    return found && found.until > Date.now() ? found.value : null
  }

  #put(key: string, value: Value | null): void {
    if (value === null) this.#kept.delete(key)
    else this.#kept.set(key, value)
    const last = this.#journal.at(-1)?.at ?? 0
    this.#journal.push({ at: Math.max(last, Date.now() + this.#lag), key, value })
  }

  #set({ key, value, ttlMs }: Stored): void {
    this.#put(key, { value, until: Date.now() + ttlMs })
  }

  get #lag(): number {
    return this.fault === 'lagging' ? this.lagMs : 0
  }

  /** Whether the replica has all that was written. */
  #isLevel(): boolean {
    if (this.#lag === 0) this.#journal = this.#journal.map((entry) => ({ ...entry, at: 0 }))
    while (this.#journal.length > 0 && (this.#journal[0]?.at ?? 0) <= Date.now()) {
      const { key, value } = this.#journal.shift() as { key: string; value: Value | null }
      if (value === null) this.#replica.delete(key)
      else this.#replica.set(key, value)
    }
    return this.#journal.length === 0
  }

  #shown(key: string, asker: Asker): string | null {
    this.#isLevel()
    if (this.#world.regional && asker !== 0) return this.#get(key)
    const found = this.#replica.get(key)
    return found && found.until > Date.now() ? found.value : null
  }

  forget(keys: readonly string[]): void {
    for (const key of keys) this.#put(key, null)
  }

  keys(): string[] {
    return [...this.#kept.keys()]
  }

  flush(): void {
    this.forget(this.keys())
    this.#leases.clear()
  }

  // --- as it is reached ------------------------------------------------------------------------------------------
  #refuses(asker: Asker, takesMemory: boolean): boolean {
    if (this.fault === 'read-only') return true
    if (this.fault === 'full') return takesMemory
    if (this.fault === 'partial') return asker === 1
    return this.fault === 'partial-and-keeper' && (asker === 1 || asker === 'keeper')
  }

  async #call<T>(asker: Asker, kind: 'read' | 'write' | 'delete', work: () => T): Promise<T> {
    const { random, step, sleep, outside } = this.#world
    await step()
    if (this.fault === 'slow') {
      await sleep(60)
      // Whoever asked has given up, and it arrives all the same.
      if (kind !== 'read' && random() < 0.25) {
        const refused = () => this.#refuses(asker, kind === 'write')
        void sleep(4000).then(() => outside(() => (refused() ? null : work())))
        this.failures++
        throw new Error('the store takes too long')
      }
    }
    if (this.fault === 'down' || (this.fault === 'lossy' && random() < 0.3)) {
      this.failures++
      throw new Error('the store fails')
    }
    if (kind !== 'read' && this.#refuses(asker, kind === 'write')) {
      this.failures++
      throw new Refused('the store refuses')
    }
    const result = outside(work)
    await step()
    if (this.fault === 'lossy' && random() < 0.3) {
      this.failures++
      throw new Error('the answer is lost')
    }
    return structuredClone(result)
  }

  /** Whether somebody who reads may be shown what was before; as `RedisStore` finds out. */
  #lagsBehind(asker: Asker): boolean {
    if (this.#world.blind || (this.#world.regional && asker !== 0)) return false
    return !this.#isLevel()
  }

  as(asker: Asker, StoreLags: new () => Error): CacheStore & TrustRegister {
    const { violations, ignoresTokens, forgetsBookmarks, generations } = this.#world
    const giveBack = ({ key, token }: Lease) => {
      const granted = this.#leases.get(key) ?? []
      this.#leases.set(
        key,
        granted.filter((lease) => lease.token !== token),
      )
      if (ignoresTokens || this.#get(key) === token) this.#put(key, null)
    }
    return {
      name: 'simulated',
      maxTtlMs: 20_000,
      isLocal: false,
      mayHaveForgotten: () => true,
      read: (keys) => this.#call(asker, 'read', () => keys.map((key) => this.#shown(key, asker))),
      begin: (missing, lease) =>
        this.#call(asker, 'write', () => {
          const values = missing.map((stored) => {
            const known = this.#get(stored.key)
            if (known === null) this.#set(stored)
            return known ?? stored.value
          })
          const leased = lease !== null && this.#get(lease.key) === null
          if (lease && leased) {
            const others = (this.#leases.get(lease.key) ?? []).filter(({ until }) => until > Date.now())
            if (others.length > 0) violations.push(`two leases of ${lease.key} at once`)
            const granted = { token: lease.token, until: Date.now() + lease.ttlMs }
            this.#leases.set(lease.key, [...others, granted])
            this.#set({ key: lease.key, value: lease.token, ttlMs: lease.ttlMs })
          }
          return { values, leased }
        }),
      fill: (entry, lease) =>
        this.#call(asker, 'write', () => {
          if (entry) this.#set(entry)
          if (lease) giveBack(lease)
        }),
      renew: async (renewals) => {
        await this.#call(asker, this.fault === 'full' ? 'delete' : 'write', () => {
          for (const { key, generation } of renewals) {
            if (this.fault === 'full') {
              this.#put(key, null)
              continue
            }
            const text = this.#get(key)
            const known = text === null ? null : generations.parseGeneration(text)
            const before = forgetsBookmarks && known ? { ...known, bookmarks: null } : known
            const value = generations.generationText(generations.renewed(generation, before))
            this.#set({ key, value, ttlMs: generationTtlMs })
          }
        })
        if (this.#lagsBehind(asker)) throw new StoreLags()
      },
      swap: (key, expected, value, ttlMs) =>
        this.#call(asker, 'write', () => {
          const before = this.#clock
          this.#clock++
          if (this.#get(key) === expected) this.#set({ key, value, ttlMs })
          return { holds: this.#get(key), before, clock: this.#clock }
        }),
      drop: (key) => this.#call(asker, 'delete', () => this.#put(key, null)),
      isRefusal: (error) => error instanceof Refused,
    }
  }
}
