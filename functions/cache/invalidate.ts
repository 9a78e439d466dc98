/**
 * What a committed write does to the cache: it replaces the generations of the tags that it touched, before it is answered.
 * What could not be delivered, a sweep of the change log delivers later.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import { type ChangeSet, changeOf } from '../../db/changes/change-log.ts'
import { advance, foundLost, lostChanges, readChanges } from '../../db/changes/consumers.ts'
import { atHome } from '../../db/changes/track-changes.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import type { CacheStore, Renewal } from './cache-store.ts'
import {
  bulkTag,
  type Generation,
  generationKey,
  makeGeneration,
  readGeneration,
  tagsOf,
  tagsOfChange,
} from './generation.ts'

export interface Invalidator {
  readonly store: CacheStore
  readonly prefix: string
  /** Is told which tags were replaced. */
  wrote?(tags: readonly string[]): void
}

/**
 * Replaces the generations of what transactions changed. They carry the writer's bookmarks, so that what is read under them
 * cannot come from a replica that lacks the write.
 *
 * @throws when the store does not take them
 */
export async function invalidate(
  { store, prefix, wrote }: Invalidator,
  sets: readonly ChangeSet[],
  bookmarks: ReadonlyMap<string, string>,
  beside: readonly Renewal[] = [],
): Promise<void> {
  const generations = sets.flatMap((set) => {
    const generation = makeGeneration(bookmarks, set.upTo)
    return tagsOf(set).map((tag): Renewal => ({ key: generationKey(prefix, tag), generation }))
  })
  await store.renew([...generations, ...beside]).finally(() => wrote?.(sets.flatMap(tagsOf)))
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
      { text: readChanges('sequence, name, key, value', 'cache', sweptAtOnce), parameters: [] },
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
  { store, prefix, wrote }: Invalidator,
  set: ChangeSet,
  bookmarks: ReadonlyMap<string, string>,
): Promise<number> {
  /** For each tag, the last change that it must have been replaced for, and the tags that may stand for it. */
  const wanted = new Map<string, { sequence: number; bulk: string }>()
  for (const change of set.changes) {
    const bulk = bulkTag(change.table, set.database)
    for (const tag of tagsOfChange(change, set.database)) wanted.set(tag, { sequence: change.sequence, bulk })
  }
  const tags = [...new Set([...wanted.keys(), ...[...wanted.values()].map(({ bulk }) => bulk)])]
  const found = await store.read(tags.map((tag) => generationKey(prefix, tag)))
  const known = new Map<string, Generation | null>(tags.map((tag, i) => [tag, readGeneration(found[i])]))
  const missed = [...wanted].filter(([tag, { sequence, bulk }]) => {
    const own = known.get(tag) ?? null
    // What is missing is no entry's; what a writer has replaced at this change or after it, is done.
    return own !== null && own.upTo < sequence && (known.get(bulk)?.upTo ?? 0) < sequence
  })
  const generation = makeGeneration(bookmarks, set.upTo)
  await store
    .renew(missed.map(([tag]) => ({ key: generationKey(prefix, tag), generation })))
    .finally(() => wrote?.([...wanted.keys()]))
  return missed.length
}
