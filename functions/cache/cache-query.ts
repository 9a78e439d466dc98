/**
 * What is asked of the cache and what it serves, and which entries are good for whom.
 * @module
 */
import type { CachedAnswer, CacheEntry } from './cache-entry.ts'
import { touchesSince } from './change-window.ts'
import { type Footprint, isTouched } from './footprint.ts'
import type { Generation } from './generation.ts'

/** What is asked of the cache. */
export interface CacheQuery {
  /** The canonical request, with all that its answer depends on but the rows. */
  readonly key: string
  /** What it has in common with requests that differ in their values alone: whether keeping them pays is judged together. */
  readonly shape: string
  /** Everything that the answer is made from. */
  readonly tags: readonly string[]
  /** For each tag, what of its table the answer is made from; null: all of it, as for each when left out. */
  readonly footprints?: readonly (Footprint | null)[]
  readonly ttlMs: number
  /** How long an answer may be served without asking whether it is current, in milliseconds. */
  readonly maxStaleMs: number
  /** How long writers wait for those who serve what was current, in milliseconds. Default 0. */
  readonly leaseMs?: number
  /** Bookmarks that the session has seen. */
  readonly seen: ReadonlyMap<string, string>
  /** Whose last writes must be seen, too; null for nobody's. */
  readonly who: string | null
  readonly directives: CacheDirectives
  /** Keeps the isolate alive for work that others wait for, or that follows the answer. */
  readonly later: (work: Promise<unknown>) => void
}

/** What a request says in `Cache-Control` (RFC 9111, 5.2.1). */
export interface CacheDirectives {
  /** Not to answer from the cache. */
  readonly noCache: boolean
  /** Not to keep the answer, either. */
  readonly noStore: boolean
  readonly maxAgeMs: number | null
  readonly onlyIfCached: boolean
}

/** How the databases must be read to fill the cache. */
export interface FillTerms {
  /** Bookmarks that the answer must not be behind. */
  readonly seen: ReadonlyMap<string, string>
  /** Whether replicas may not answer. */
  readonly primary: boolean
}

export interface Filled {
  readonly answer: CachedAnswer
  /** Where the databases stood that were read. */
  readonly bookmarks: ReadonlyMap<string, string>
  /** Whether it is the whole answer, which others may have as well. */
  readonly whole: boolean
}

/** An answer and where it comes from. */
export interface Served {
  readonly answer: CachedAnswer
  readonly from: 'first-level' | 'store' | 'database'
  /** Why the databases were asked, as RFC 9211 has it; null when they were not. */
  readonly forwarded: 'uri-miss' | 'stale' | 'request' | 'bypass' | null
  readonly stored: boolean
  /** In milliseconds: since it was read, and until it leaves the cache. */
  readonly ageMs: number
  readonly ttlMs: number
  /** What a read through the databases has seen. */
  readonly bookmarks: ReadonlyMap<string, string>
}

// --- which entries are good for whom ---------------------------------------------------------------------------------

/** Whether an entry is young enough and not behind the session. */
export function isServable(
  entry: CacheEntry,
  { directives }: CacheQuery,
  seen: ReadonlyMap<string, string>,
): boolean {
  const now = Date.now()
  if (directives.noCache || now >= entry.until) return false
  if (directives.maxAgeMs !== null && now - entry.at > directives.maxAgeMs) return false
  return !isBehind(entry.bookmarks, seen)
}

/** Whether nothing that an entry was made from has changed: its generations are current, or what has changed since does not touch it. */
export function isCurrent(
  entry: CacheEntry,
  generations: readonly (Generation | null)[],
  { footprints }: Pick<CacheQuery, 'footprints'>,
): boolean {
  if (entry.generations.length !== generations.length) return false
  let outlived = false
  for (let i = 0; i < generations.length; i++) {
    const generation = generations[i]
    if (!generation) return false
    if (generation.id === entry.generations[i]) continue
    if (!isOutlived(entry, i, generation, footprints?.[i] ?? null)) return false
    outlived = true
  }
  // Its own tokens stay what they were: those that are made of it bind no later read.
  if (outlived) entry.outlived = generations.map((generation) => generation?.id as string)
  return true
}

/** Whether an entry was made from nothing that has changed between the token of one of its tags and the current one. */
function isOutlived(
  entry: CacheEntry,
  i: number,
  generation: Generation,
  footprint: Footprint | null,
): boolean {
  const token = entry.generations[i]
  const checked = entry.outlived?.[i] ?? null
  if (checked === generation.id) return true
  if (footprint === null || token === undefined) return false
  const touches = touchesSince(generation, token, checked)
  return touches?.every((touch) => !isTouched(footprint, entry.answer.body, touch)) ?? false
}

/** Whether a database had been seen further than an answer was read from it. */
export function isBehind(bookmarks: ReadonlyMap<string, string>, seen: ReadonlyMap<string, string>): boolean {
  for (const [database, bookmark] of bookmarks) {
    const known = seen.get(database)
    if (known !== undefined && bookmark < known) return true
  }
  return false
}

/** Whether one of the callers should read it anew before it expires: the likelier, the nearer and the dearer that is. */
export function isDueSoon({ until, tookMs }: CacheEntry): boolean {
  return Date.now() - tookMs * Math.log(Math.random()) >= until
}

export function served(entry: CacheEntry, from: 'first-level' | 'store'): Served {
  const { answer, at, until, bookmarks } = entry
  const now = Date.now()
  return { answer, from, forwarded: null, stored: true, ageMs: now - at, ttlMs: until - now, bookmarks }
}

export function direct({ answer, bookmarks }: Filled, forwarded: 'uri-miss' | 'bypass'): Served {
  return { answer, from: 'database', forwarded, stored: false, ageMs: 0, ttlMs: 0, bookmarks }
}
