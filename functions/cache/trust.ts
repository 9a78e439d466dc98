/**
 * Trust in a store that others write to as well: a key in it that lives for a short time, and that one keeper alone renews. Whoever
 * reads the store reads it along; without it, nothing that the store holds is served.
 * @module
 */
import type { Renewal } from './cache-store.ts'

/** How the key's life goes on: each value is later than the one before. */
export interface Trust {
  /** Which life of the key it is; greater after each time that it was gone. */
  readonly incarnation: number
  /** Which renewal of that life. */
  readonly number: number
  /** When that life began, in milliseconds since 1970. */
  readonly since: number
}

/** Where it lies in the store. */
export function trustKey(prefix: string): string {
  return `${prefix}:trust`
}

export function trustText({ incarnation, number, since }: Trust): string {
  return JSON.stringify([incarnation, number, since])
}

/** What the store has under the key; null when that is nothing to trust. */
export function parseTrust(text: string | null | undefined): Trust | null {
  if (!text?.startsWith('[')) return null
  const [incarnation, number, since] = JSON.parse(text) as unknown[]
  if (typeof incarnation !== 'number' || typeof number !== 'number' || typeof since !== 'number') return null
  return { incarnation, number, since }
}

export function isOlder(one: Trust, other: Trust): boolean {
  return (
    one.incarnation < other.incarnation ||
    (one.incarnation === other.incarnation && one.number < other.number)
  )
}

/** What became of generations that a writer could not replace. */
export type Delivery =
  /** They are replaced. */
  | 'delivered'
  /** Nobody trusts the store any more, until they are. */
  | 'distrusted'

/** Why nobody trusts the store, and since when, in milliseconds since 1970. */
export interface Distrust {
  readonly since: number
  readonly why: string
}

/** The relay that is no database's, and keeps the trust. */
export const keeperName = 'cache'

/** What isolates ask of the keeper. */
export interface KeeperAccess {
  /**
   * Renews the key.
   *
   * @param isMissing whether it was looked for and is not there
   * @returns whether it is there
   */
  trust(isMissing: boolean): Promise<boolean>
  /** Replaces generations from where the keeper is; or waits until nobody trusts what the store says. */
  deliver(generations: readonly Renewal[]): Promise<Delivery>
  /** Null: the store is trusted, as far as anybody has asked. */
  distrust(): Promise<Distrust | null>
}

/** The store must not be believed now: it may hold what was true before a write that has been acknowledged. */
export class StoreDistrusted extends Error {
  constructor() {
    super('the cache store is not to be trusted now')
    this.name = 'StoreDistrusted'
  }
}

/** The store answers from a state that is older than one that it has shown before. */
export class StoreLags extends Error {
  constructor() {
    super('the cache store answers with what it held before')
    this.name = 'StoreLags'
  }
}
