/**
 * Copies of reference tables under a hostile schedule: the real statements and triggers on SQLite in memory, in virtual time. Calls take as
 * long as they like, shards do not answer for a while, writers die at any point, the cache is emptied; after every step no row may refer to
 * one that is gone, and in the end all copies, and what caches hold of them, are what the primary database has.
 */
import type { DatabaseSync } from 'node:sqlite'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { type ChangeSet, changeOf } from '../../db/changes/change-log.ts'
import { changeTriggers } from '../../db/changes/change-triggers.ts'
import { bringUpCopies, mayBeBehind } from '../../db/cluster/bring-up-copies.ts'
import { pause } from '../../db/cluster/pause.ts'
import { copyReferences, followReferences } from '../../db/cluster/reference-copies.ts'
import { giveUpOld, whileRetired } from '../../db/cluster/retire.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { atHome } from '../../db/cluster/track-changes.ts'
import { translateDatabaseError } from '../../db/cluster/translate-error.ts'
import { defineTables, distributed, reference } from '../../db/define.ts'
import { RetiringError } from '../../db/errors/constraint-error.ts'
import type { Outcome } from '../../db/slots/parts.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { referenceTriggers } from '../../db/system/reference-triggers.ts'
import { ruleTriggers } from '../../db/system/rule-triggers.ts'
import { primaryObjects } from '../../db/system/system-objects.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { openMemory, transact } from './memory-database.ts'

const labels = sqliteTable('labels', { id: integer('id').primaryKey(), name: text('name').unique() })
const posts = sqliteTable('posts', {
  id: integer('id').primaryKey(),
  labelId: integer('label_id').references(() => labels.id),
})
const catalog = buildCatalog(
  defineTables({ labels: reference(labels, {}), posts: distributed(posts, { by: 'id' }) }),
)
const primary = 'DB'
const shards = ['SHARD_1', 'SHARD_2']
const names = [primary, ...shards]
const labelNames = ['a', 'b', 'c', 'd']

/** What the engine's SQL is changed into, statement by statement and trigger by trigger. */
export type Mutant = (text: string, database: string) => string

export interface RunOptions {
  readonly seed: number
  readonly steps: number
  readonly mutant?: Mutant
}

/** What clients do, by number, in turns of these moods: some of everything; slow deletes; much that is read, emptied and left half done. */
const all = Array.from({ length: 26 }, (_, i) => i)
const kindsOf = {
  all,
  slow: [0, 0, 5, 10, 10, 11, 12, 13, 14, 15, 21, 22],
  cached: [5, 6, 7, 18, 18, 19, 20, 21, 22, 23, 24, 24, 25],
}
const moods = ['all', 'slow', 'cached'] as const

class Died extends Error {}

/** @returns what went wrong, in words; null for nothing */
export async function runCopies({ seed, steps, mutant = (one) => one }: RunOptions): Promise<string | null> {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const databases = new Map(names.map((name) => [name, openDatabase(name, mutant)]))
  const on = (name: string) => databases.get(name) as DatabaseSync
  const downUntil = new Map<string, number>()
  let wrong: string | null = null
  let isOver = false
  let hot = 1
  const mood = moods[seed % moods.length] as keyof typeof kindsOf

  const labelIds = (name: string) =>
    new Set((on(name).prepare('SELECT id FROM labels').all() as { id: number }[]).map(({ id }) => id))
  /** Every row's label is there, where it is written and where it is copied from. */
  const check = () => {
    const there = labelIds(primary)
    for (const name of names) {
      const found = on(name).prepare('SELECT id, label_id FROM posts WHERE label_id IS NOT NULL').all()
      const lost = found.find(({ label_id }) => !there.has(label_id as number))
      if (lost) wrong ??= `post ${lost.id} on ${name} has label ${lost.label_id}, which is gone`
    }
  }
  const batch = async (name: string, statements: readonly BoundStatement[]): Promise<Row[][]> => {
    await pause(below(12) === 0 ? below(120_000) : below(40))
    const isLost = !isOver && name !== primary && below(15) === 0
    if (isLost || (downUntil.get(name) ?? 0) > Date.now())
      throw new Error('D1_ERROR: Network connection lost.')
    const database = on(name)
    const now = (text: string) => text.replaceAll("unixepoch('subsec') * 1000", String(Date.now()))
    try {
      const results = transact(database, statements, (text) => mutant(now(text), name))
      check()
      await pause(below(20))
      return results
    } catch (error) {
      const told = new Error(`D1_ERROR: ${(error as Error).message}: SQLITE_CONSTRAINT`)
      throw translateDatabaseError(name, told)
    }
  }

  // --- a cache of what shards show of labels ------------------------------------------------------------------------
  let generation = 0
  const generations = new Map<string, number>()
  const cached = new Map<string, { readonly at: number; readonly name: unknown }>()
  const renew = (sets: readonly ChangeSet[]) => {
    for (const { database, changes, tables } of sets) {
      if (tables !== null) generations.clear()
      for (const { table, key } of changes) generations.set(`${table} ${key} ${database}`, ++generation)
    }
  }
  const look = async (name: string, id: number) => {
    const tag = `labels [${id}] ${primary}`
    const at = generations.get(tag) ?? ++generation
    generations.set(tag, at)
    const read = { text: 'SELECT name FROM labels WHERE id = ?1', parameters: [id] }
    const [[row] = []] = await batch(name, [read])
    cached.set(`${name} ${id}`, { at, name: row?.name ?? null })
  }

  const cluster = {
    sharded: true,
    primary,
    shards,
    copyFailed: () => undefined,
  }
  /** A writer's session, which dies at its n-th call. */
  const open = (dies = Number.POSITIVE_INFINITY): ClusterSession => {
    let calls = 0
    const session = {
      cluster: {
        ...cluster,
        copied: async (sets: readonly ChangeSet[]) => {
          if (++calls >= dies) throw new Died()
          renew(sets)
        },
      },
      bookmarks: new Map(),
      note: () => undefined,
      writing: () => session,
      later: (work: Promise<unknown>) => void work.catch(() => undefined),
      on: async (name: string, statements: readonly BoundStatement[]) => {
        if (++calls >= dies) throw new Died()
        return batch(name, statements)
      },
      primary: (statements: readonly BoundStatement[]) => session.on(primary, statements),
      onAll: (where: readonly string[], statements: readonly BoundStatement[]) =>
        Promise.all(
          where.map(async (database): Promise<Outcome> => {
            const part = { database, slots: null }
            try {
              return { part, results: await session.on(database, statements) }
            } catch (error) {
              return { part, error }
            }
          }),
        ),
    }
    return session as unknown as ClusterSession
  }

  /** What the data API does after a commit: copies follow, then caches hear of it. */
  const carryOn = async (session: ClusterSession, ids: readonly number[]) => {
    const changes = ids.map((id) => ({ sequence: 0, table: 'labels', key: `[${id}]`, value: null }))
    const own: ChangeSet = { database: primary, changes, upTo: 0, tables: null }
    renew([own, ...(await copyReferences(session, catalog, [own]))])
  }
  const drop = async (session: ClusterSession, id: number) => {
    const statements = [{ text: 'DELETE FROM labels WHERE id = ?1', parameters: [id] }]
    await whileRetired(statements, session, catalog, async (before, after) => {
      if (mood === 'slow' && below(2) === 0) await pause(below(120_000))
      return session.primary([...before, ...statements, ...after])
    })
    await carryOn(session, [id])
  }
  /** Labels change their names, which are unique, among themselves. */
  const handOn = async (session: ClusterSession, ids: readonly number[]) => {
    const mine = new Set(ids)
    await session.primary([
      ...[...mine].map((id) => ({ text: 'UPDATE labels SET name = NULL WHERE id = ?1', parameters: [id] })),
      ...[...mine].map((id) => ({
        text: 'INSERT INTO labels (id, name) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM labels WHERE name = ?2) ON CONFLICT (id) DO UPDATE SET name = excluded.name',
        parameters: [id, labelNames[below(labelNames.length)] as string],
      })),
    ])
    await carryOn(session, [...mine])
  }
  const refer = async (session: ClusterSession, id: number, label: number | null) => {
    const name = names[id % names.length] as string
    const text =
      'INSERT INTO posts (id, label_id) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET label_id = excluded.label_id'
    for (let tries = 0; tries < 4; tries++) {
      try {
        await session.on(name, [{ text, parameters: [id, label] }])
        return
      } catch (error) {
        if (error instanceof RetiringError) await pause(50)
        else if (!(mayBeBehind(error) && (await bringUpCopies(session, catalog, [name])))) throw error
      }
    }
  }
  const sweep = async (session: ClusterSession) => {
    await giveUpOld(session)
    await followReferences(session, catalog)
    for (const name of names) {
      const [rows = []] = await session.on(name, [
        { text: 'SELECT sequence, name, key, value FROM _atoll_changes ORDER BY sequence', parameters: [] },
      ])
      const changes = rows.map(changeOf)
      if (changes.length === 0) continue
      renew(atHome({ database: name, changes, upTo: 0, tables: null }, catalog, primary))
      const upTo = changes.at(-1)?.sequence as number
      await session.on(name, [
        { text: 'DELETE FROM _atoll_changes WHERE sequence <= ?1', parameters: [upTo] },
      ])
    }
  }
  const client = async () => {
    for (let i = 0; i < steps && wrong === null; i++) {
      const kind = kindsOf[mood][below(kindsOf[mood].length)] as number
      // Where one is at work, others are, too.
      const id = below(2) === 0 ? hot : 1 + below(4)
      hot = id
      if (mood === 'slow') await pause(below(12_000))
      const session = open(below(mood === 'cached' ? 2 : 4) === 0 ? 1 + below(9) : undefined)
      const work =
        kind < 5
          ? drop(session, id)
          : kind < 10
            ? handOn(session, [id, 1 + below(4)])
            : kind < 16
              ? refer(session, below(9), below(4) === 0 ? null : id)
              : kind < 18
                ? // Code that knows of no copies: the database must refuse what it may not do.
                  session.primary([{ text: 'DELETE FROM labels WHERE id = ?1', parameters: [id] }])
                : kind < 21
                  ? look(shards[below(2)] as string, id)
                  : kind < 24
                    ? sweep(session)
                    : Promise.resolve()
      if (kind === 24) downUntil.set(shards[below(2)] as string, Date.now() + below(100_000))
      if (kind === 25) generations.clear()
      await work.catch(() => undefined)
    }
  }
  await Promise.all([client(), client(), client(), client()])
  await pause(200_000)
  downUntil.clear()
  isOver = true
  await sweep(open())
  await sweep(open())
  if (wrong === null) wrong = differenceOf(databases) ?? oldIn(cached, generations, databases)
  for (const database of databases.values()) database.close()
  return wrong
}

function differenceOf(databases: ReadonlyMap<string, DatabaseSync>): string | null {
  const all = (name: string) =>
    JSON.stringify((databases.get(name) as DatabaseSync).prepare('SELECT * FROM labels ORDER BY id').all())
  for (const name of shards) {
    if (all(name) !== all(primary)) return `${name} has ${all(name)} instead of ${all(primary)}`
  }
  for (const [name, database] of databases) {
    const left = database.prepare('SELECT count(*) AS n FROM _atoll_retiring').get()?.n
    if (left !== 0) return `${left} rows are still about to go on ${name}`
  }
  return null
}

function oldIn(
  cached: ReadonlyMap<string, { readonly at: number; readonly name: unknown }>,
  generations: ReadonlyMap<string, number>,
  databases: ReadonlyMap<string, DatabaseSync>,
): string | null {
  for (const [place, entry] of cached) {
    const id = Number(place.split(' ')[1])
    if (generations.get(`labels [${id}] ${primary}`) !== entry.at) continue
    const now = (databases.get(primary) as DatabaseSync)
      .prepare('SELECT name FROM labels WHERE id = ?')
      .get(id)
    if ((now?.name ?? null) !== entry.name) return `the cache has ${entry.name} for label ${id} of ${place}`
  }
  return null
}

function openDatabase(name: string, mutant: Mutant): DatabaseSync {
  const isPrimary = name === primary
  const triggers = [
    ...[...ruleTriggers(catalog, isPrimary, true)].filter(([trigger]) => /retir|labels/.test(trigger)),
    ...changeTriggers(catalog, isPrimary),
    ...(isPrimary ? referenceTriggers(catalog) : []),
  ]
  return openMemory([
    ...(isPrimary ? primaryObjects : []),
    'CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT)',
    'CREATE UNIQUE INDEX labels_name ON labels (name)',
    'CREATE TABLE posts (id INTEGER PRIMARY KEY, label_id INTEGER REFERENCES labels (id))',
    ...triggers.map(([, sql]) => mutant(sql, name)),
  ])
}
