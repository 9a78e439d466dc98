/**
 * Databases that are put back in time under a hostile schedule: the real statements and triggers on SQLite in memory, in virtual time. Writers
 * write rows of a distributed table and of a reference table and die in between, relays look after their databases, and now and then one
 * database, or several, become what they were some time ago. When all is quiet again, what the databases say of each other must be right,
 * or listed.
 *
 * A restore goes back behind the last look of the database's relay: what lies between that look and the restore, nobody has seen.
 */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { Column, Table } from '../../db/catalog/catalog.ts'
import { changeTriggers } from '../../db/changes/change-triggers.ts'
import { advance, cursorIsAt, readChanges, readCursor } from '../../db/cluster/consumers.ts'
import { pause } from '../../db/cluster/pause.ts'
import { copyReferences } from '../../db/cluster/reference-copies.ts'
import { nextNumbers, skipTaken } from '../../db/cluster/sequences.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { sweepOrphans } from '../../db/cluster/sweep-orphans.ts'
import { translateDatabaseError } from '../../db/cluster/translate-error.ts'
import { type Claim, find, permitClaims, release, reserve } from '../../db/cluster/unique-values.ts'
import { defineTables, distributed, reference } from '../../db/define.ts'
import { isStill, type Memory, noticeRestore } from '../../db/restores/notice-restores.ts'
import type { Seen } from '../../db/restores/positions.ts'
import { repairRestored, repairSteps } from '../../db/restores/repair-restored.ts'
import { sweepConflicts } from '../../db/restores/sweep-conflicts.ts'
import type { Outcome, Part, Site } from '../../db/slots/parts.ts'
import { evenRanges, ownerOf } from '../../db/slots/shard-map.ts'
import { keySlot, slotOf } from '../../db/slots/slots.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { endPermits } from '../../db/system/permits.ts'
import { referenceTriggers } from '../../db/system/reference-triggers.ts'
import { ruleTriggers } from '../../db/system/rule-triggers.ts'
import { primaryObjects, systemObjects } from '../../db/system/system-objects.ts'
import { seededRandom } from '../support/seeded-random.ts'
import type { Mutant } from './reservations.ts'

const tags = sqliteTable('tags', { id: integer('id').primaryKey(), name: text('name').notNull().unique() })
const people = sqliteTable('people', {
  id: integer('id').primaryKey(),
  email: text('email').unique(),
  tag: integer('tag').references(() => tags.id),
  made: integer('made').notNull(),
})
const catalog = buildCatalog(
  defineTables({
    tags: reference(tags),
    people: distributed(people, { by: 'id', uniqueAcrossShards: ['email'] }),
  }),
)
const table = catalog.tables.get('people') as Table
const column = table.columns.get('email') as Column
const names = ['DB', 'SHARD_1', 'SHARD_2']
const map = { epoch: 1, ranges: evenRanges(names), epochs: new Map<string, number>() }
const ownerOfId = (id: number) => ownerOf(map, slotOf(String(id)))
const now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"

interface Person {
  readonly id: number
  readonly email: string | null
  readonly tag: number | null
  readonly made: number
}

interface Snapshot {
  readonly name: string
  readonly file: string
  readonly tick: number
}

/** @returns what went wrong, in words; null for nothing */
export async function runRestores({
  seed,
  steps,
  mutant = (one) => one,
}: {
  readonly seed: number
  readonly steps: number
  readonly mutant?: Mutant
}): Promise<string | null> {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const { random: ownRandom } = Math
  Math.random = random
  const pick = <Item>(items: readonly Item[]) => items[below(items.length)] as Item
  // Restores are rare, and so are mistakes that they make wrong: everything happens in the clock of the test.
  const changed: Mutant = (sql) => mutant(sql).replaceAll("unixepoch('subsec')", 'now()')
  const databases = new Map(names.map((name) => [name, openMemory(name, changed)]))
  const on = (name: string) => databases.get(name) as DatabaseSync
  let wrong: string | null = null
  const memories = new Map<string, Seen>()
  const snapshots: Snapshot[] = []
  const folder = mkdtempSync(join(tmpdir(), 'atoll-restores-'))
  let restores = 0
  /** Databases whose restore nobody has noticed yet. */
  const unnoticed = new Set<string>()

  const batch = async (name: string, statements: readonly BoundStatement[]): Promise<Row[][]> => {
    await pause(below(10) === 0 ? below(1000) : below(20))
    const database = on(name)
    database.exec('BEGIN')
    try {
      const results = statements.map(({ text, parameters }) => {
        const numbers = parameters.map((value) => (typeof value === 'number' ? BigInt(value) : value))
        return database.prepare(changed(text)).all(...numbers) as Row[]
      })
      database.exec('COMMIT')
      return results
    } catch (error) {
      database.exec('ROLLBACK')
      // As D1 says it.
      throw translateDatabaseError(name, new Error(`${(error as Error).message}: SQLITE_CONSTRAINT`))
    }
  }
  const openIsolate = (): ClusterSession => {
    const cluster = {
      sharded: true,
      primary: 'DB',
      databases: names,
      shards: names.slice(1),
      wentBack: () => undefined,
      copyFailed: () => undefined,
    }
    const part = async (part: Part, statements: readonly BoundStatement[]): Promise<Outcome> => {
      try {
        return { part, results: await batch(part.database, statements) }
      } catch (error) {
        return { part, error }
      }
    }
    const session = {
      cluster,
      bookmarks: new Map(),
      writing: () => session,
      note: () => undefined,
      later: () => undefined,
      on: batch,
      primary: (statements: readonly BoundStatement[]) => batch('DB', statements),
      onAll: (all: readonly string[], statements: readonly BoundStatement[]) =>
        Promise.all(all.map((database) => part({ database, slots: null }, statements))),
      run: (site: Site, statementsOf: (part: Part) => readonly BoundStatement[]) => {
        const parts: Part[] =
          site.kind === 'slots'
            ? [...Map.groupBy(site.slots, (slot) => ownerOf(map, slot))].map(([database, slots]) => ({
                database,
                slots: new Set(slots),
              }))
            : names.map((database) => ({ database, slots: null }))
        return Promise.all(parts.map((one) => part(one, statementsOf(one))))
      },
    } as unknown as ClusterSession
    return session
  }

  const rowsOn = (name: string) =>
    on(name).prepare('SELECT id, email, tag, made FROM people').all() as unknown as Person[]
  const rows = () => names.flatMap((name) => rowsOn(name).map((row) => ({ ...row, name })))

  const put = async (session: ClusterSession): Promise<void> => {
    const [id = 0] = await nextNumbers(session, table, 'id', 1)
    // Whoever was witnessed by a shard knows better than to give out a number twice.
    if (rows().some((row) => row.id === id) && !unnoticed.has('SHARD_1'))
      wrong ??= `the number ${id} was given out twice`
    const email = below(3) === 0 ? null : pick(['a', 'b', 'c', 'd'])
    const claims: Claim[] = email === null ? [] : [{ table, column, value: email, slot: slotOf(String(id)) }]
    const { permits, taken, contended, unproven } = await reserve(session, claims, `${id}-${random()}`)
    if (taken.length > 0 || contended || unproven.length > 0 || below(12) === 0) return
    const tag = below(2) === 0 ? null : 1 + below(6)
    try {
      await batch(ownerOfId(id), [
        ...permitClaims(permits),
        {
          text: `INSERT INTO people (id, email, tag, made) VALUES (CAST(?1 AS INTEGER), ?2, CAST(?3 AS INTEGER), ${now})`,
          parameters: [String(id), email, tag === null ? null : String(tag)],
        },
        endPermits,
      ])
    } catch {
      if (rows().some((row) => row.id === id)) await skipTaken(session, table, 'id')
    }
    if (below(12) > 0 && email !== null) await release(session, await find(session, table, column, [email]))
  }
  const drop = async (session: ClusterSession): Promise<void> => {
    const all = rows()
    if (all.length === 0) return
    const { id, email, name } = pick(all)
    await batch(name, [
      { text: 'DELETE FROM people WHERE id = CAST(?1 AS INTEGER)', parameters: [String(id)] },
    ])
    if (email !== null && below(4) > 0) await release(session, await find(session, table, column, [email]))
  }
  /** Names are handed on; a tag that rows refer to stays. */
  const writeTag = async (session: ClusterSession): Promise<void> => {
    const id = 1 + below(6)
    const isUsed = rows().some((row) => row.tag === id)
    const statement: BoundStatement =
      below(3) === 0 && !isUsed
        ? { text: 'DELETE FROM tags WHERE id = CAST(?1 AS INTEGER)', parameters: [String(id)] }
        : {
            text: 'INSERT INTO tags (id, name) VALUES (CAST(?1 AS INTEGER), ?2) ON CONFLICT (id) DO UPDATE SET name = excluded.name',
            parameters: [String(id), pick(['k', 'l', 'm', 'n', 'o', 'p', 'q', 'r'])],
          }
    await batch('DB', [statement]).catch(() => undefined)
    if (below(5) > 0) await copyReferences(session, catalog)
  }

  /** What somebody outside has been told, by database and sequence: what comes again under a number is taken for known. */
  const told = new Map<string, string>()
  const consume = async (session: ClusterSession, name: string): Promise<void> => {
    const now = await look(session, name, false)
    // Whatever it reads from here on may be another database's by then.
    await pause(below(1500))
    const [cursor = [], changes = []] = await session.on(name, [
      readCursor('jobs'),
      { text: readChanges('sequence, name, key, operation, at', 'jobs', 20), parameters: [] },
    ])
    const upTo = changes.at(-1)?.sequence
    if (upTo === undefined) return
    try {
      await session.on(name, [
        isStill(now),
        cursorIsAt('jobs', Number(cursor[0]?.sequence)),
        advance('jobs', Number(upTo)),
      ])
    } catch {
      return
    }
    for (const { sequence, name: of, key, operation, at } of changes) {
      const id = `${name} ${sequence}`
      if (!told.has(id)) told.set(id, `${of} ${key} ${operation} ${at}`)
    }
  }
  const look = async (session: ClusterSession, name: string, asks = true): Promise<Seen> => {
    const memory: Memory = {
      get: async () => memories.get(name) ?? null,
      put: async (seen) => void memories.set(name, seen),
    }
    const { restore, repair, now } = await noticeRestore(
      session,
      name,
      memory,
      () => repairSteps(session, name, catalog),
      { asks },
    )
    if (restore) unnoticed.delete(name)
    const tools = { catalog, forget: async () => undefined }
    // A relay may die in the middle of it.
    if (repair && below(4) > 0) await repairRestored(session, name, repair, tools, () => undefined)
    return now
  }
  const sweep = async (session: ClusterSession, name: string): Promise<void> => {
    await look(session, name)
    await consume(session, name)
    if (name === 'DB') await copyReferences(session, catalog)
    await sweepOrphans(session, name, [table], null)
    await sweepConflicts(session, name, catalog)
  }
  /** One relay of each database is at work at a time, and what it fails to do it does again. */
  const relay = async (name: string, isOver: () => boolean): Promise<void> => {
    const session = openIsolate()
    while (!isOver() && wrong === null) {
      await pause(500 + below(3000))
      await (below(3) === 0 ? sweep(session, name) : consume(session, name)).catch(() => undefined)
    }
  }
  const client = async (): Promise<void> => {
    let session = openIsolate()
    for (let i = 0; i < steps && wrong === null; i++) {
      // An isolate knows which numbers it has taken; most live shortly.
      if (below(6) === 0) session = openIsolate()
      await pause(below(400))
      const kind = below(10)
      const work = kind < 6 ? put(session) : kind < 8 ? drop(session) : writeTag(session)
      await work.catch(() => undefined)
    }
  }
  const tickOf = (name: string) => Number(on(name).prepare('SELECT tick FROM _atoll_incarnation').get()?.tick)
  const operator = async (isOver: () => boolean): Promise<void> => {
    while (!isOver() && wrong === null) {
      await pause(200 + below(800))
      const name = pick(names)
      const file = join(folder, `${snapshots.length}`)
      on(name).exec(`VACUUM INTO '${file}'`)
      snapshots.push({ name, file, tick: tickOf(name) })
      if (below(4) > 0) continue
      for (let i = below(3); i >= 0; i--) {
        const snapshot = pick(snapshots)
        const last = memories.get(snapshot.name)
        if (last === undefined || snapshot.tick >= last.tick) continue
        on(snapshot.name).close()
        const copy = `${snapshot.file}-${restores++}`
        copyFileSync(snapshot.file, copy)
        databases.set(snapshot.name, open(copy))
        unnoticed.add(snapshot.name)
      }
    }
  }

  let clients = 3
  const isOver = () => clients === 0
  await Promise.all([
    ...Array.from({ length: clients }, () => client().finally(() => clients--)),
    operator(isOver),
    ...names.map((name) => relay(name, isOver)),
  ])
  const session = openIsolate()
  for (let round = 0; round < 6 && wrong === null; round++) {
    await pause(61_000)
    // Whoever writes afterwards finds everything as it should be.
    for (let i = 0; i < 6 && round < 3; i++) await put(session).catch(() => undefined)
    for (const name of names) {
      await sweep(session, name).catch((error) => {
        if (round === 5) wrong ??= `a relay fails for ever: ${error}`
      })
    }
  }
  wrong ??= whatIsWrong()
  for (const database of databases.values()) database.close()
  rmSync(folder, { recursive: true, force: true })
  Math.random = ownRandom
  return wrong

  function whatIsWrong(): string | null {
    const listed = names.flatMap(
      (name) =>
        on(name).prepare('SELECT kind, key FROM _atoll_conflicts').all() as { kind: string; key: string }[],
    )
    const isListed = (kind: string, key: string) => listed.some((one) => one.kind === kind && one.key === key)
    for (const name of names) {
      if (on(name).prepare("SELECT 1 FROM _atoll_state WHERE key = 'restored'").get())
        return `${name} is being repaired for ever`
      if (on(name).prepare('PRAGMA foreign_key_check').all().length > 0)
        return `${name} has rows that refer to none`
    }
    const tagsOn = (name: string) =>
      on(name).prepare('SELECT id, name FROM tags').all() as { id: number; name: string }[]
    const truth = tagsOn('DB')
    for (const name of names.slice(1)) {
      const copies = tagsOn(name)
      for (const { id, name: tag } of truth)
        if (
          !copies.some((copy) => copy.id === id && copy.name === tag) &&
          listed.every(({ kind }) => kind !== 'row')
        )
          return `the copy of tag ${id} on ${name} is stale`
      for (const { id } of copies) {
        if (truth.some((tag) => tag.id === id)) continue
        if (!isListed('row', `[${id}]`) && !rowsOn(name).some((row) => row.tag === id))
          return `${name} has a copy of tag ${id}, which is gone`
      }
    }
    const all = rows()
    for (const { id, email, name, made } of all) {
      const inserted = `people [${id}] insert ${made}`
      const isTold = [...told].some(([key, change]) => key.startsWith(`${name} `) && change === inserted)
      if (!isTold) return `nobody was told of row ${id} on ${name}`
      if (email === null || isListed('value', email)) continue
      if (all.some((other) => other.email === email && other.id !== id)) return `${email} is on two rows`
      const home = on(ownerOf(map, keySlot(email)))
      const entry = home.prepare('SELECT slot FROM _atoll_unique WHERE value = ?').get(email)
      if (entry?.slot !== slotOf(String(id))) return `${email} does not lead to its row ${id}`
    }
    return null
  }
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  database.function('now', () => Date.now() / 1000)
  database.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF')
  return database
}

function openMemory(name: string, changed: Mutant): DatabaseSync {
  const database = open(':memory:')
  for (const statement of [...systemObjects, ...(name === 'DB' ? primaryObjects : [])])
    database.exec(changed(statement))
  database.exec(`CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE UNIQUE INDEX tags_by_name ON tags (name);
    CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE, tag INTEGER REFERENCES tags (id), made INTEGER NOT NULL);
    UPDATE _atoll_shard SET epoch = 1`)
  for (const { first, last, shard } of map.ranges) {
    if (shard === name) database.exec(`INSERT INTO _atoll_slots (first, last) VALUES (${first}, ${last})`)
    if (name !== 'DB') continue
    database.exec(`INSERT INTO _atoll_shard_map VALUES (${first}, ${last}, '${shard}');
      INSERT INTO _atoll_shards VALUES ('${shard}', 1); INSERT OR IGNORE INTO _atoll_cluster VALUES (1, 1)`)
  }
  const triggers = [
    ...changeTriggers(catalog, name === 'DB').values(),
    ...ruleTriggers(catalog, name === 'DB', true).values(),
    ...(name === 'DB' ? referenceTriggers(catalog).values() : []),
  ]
  for (const sql of triggers) database.exec(changed(sql))
  return database
}
