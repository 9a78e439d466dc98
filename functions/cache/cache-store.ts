/**
 * What the cache needs of a store. Values are text; everything in it may vanish at any time, and nothing that has vanished
 * may come back.
 * @module
 */

import type { Generation } from './generation.ts'

/** A value that is put under a key for so long, in milliseconds. */
export interface Stored {
  readonly key: string
  readonly value: string
  readonly ttlMs: number
}

/** The right to fill a key, for so long: others wait for who has it. */
export interface Lease {
  readonly key: string
  readonly token: string
  readonly ttlMs: number
}

/** A generation that is to take the place of another. */
export interface Renewal {
  readonly key: string
  readonly generation: Generation
  /** Whether it is kept also where there is none to be replaced: callers' last writes are. */
  readonly isKept?: true
}

export interface CacheStore {
  /** What the answer of a request says of where it came from. */
  readonly name: string
  /** Longest life of an entry, in milliseconds: where nobody else hears of writes, it must be short. */
  readonly maxTtlMs: number
  /** Whether asking it costs no call, so that nothing need be kept before it. */
  readonly isLocal: boolean
  /** Whether a generation that is missing may have been there a moment ago. */
  mayHaveForgotten(): boolean
  /** Values of keys, null for those that are not there; in one round trip. */
  read(keys: readonly string[]): Promise<(string | null)[]>
  /**
   * Creates what is missing and asks for a lease, in one round trip.
   *
   * @returns the value that each of the keys has now, and whether the lease was granted
   */
  begin(
    missing: readonly Stored[],
    lease: Lease | null,
  ): Promise<{ readonly values: readonly string[]; readonly leased: boolean }>
  /** Puts an entry, and gives a lease back if its token is still the one that was granted. */
  fill(entry: Stored | null, lease: Lease | null): Promise<void>
  /**
   * Replaces generations; each new one keeps the bookmarks of the one before where these are later. Writers do not come in
   * the order of their transactions: what is read under the last one's generation must not lack another's write. Fails
   * unless the old ones are gone for all who read. Of those that are not there, which nobody holds, a store may keep no more than what is
   * needed so that those that are created later know of the writes.
   */
  renew(generations: readonly Renewal[]): Promise<void>
  /** What is to be done now so that the store is trusted after this as well; null, or left out: nothing. */
  keepAlive?(): Promise<unknown> | null
  /** Whether callers' last writes may be missing that were made a while ago. */
  mayMissWrites?(): boolean
}
