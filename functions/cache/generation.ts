/**
 * Generations: the current random token of each tag. A write replaces those of its tags, and whatever was stored under the
 * old ones is never served again. Never a counter: one that was evicted would begin anew, and make old entries valid.
 * @module
 */

import type { Change, ChangeSet } from '../../db/changes/change-log.ts'
import { laterOf } from '../../db/cluster/session.ts'
import { appended, type ChangeWindow, noWindow, stepOf } from './change-window.ts'

export interface Generation extends ChangeWindow {
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
  /** Of one that is yet to take the place of another: what has changed, as `stepOf` writes it; null: anything. */
  readonly step: string | null
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
    step: null,
    ...noWindow,
  }
}

/** As it lies in the store: a line of JSON, and the steps of its window. */
export function generationText(generation: Generation): string {
  const { id, at, bookmarks, upTo, blindUntil, base, covered, steps } = generation
  return JSON.stringify([id, at, bookmarks, upTo, blindUntil, base, covered]) + steps
}

/** As it is sent to a store that makes it the one after whatever is there. */
export function renewalText(generation: Generation): string {
  const { step } = generation
  return generationText({ ...generation, steps: step === null ? '' : `\n${step}` })
}

/** A new generation with whatever its predecessor knew that is later, and the changes that entries may outlive. */
export function renewed(generation: Generation, before: Generation | null): Generation {
  const { id, step } = generation
  // Whatever is kept was read before it, or under it.
  if (before === null) return { ...generation, step: null, covered: generation.upTo }
  const bookmarks = laterOf(bookmarksOf(generation), bookmarksOf(before))
  const upTo = Math.max(generation.upTo, before.upTo)
  return {
    ...generation,
    bookmarks: bookmarks.size === 0 ? null : Object.fromEntries(bookmarks),
    upTo,
    blindUntil: before.blindUntil,
    step: null,
    ...(step === null ? { ...noWindow, covered: upTo } : appended(before, id, step)),
  }
}

export function bookmarksOf({ bookmarks }: Generation): ReadonlyMap<string, string> {
  return new Map(Object.entries(bookmarks ?? {}))
}

/** @throws when it is none: then nothing of the store can be trusted */
export function parseGeneration(text: string): Generation {
  const end = text.indexOf('\n')
  const head = end === -1 ? text : text.slice(0, end)
  const [id, at, bookmarks, upTo, blindUntil = 0, base = null, covered = 0] = JSON.parse(head) as [
    string,
    number,
    Generation['bookmarks'],
    number,
    number?,
    (string | null)?,
    number?,
  ]
  if (typeof id !== 'string' || typeof at !== 'number')
    throw new Error('the store holds a generation that is none')
  const steps = end === -1 ? '' : text.slice(end)
  return { id, at, bookmarks, upTo, blindUntil, base, covered, steps, step: null }
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

/** The tags of what a transaction changed, each with its changes as `stepOf` writes them. */
export function stepsByTag({ database, changes, tables, upTo }: ChangeSet): Map<string, string | null> {
  if (tables !== null)
    return new Map(
      tables.flatMap((table) => [tableTag(table, database), bulkTag(table, database)].map(anything)),
    )
  const changesOf = new Map<string, Change[]>()
  for (const change of changes) {
    for (const tag of tagsOfChange(change, database)) {
      const known = changesOf.get(tag)
      if (known) known.push(change)
      else changesOf.set(tag, [change])
    }
  }
  // Transactions of a database follow each other, and so do the positions of what they log.
  const from = upTo === 0 ? 0 : Math.min(...changes.map(({ sequence }) => sequence))
  if (changes.length === 1) {
    const step = stepOf(changes, from, upTo)
    return new Map([...changesOf.keys()].map((tag) => [tag, step]))
  }
  return new Map([...changesOf].map(([tag, own]) => [tag, stepOf(own, from, upTo)]))
}

const anything = (tag: string): [string, null] => [tag, null]
