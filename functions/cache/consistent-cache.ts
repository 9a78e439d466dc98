/**
 * Answers from the cache, and fills it. `README.md` tells the protocol and argues why it is right.
 * @module
 */
import { pause } from '../../db/cluster/pause.ts'
import { laterOf } from '../../db/cluster/session.ts'
import { isShareTaken } from '../../db/errors/errors.ts'
import { RecentMap } from '../../db/memory/recent-map.ts'
import { Coalescer, within } from '../core/coalescer.ts'
import { hashText } from '../core/hash-text.ts'
import { type CacheEntry, entryText } from './cache-entry.ts'
import {
  type CacheQuery,
  direct,
  type Filled,
  type FillTerms,
  isBehind,
  isCurrent,
  isDueSoon,
  isServable,
  type Served,
  served,
} from './cache-query.ts'
import type { CacheStore, Lease } from './cache-store.ts'
import type { FirstLevel } from './first-level.ts'
import {
  bookmarksOf,
  type Generation,
  generationText,
  generationTtlMs,
  makeGeneration,
  needsPrimary,
  parseGeneration,
} from './generation.ts'
import { type Look, StoreLook } from './store-look.ts'
import { Worth } from './worth.ts'

type Read = (terms: FillTerms) => Promise<Filled>

/** A fill that others wait for. */
type Pending = Promise<{ readonly served: Served; readonly generations: readonly string[] }>

export interface CacheOptions {
  readonly prefix: string
  /** Largest entry that is kept, in characters. */
  readonly maxEntryLength: number
  /** How long the right to fill a key lasts, and others wait for it, in milliseconds. */
  readonly leaseMs: number
  /** Whether reads go by the cache where it costs more than it saves. */
  readonly judges: boolean
}

/** How long one request waits for what another does, in milliseconds: that may have been ended in the middle. */
const maxSharedReadMs = 3000

/** Times that a request tries to share another's fill before it begins its own. */
const maxJoins = 3

/** Fills that others may join. */
const maxPending = 1000
/** Of their keys, which hold what callers ask. */
const maxPendingBytes = 1_000_000

/** Places for the times at which an isolate has written tags. */
const maxWritten = 8192

/** How often others look whether the entry has come, in milliseconds. */
const lookAgainMs = 20

/**
 * Answers that are served only while nothing they were made from has changed: each keeps the generations of its tags from before it was
 * made, and is stale once one of them is another. Times are in milliseconds, sizes in characters. README.md tells the protocol.
 */
export class ConsistentCache {
  readonly #store: CacheStore
  readonly #first: FirstLevel
  readonly #options: CacheOptions
  readonly #looks: StoreLook
  readonly #worth: Worth
  readonly #rounds = new Coalescer<Filled>(maxSharedReadMs)
  /** When a tag was written last, by the hash of the tag: of those that share one, the last of all. Milliseconds since 1970. */
  readonly #written = new Float64Array(maxWritten)
  /** Bounded: of a request that was ended in the middle, nobody takes the fill away. */
  readonly #pending = new RecentMap<Pending>({
    maxEntries: maxPending,
    maxBytes: maxPendingBytes,
    maxEntryBytes: maxPendingBytes,
  })

  constructor(store: CacheStore, first: FirstLevel, options: CacheOptions) {
    this.#store = store
    this.#first = first
    this.#looks = new StoreLook(store, options.prefix)
    this.#options = options
    this.#worth = new Worth(store.isLocal)
  }

  /**
   * Serves an answer that is made from current rows and not behind what the session has seen.
   *
   * @returns null when the request wants a cached answer only, and there is none
   */
  async get(query: CacheQuery, read: Read): Promise<Served | null> {
    const { directives, seen } = query
    const isJudged = this.#options.judges && !directives.noCache && !directives.onlyIfCached
    const writtenAt = this.#writtenAt(query.tags)
    const held = this.#first.get(query.key)
    // By a lease, nothing that was acknowledged is missing, whoever wrote it.
    const { leaseMs = 0, maxStaleMs, who } = query
    const mayServe =
      held !== null &&
      (this.#isAllowed(query, held.checkedAt, leaseMs) ||
        (who === null && this.#isAllowed(query, held.checkedAt, maxStaleMs)))
    if (mayServe && isServable(held.entry, query, seen)) {
      this.#worth.note(query, 'hit-at-once', writtenAt)
      return served(held.entry, 'first-level')
    }
    // What is as good as another read of the databases: the primary has all that was acknowledged.
    const isWorth = !isJudged || this.#worth.isWorth(query, writtenAt)
    if (!isWorth) return this.#around(query, seen, read)
    const began = Date.now()
    let look: Look
    try {
      look = await this.#looks.ask(query, held)
      this.#worth.tookStore(Date.now() - began)
    } catch {
      return directives.onlyIfCached ? null : this.#around(query, seen, read)
    }
    const all = laterOf(seen, look.lastWrites)
    const hit = this.#hit(query, look, all)
    if (hit) {
      this.#worth.note(query, 'hit', writtenAt)
      if (isDueSoon(look.entry as CacheEntry))
        query.later(this.#fill(query, look, all, read, true).catch(() => null))
      return hit
    }
    if (directives.onlyIfCached) return null
    const { entry } = look
    if (entry && this.#isAllowed(query, look.checkedAt, maxStaleMs) && isServable(entry, query, all)) {
      query.later(this.#fill(query, look, all, read).catch(() => null))
      return served(entry, look.from)
    }
    const why = directives.noCache ? 'request' : entry ? 'stale' : 'uri-miss'
    const filled = await this.#fill(query, look, all, read)
    return { ...filled, forwarded: filled.forwarded && why }
  }

  /** Notes what this isolate has written: that is seen here at once, whatever age tables allow. */
  wrote(tags: readonly string[]): void {
    const now = Date.now()
    for (const tag of tags) this.#written[hashText(tag) % maxWritten] = now
  }

  /** Whether an entry that was current at a time may be served without asking whether it still is. */
  #isAllowed({ tags }: CacheQuery, checkedAt: number, ageMs: number): boolean {
    if (Date.now() - checkedAt >= ageMs) return false
    return this.#writtenAt(tags) < checkedAt
  }

  /** When this isolate has written any of the tags last; or one of the same hash. */
  #writtenAt(tags: readonly string[]): number {
    return tags.reduce((last, tag) => Math.max(last, this.#written[hashText(tag) % maxWritten] as number), 0)
  }

  #hit(query: CacheQuery, look: Look, seen: ReadonlyMap<string, string>): Served | null {
    const { entry, generations, from } = look
    if (!entry || !isServable(entry, query, seen) || !isCurrent(entry, generations, query)) return null
    this.#first.put(query.key, entry, look.asked)
    return served(entry, from)
  }

  /** Reads the databases, and notes how long that took. */
  async #timed(query: CacheQuery, terms: FillTerms, read: Read): Promise<Filled> {
    const began = Date.now()
    const filled = await read(terms)
    this.#worth.tookDatabase(query, Date.now() - began)
    return filled
  }

  /** Reads without the store: at most two at a time for a key, the second for all who came during the first. */
  async #around(query: CacheQuery, seen: ReadonlyMap<string, string>, read: Read): Promise<Served> {
    const shared = this.#rounds.run(query.key, () => this.#timed(query, { seen, primary: true }, read))
    query.later(shared.catch(() => null))
    const filled = await shared
    return direct(isBehind(filled.bookmarks, seen) ? await read({ seen, primary: true }) : filled, 'bypass')
  }

  /** Reads the databases and keeps the answer; one at a time for each key and state of its tags. */
  async #fill(
    query: CacheQuery,
    first: Look,
    seen: ReadonlyMap<string, string>,
    read: Read,
    refreshes = false,
  ): Promise<Served> {
    let look = first
    for (let tries = 0; ; tries++) {
      const ids = look.generations.map((generation, i) => generation?.id ?? query.tags[i])
      const state = [query.key, ...ids].join()
      const pending = this.#pending.get(state)
      if (!pending || query.directives.noCache || tries >= maxJoins) {
        if (!query.directives.noCache)
          this.#worth.note(query, look.entry ? 'stale' : 'miss', this.#writtenAt(query.tags))
        return this.#begin(state, query, this.#fillAlone(query, look, seen, read, refreshes))
      }
      const joined = await this.#join(query, state, pending, look, seen)
      if (joined) {
        // What it has waited for, others would have read as well.
        this.#worth.note(query, 'hit', this.#writtenAt(query.tags))
        return joined
      }
      // Things have changed meanwhile: whoever else has seen that shares the next fill.
      const again = await this.#looks.ask(query, this.#first.get(query.key)).catch(() => null)
      if (again === null) return this.#around(query, seen, read)
      look = again
      const hit = this.#hit(query, look, seen)
      if (hit) return hit
    }
  }

  /** Lets others join a fill until it comes to its end. */
  async #begin(state: string, query: CacheQuery, pending: Pending): Promise<Served> {
    this.#pending.set(state, pending)
    query.later(pending.catch(() => null))
    try {
      return (await pending).served
    } finally {
      if (this.#pending.get(state) === pending) this.#pending.delete(state)
    }
  }

  /** Waits for another's fill; null when what it found is not for this session, or may be from before its time. */
  async #join(
    query: CacheQuery,
    state: string,
    pending: Pending,
    look: Look,
    seen: ReadonlyMap<string, string>,
  ) {
    const oldest = query.directives.maxAgeMs ?? Number.POSITIVE_INFINITY
    const result = await within(maxSharedReadMs, pending).catch((error) => {
      if (isShareTaken(error)) return null
      throw error
    })
    if (result === null) {
      // Whoever began it is gone, or stuck: the first of those who waited begins anew, and the others join that.
      if (this.#pending.get(state) === pending) this.#pending.delete(state)
      return null
    }
    const { served, generations } = result
    if (isBehind(served.bookmarks, seen) || served.ageMs > oldest) return null
    if (!look.generations.includes(null)) return served
    // A generation that is missing says nothing: what the fill began with must be what is there now.
    const now = await this.#looks.generations(query).catch(() => null)
    return now?.every((generation, i) => generation?.id === generations[i]) ? served : null
  }

  async #fillAlone(
    query: CacheQuery,
    look: Look,
    seen: ReadonlyMap<string, string>,
    read: Read,
    refreshes: boolean,
  ): Pending {
    const { leaseMs, maxEntryLength } = this.#options
    const missing = query.tags.filter((_, i) => look.generations[i] === null)
    const key = this.#store.isLocal ? null : await this.#looks.entryKey(query.key)
    const lease = key === null ? null : { key: `${key}:lease`, token: crypto.randomUUID(), ttlMs: leaseMs }
    let begun: Awaited<ReturnType<CacheStore['begin']>>
    try {
      begun = await this.#store.begin(
        missing.map((tag) => ({
          key: this.#looks.generationKey(tag),
          value: generationText(makeGeneration()),
          ttlMs: generationTtlMs,
        })),
        lease,
      )
    } catch {
      return { served: await this.#around(query, seen, read), generations: [] }
    }
    let { asked } = look
    let generations = look.generations.map(
      (generation, i) =>
        generation ?? parseGeneration(begun.values[missing.indexOf(query.tags[i] as string)] as string),
    )
    // Another's fill may have come to its end since this one looked.
    const entry = refreshes ? null : this.#first.get(query.key)?.entry
    if (entry && isServable(entry, query, seen) && isCurrent(entry, generations, query)) {
      if (begun.leased) query.later(this.#store.fill(null, lease).catch(() => null))
      return { served: served(entry, 'first-level'), generations: entry.generations }
    }
    if (lease && !begun.leased && !query.directives.noCache) {
      const waited = await this.#await(query, lease, seen)
      if (waited?.hit) return { served: waited.hit, generations: waited.generations.map(({ id }) => id) }
      if (waited) {
        generations = waited.generations
        asked = waited.asked
      }
    }
    const granted = begun.leased ? lease : null
    let filled: Filled
    const began = Date.now()
    try {
      const written = generations.map(bookmarksOf)
      const forgets = this.#store.mayHaveForgotten()
      const primary = forgets && generations.some((generation) => needsPrimary(generation, began))
      filled = await this.#timed(query, { seen: written.reduce(laterOf, seen), primary }, read)
    } catch (error) {
      if (granted) query.later(this.#store.fill(null, granted).catch(() => null))
      throw error
    }
    const { answer, bookmarks, whole } = filled
    const isTooLarge = (answer.body?.length ?? 0) > maxEntryLength
    if (isTooLarge) this.#worth.tooLarge(query)
    const keeps = whole && !query.directives.noStore && !isTooLarge
    const ttlMs = Math.min(query.ttlMs, this.#store.maxTtlMs) * (0.8 + 0.2 * Math.random())
    const ids = generations.map(({ id }) => id)
    const own = {
      answer,
      generations: ids,
      bookmarks,
      at: asked,
      until: asked + ttlMs,
      tookMs: Date.now() - began,
    }
    if (keeps) this.#first.put(query.key, own, asked)
    // Others wait while it is held: what could not be kept is at least given back.
    const giveBack = () => granted && this.#store.fill(null, granted)
    if (key)
      query.later(
        this.#keep(key, keeps ? own : null, granted)
          .catch(giveBack)
          .catch(() => null),
      )
    return {
      served: { ...direct(filled, 'uri-miss'), stored: keeps, ttlMs },
      generations: ids,
    }
  }

  async #keep(key: string, entry: CacheEntry | null, lease: Lease | null): Promise<void> {
    const stored = entry && {
      key,
      value: await entryText(entry),
      ttlMs: Math.max(1, Math.round(entry.until - Date.now())),
    }
    await this.#store.fill(stored, lease)
  }

  /**
   * Waits for whoever has the lease, while they have it; what the tags are by now, when nothing came: it was made under others, is not kept,
   * or its maker is gone.
   */
  async #await(query: CacheQuery, lease: Lease, seen: ReadonlyMap<string, string>) {
    let last: { hit: Served | null; generations: Generation[]; asked: number } | null = null
    for (let waited = 0; waited < this.#options.leaseMs; waited += lookAgainMs) {
      await pause(lookAgainMs)
      const found = await this.#looks.again(query, lease.key).catch(() => null)
      if (found === null || found.look.generations.includes(null)) return last
      const hit = this.#hit(query, found.look, seen)
      last = { hit, generations: found.look.generations as Generation[], asked: found.look.asked }
      if (hit || !found.isHeld) return last
    }
    return last
  }
}
