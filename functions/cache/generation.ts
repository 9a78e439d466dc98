/**
 * Generations: the current random token of each tag. A write replaces those of its tags, and whatever was stored under the
 * old ones is never served again. Never a counter: one that was evicted would begin anew, and make old entries valid.
 * @module
 */

import type { Change, ChangeSet } from '../../db/changes/change-log.ts'
import { laterOf } from '../../db/cluster/session.ts'

export interface Generation {
  /** The token. */
  readonly id: string
  /** When it was made, in milliseconds since 1970. */
  readonly at: number
  /** Where the databases stood after the write that made it; null: nobody wrote, it was missing. */
  readonly bookmarks: Readonly<Record<string, string>> | null
  /** Position, after that write, of the change log of the tag's database. */
  readonly upTo: number
  /**
   * Until when a write may be missing from its bookmarks, in milliseconds since 1970: one before it was missing, and nobody knows what that
   * knew. Writers do not come in the order of their transactions, so whoever comes next need not know it either.
   */
  readonly blindUntil: number
}

/** How long generations are kept when nothing touches them, in milliseconds; one that is gone costs a miss. */
export const generationTtlMs = 86_400_000

/** For longer than this replicas do not lag behind, in milliseconds. */
export const replicaLagMs = 60_000

/**
 * A new generation of a tag, like none before.
 *
 * @param bookmarks where the databases stood after the write, by database; null: nobody wrote, it was missing
 * @param upTo sequence of the last change of the log that it stands for
 */
export function makeGeneration(
  bookmarks: ReadonlyMap<string, string> | null = null,
  upTo = 0,
  now = Date.now(),
): Generation {
  // As long as it has taken the place of none that is known.
  const blindUntil = now + replicaLagMs
  return {
    id: crypto.randomUUID(),
    at: now,
    bookmarks: bookmarks && Object.fromEntries(bookmarks),
    upTo,
    blindUntil,
  }
}

export function generationText({ id, at, bookmarks, upTo, blindUntil }: Generation): string {
  return JSON.stringify([id, at, bookmarks, upTo, blindUntil])
}

/** A new generation with whatever its predecessor knew that is later. */
export function renewed(generation: Generation, before: Generation | null): Generation {
  if (before === null) return generation
  const bookmarks = laterOf(bookmarksOf(generation), bookmarksOf(before))
  return {
    ...generation,
    bookmarks: bookmarks.size === 0 ? null : Object.fromEntries(bookmarks),
    upTo: Math.max(generation.upTo, before.upTo),
    blindUntil: before.blindUntil,
  }
}

export function bookmarksOf({ bookmarks }: Generation): ReadonlyMap<string, string> {
  return new Map(Object.entries(bookmarks ?? {}))
}

/** @throws when it is none: then nothing of the store can be trusted */
export function parseGeneration(text: string): Generation {
  const [id, at, bookmarks, upTo, blindUntil = 0] = JSON.parse(text) as [
    string,
    number,
    Generation['bookmarks'],
    number,
    number?,
  ]
  if (typeof id !== 'string' || typeof at !== 'number')
    throw new Error('the store holds a generation that is none')
  return { id, at, bookmarks, upTo, blindUntil }
}

/** What the store has under a generation's key; null when that is missing. */
export function readGeneration(text: string | null | undefined): Generation | null {
  return text ? parseGeneration(text) : null
}

/** Where the generation of a tag lies in the store. */
export function generationKey(prefix: string, tag: string): string {
  return `${prefix}:g:${tag}`
}

/**
 * Whether a read under this generation must come from the primary: nobody knows which writes came before it, and a replica may
 * not have them yet.
 */
export function needsPrimary({ blindUntil }: Generation, now = Date.now()): boolean {
  return now < blindUntil
}

// --- tags ------------------------------------------------------------------------------------------------------------

/** Any row of a table on a database. */
export function tableTag(table: string, database: string): string {
  return `${table}@${database}`
}

/** Rows with one distribution value. */
export function valueTag(table: string, value: string, database: string): string {
  return `${table}#${value}@${database}`
}

/** One row, by the JSON array of its primary key. */
export function rowTag(table: string, key: string, database: string): string {
  return `${table}/${key}@${database}`
}

/** Stands for all values and rows of a table on a database, when a write changes too many to name. */
export function bulkTag(table: string, database: string): string {
  return `${table}*@${database}`
}

/** The shard map: which database a value lies on. Who moves slots replaces it. */
export const mapTag = 'map@'

/** Renews the map's generation: what is read under it comes from no database that is behind the bookmarks. */
export function renewalOfMap(
  prefix: string,
  bookmarks: ReadonlyMap<string, string>,
): { readonly key: string; readonly generation: Generation } {
  return { key: generationKey(prefix, mapTag), generation: makeGeneration(bookmarks) }
}

/** The tags of a change. */
export function tagsOfChange({ table, key, value }: Change, database: string): string[] {
  const row = rowTag(table, key, database)
  return [tableTag(table, database), row, ...(value === null ? [] : [valueTag(table, value, database)])]
}

/** The tags of what a transaction changed. */
export function tagsOf({ database, changes, tables }: ChangeSet): string[] {
  if (tables !== null) return tables.flatMap((table) => [tableTag(table, database), bulkTag(table, database)])
  return [...new Set(changes.flatMap((change) => tagsOfChange(change, database)))]
}
