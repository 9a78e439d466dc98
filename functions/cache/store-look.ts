/**
 * Asks the store what a read must know: what its tags are now, the entry that there may be, and the caller's last writes.
 * @module
 */

import { Coalescer } from '../core/coalescer.ts'
import { type CacheEntry, parseEntry } from './cache-entry.ts'
import { type CacheQuery, isCurrent } from './cache-query.ts'
import type { CacheStore } from './cache-store.ts'
import type { Held } from './first-level.ts'
import { type Generation, generationKey, readGeneration } from './generation.ts'
import { LastWrites, lastWritesKey } from './last-writes.ts'

/** How long one request waits for what another asks, in milliseconds: that may have been ended in the middle. */
const maxSharedMs = 500

/** What one look at the store found. */
export interface Look {
  readonly generations: readonly (Generation | null)[]
  /** The entry that may be served if the generations are its own: the isolate's, or the store's. */
  readonly entry: CacheEntry | null
  readonly from: 'first-level' | 'store'
  /** When the entry was last known to be current. */
  readonly checkedAt: number
  /** When the store was asked. */
  readonly asked: number
  readonly lastWrites: ReadonlyMap<string, string>
}

export class StoreLook {
  readonly #store: CacheStore
  readonly #prefix: string
  readonly #looks = new Coalescer<Look>(maxSharedMs)

  constructor(store: CacheStore, prefix: string) {
    this.#store = store
    this.#prefix = prefix
  }

  /** Asks the store for generations, and for the entry unless the isolate has one, in one round trip. */
  ask(query: CacheQuery, held: Held | null): Promise<Look> {
    const work = async (): Promise<Look> => {
      const wantsEntry = held === null && !this.#store.isLocal
      const asked = Date.now()
      const found = await this.#store.read([
        ...query.tags.map((tag) => this.generationKey(tag)),
        ...(query.who === null ? [] : [lastWritesKey(this.#prefix, query.who)]),
        ...(wantsEntry ? [await this.entryKey(query.key)] : []),
      ])
      const kept = this.#store.keepAlive?.()
      if (kept) query.later(kept.catch(() => null))
      const generations = query.tags.map((_, i) => readGeneration(found[i]))
      const lastWrites = LastWrites.parse(query.who === null ? null : found[query.tags.length])
      const text = wantsEntry ? (found.at(-1) ?? null) : null
      if (held === null) {
        const entry = text === null ? null : await parseEntry(text)
        return { generations, entry, from: 'store', checkedAt: entry?.at ?? 0, asked, lastWrites }
      }
      if (isCurrent(held.entry, generations, query)) held.checkedAt = asked
      else if (!this.#store.isLocal) {
        // Another isolate may have put a newer one into the store.
        const entry = await this.#entry(query.key)
        if (entry) return { generations, entry, from: 'store', checkedAt: entry.at, asked, lastWrites }
      }
      const { entry, checkedAt } = held
      return { generations, entry, from: 'first-level', checkedAt, asked, lastWrites }
    }
    if (this.#store.isLocal) return work()
    const look = this.#looks.run(
      `${held === null ? 0 : held.entry.at}\n${query.who ?? ''}\n${query.key}`,
      work,
    )
    query.later(look.catch(() => null))
    return look
  }

  /** Looks for what another has the lease to fill, and whether it still has it: both of one moment. */
  async again(
    query: CacheQuery,
    leaseKey: string,
  ): Promise<{ readonly look: Look; readonly isHeld: boolean }> {
    const asked = Date.now()
    const keys = query.tags.map((tag) => this.generationKey(tag))
    const found = await this.#store.read([...keys, await this.entryKey(query.key), leaseKey])
    const text = found[keys.length] ?? null
    const entry = text === null ? null : await parseEntry(text)
    const generations = keys.map((_, i) => readGeneration(found[i]))
    const look = {
      generations,
      entry,
      from: 'store',
      checkedAt: entry?.at ?? 0,
      asked,
      lastWrites: new Map(),
    } as const
    return { look, isHeld: (found[keys.length + 1] ?? null) !== null }
  }

  async #entry(key: string): Promise<CacheEntry | null> {
    const [text = null] = await this.#store.read([await this.entryKey(key)])
    return text === null ? null : parseEntry(text)
  }

  async generations({ tags }: CacheQuery): Promise<(Generation | null)[]> {
    const found = await this.#store.read(tags.map((tag) => this.generationKey(tag)))
    return found.map(readGeneration)
  }

  generationKey(tag: string): string {
    return generationKey(this.#prefix, tag)
  }

  async entryKey(key: string): Promise<string> {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)))
    return `${this.#prefix}:e:${btoa(String.fromCharCode(...digest))}`
  }
}
