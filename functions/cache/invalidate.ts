/**
 * What a committed write does to the cache: it replaces the generations of the tags that it touched, before it is answered.
 * What could not be delivered, a sweep of the change log delivers later.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import { type ChangeSet, changeOf } from '../../db/changes/change-log.ts'
import { advance, foundLost, lostChanges, readChanges } from '../../db/cluster/consumers.ts'
import { pause } from '../../db/cluster/pause.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { atHome } from '../../db/cluster/track-changes.ts'
import type { CacheStore, Renewal } from './cache-store.ts'
import { isTold } from './change-window.ts'
import {
  bulkTag,
  type Generation,
  generationKey,
  makeGeneration,
  readGeneration,
  stepsByTag,
  tagsOfChange,
} from './generation.ts'
import type { Delivery } from './trust.ts'

/** What writers replace in the cache. */
export interface Invalidator {
  readonly store: CacheStore
  /** The store without trust, for those who only replace what is in it; left out when it is the same. */
  readonly untrusted?: CacheStore
  readonly prefix: string
  /** Leases of tables that have one, in milliseconds; left out: none has. */
  readonly leases?: ReadonlyMap<string, number>
  /** Is told which tags were replaced. */
  wrote?(tags: readonly string[]): void
  /**
   * Sees to it that nobody is served what a write has replaced when the store does not take that from here; left out where no
   * others read it.
   *
   * @throws when that can be done by no way, or not in time
   */
  deliver?(generations: readonly Renewal[], error: unknown): Promise<Delivery>
}

/**
 * Replaces the generations of what transactions changed, and waits until nobody serves by a lease what was before. They carry the
 * writer's bookmarks, so that what is read under them cannot come from a replica that lacks the write.
 *
 * @returns by which way nobody is served what was before
 * @throws when somebody may be
 */
export async function invalidate(
  invalidator: Invalidator,
  sets: readonly ChangeSet[],
  bookmarks: ReadonlyMap<string, string>,
  beside: readonly Renewal[] = [],
): Promise<'replaced' | Delivery> {
  const { store, prefix, wrote, deliver } = invalidator
  const tags: string[] = []
  const replaced = sets.flatMap((set) => {
    const generation = makeGeneration(bookmarks, set.upTo)
    return [...stepsByTag(set)].map(([tag, step]): Renewal => {
      tags.push(tag)
      return { key: generationKey(prefix, tag), generation: { ...generation, step } }
    })
  })
  const generations = [...replaced, ...beside]
  let way: 'replaced' | Delivery = 'replaced'
  try {
    await store.renew(generations)
  } catch (error) {
    if (!deliver) throw error
    way = await deliver(generations, error)
  } finally {
    wrote?.(tags)
  }
  await awaitLeases(invalidator, sets)
  return way
}

/** Clocks tell whole milliseconds: by how much two times may look nearer than they are. */
const clockMs = 2

/**
 * Waits for those who serve by a lease what they asked for before generations were replaced. To be called after that: its clock has gone
 * on with the answer of whoever replaced them.
 *
 * @param sets what was changed; null: anything
 */
export async function awaitLeases(
  { store, leases }: Invalidator,
  sets: readonly ChangeSet[] | null,
): Promise<void> {
  // What is asked of a store in the isolate is never a moment old.
  if (store.isLocal || leases === undefined || leases.size === 0) return
  const tables =
    sets?.flatMap(({ tables, changes }) => tables ?? changes.map(({ table }) => table)) ?? leases.keys()
  let longest = 0
  for (const table of tables) longest = Math.max(longest, leases.get(table) ?? 0)
  if (longest > 0) await pause(longest + clockMs)
}

/** What stands for all that may have changed on a database. */
export function everythingOn(database: string, catalog: Catalog): ChangeSet {
  return { database, changes: [], upTo: 0, tables: [...catalog.tables.keys()] }
}

/** Changes that one sweep of a database looks at. */
const sweptAtOnce = 100

/**
 * Goes through the change log of a database from where the last sweep ended, and replaces the generations that no writer has
 * replaced since.
 *
 * @returns how many tags had been missed
 */
export async function sweepChanges(
  invalidator: Invalidator,
  session: ClusterSession,
  database: string,
  catalog: Catalog,
): Promise<number> {
  const writing = session.writing()
  let missed = 0
  for (;;) {
    const [lost = [], rows = []] = await writing.on(database, [
      lostChanges('cache'),
      { text: readChanges('sequence, name, key, value, columns', 'cache', sweptAtOnce), parameters: [] },
    ])
    if (lost.length > 0) {
      const upTo = Number(lost[0]?.sequence)
      const tables = [...catalog.tables.keys()]
      await invalidate(invalidator, [{ database, changes: [], upTo, tables }], session.bookmarks)
      await writing.on(database, [foundLost('cache', upTo)])
    }
    if (rows.length === 0) return missed
    const changes = rows.map(changeOf)
    const upTo = changes.at(-1)?.sequence ?? 0
    const { primary } = session.cluster
    for (const set of atHome({ database, changes, upTo, tables: null }, catalog, primary)) {
      if (set.database === database) missed += await replaceMissed(invalidator, set, session.bookmarks)
      // Copies that were brought up here: which generation knew of them, no position says.
      else await invalidate(invalidator, [set], session.bookmarks)
    }
    await writing.on(database, [advance('cache', upTo)])
  }
}

async function replaceMissed(
  { store, untrusted = store, prefix, wrote }: Invalidator,
  set: ChangeSet,
  bookmarks: ReadonlyMap<string, string>,
): Promise<number> {
  /** For each tag, the changes that must have been told under it, and the tag that may stand for it. */
  const wanted = new Map<string, { sequences: number[]; bulk: string }>()
  for (const change of set.changes) {
    const bulk = bulkTag(change.table, set.database)
    for (const tag of tagsOfChange(change, set.database)) {
      const known = wanted.get(tag)
      if (known) known.sequences.push(change.sequence)
      else wanted.set(tag, { sequences: [change.sequence], bulk })
    }
  }
  const tags = [...new Set([...wanted.keys(), ...[...wanted.values()].map(({ bulk }) => bulk)])]
  const found = await untrusted.read(tags.map((tag) => generationKey(prefix, tag)))
  const known = new Map<string, Generation | null>(tags.map((tag, i) => [tag, readGeneration(found[i])]))
  const missed = [...wanted].filter(([tag, { sequences, bulk }]) => {
    const own = known.get(tag) ?? null
    const upTo = known.get(bulk)?.upTo ?? 0
    // What is missing is no entry's. That a later change was told says nothing of those before it: entries may have outlived that one.
    return own !== null && sequences.some((sequence) => sequence > upTo && !isTold(own, sequence))
  })
  const generation = makeGeneration(bookmarks, set.upTo)
  const steps = stepsByTag(set)
  await store
    .renew(
      missed.map(([tag]) => {
        return {
          key: generationKey(prefix, tag),
          generation: { ...generation, step: steps.get(tag) ?? null },
        }
      }),
    )
    .finally(() => wrote?.([...wanted.keys()]))
  return missed.length
}
