/**
 * Slots that move under a hostile schedule: the real mover, routers, statements and triggers on SQLite in memory, in virtual time. Calls take
 * as long as they like, some are lost on the way or on the way back, replicas lag, movers die at any point and several are at work at once,
 * operators pause and cancel. Clients read, write and ask all shards; jobs start from changes; a cache is shared by all. What clients are
 * told must be true throughout, and in the end every row, entry and job is there once, where its slot is.
 *
 * Longer than other files because it is one world: who may do what to whom is seen in one place.
 */
import type { DatabaseSync } from 'node:sqlite'
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { changeTriggers } from '../../db/changes/change-triggers.ts'
import { isBehind } from '../../db/cluster/consumers.ts'
import { pause } from '../../db/cluster/pause.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { defineTables, distributed } from '../../db/define.ts'
import type { MoverWorld } from '../../db/moves/mover-world.ts'
import { keySlot, slotOf } from '../../db/slots/slots.ts'
import { primaryObjects } from '../../db/system/system-objects.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { MemoryD1 } from './memory-d1.ts'
import { openMemory } from './memory-database.ts'
import type { MovesCode } from './moves-code.ts'

const owners = sqliteTable('owners', { id: text('id').primaryKey() })
const items = sqliteTable(
  'items',
  {
    id: text('id').primaryKey(),
    owner: text('owner')
      .notNull()
      .references(() => owners.id),
    n: integer('n').notNull(),
    note: text('note'),
  },
  (table) => [index('items_owner').on(table.owner)],
)
const catalog = buildCatalog(
  defineTables({
    owners: distributed(owners, { by: 'id' }),
    items: distributed(items, { by: 'owner', ids: 'free', logValues: true }),
  }),
)
const names = ['DB', 'SHARD_1', 'SHARD_2'] as const
type Name = (typeof names)[number]

export interface RunOptions {
  readonly seed: number
  readonly steps: number
  readonly code: MovesCode
}

class Died extends Error {}

/** One row, and what is known of it. */
interface Known {
  readonly id: string
  readonly owner: string
  acked: number
  /** Its writer is at work. */
  busy: boolean
  /** Sessions' bookmarks after its last write. */
  seen: ReadonlyMap<string, string>
}

/** @returns what went wrong, in words; null for nothing */
export async function runMoves({ seed, steps, code }: RunOptions): Promise<string | null> {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  let wrong: string | null = null
  let isOver = false
  const fail = (what: string) => {
    wrong ??= what
  }
  const databases = new Map(
    names.map((name) => [
      name,
      new MemoryD1(() => openDatabase(name), {
        callMs: () => (below(25) === 0 ? below(4000) : below(12)),
        lagMs: () => (isOver ? 0 : below(15) === 0 ? below(8000) : below(50)),
      }),
    ]),
  )
  const on = (name: Name) => (databases.get(name) as MemoryD1).primary
  const bindings = databases as unknown as ReadonlyMap<string, D1Database>
  const openCluster = () => new code.Cluster(bindings, { migrations: [], catalog, timeoutMs: 60_000 })
  /** Isolates, each with a map of its own. */
  const routers = Array.from({ length: 6 }, openCluster)
  const anyRouter = () => routers[below(routers.length)] as (typeof routers)[number]

  // --- rows, written by one writer each at a time -----------------------------------------------------------------------
  const rows: Known[] = []
  const write = async (row: Known, isNew: boolean) => {
    row.busy = true
    const n = row.acked + 1
    const session = anyRouter().open({ reads: false, seen: row.seen })
    const site = { kind: 'slots', slots: [slotOf(row.owner)] } as const
    const one = isNew
      ? [
          { text: 'INSERT OR IGNORE INTO owners (id) VALUES (?1)', parameters: [row.owner] },
          {
            text: 'INSERT INTO items (id, owner, n) VALUES (?1, ?2, ?3)',
            parameters: [row.id, row.owner, n],
          },
        ]
      : [{ text: 'UPDATE items SET n = ?2, note = ?3 WHERE id = ?1', parameters: [row.id, n, `note ${n}`] }]
    let database: string | null = null
    // Not given up: a half of it may be there.
    while (wrong === null) {
      try {
        if (database === null) {
          const [outcome] = await session.run(site, () => one)
          if (!outcome || 'error' in outcome) throw outcome?.error
          database = outcome.part.database
        }
        // The lookup entry of its id, at home where its value's slot is.
        await session
          .run({ kind: 'slots', slots: [keySlot(row.id)] }, () => [
            {
              text: "INSERT OR REPLACE INTO _atoll_unique (name, value, home, slot, token, at) VALUES ('items.id', ?1, ?2, ?3, ?4, 0)",
              parameters: [row.id, keySlot(row.id), slotOf(row.owner), String(n)],
            },
          ])
          .then(([entry]) => {
            if (!entry || 'error' in entry) throw entry?.error
          })
        renew(`${row.id}@${database}`, session.bookmarks)
        row.acked = n
        row.seen = session.bookmarks
        break
      } catch (error) {
        if (!isMoving(error)) throw error
        await pause(100)
      }
    }
    row.busy = false
  }
  const isMoving = (error: unknown) => /slots are moving|MOVED/i.test(String(error))

  // --- a cache that all share -------------------------------------------------------------------------------------------
  let serial = 0
  const generations = new Map<string, { id: number; seen: ReadonlyMap<string, string> }>()
  const entries = new Map<string, { ids: readonly number[]; n: number; read: ReadonlyMap<string, string> }>()
  const renew = (tag: string, seen: ReadonlyMap<string, string>) => {
    generations.set(tag, { id: ++serial, seen: code.laterOf(generations.get(tag)?.seen ?? new Map(), seen) })
  }
  const generationOf = (tag: string) => {
    if (!generations.has(tag)) generations.set(tag, { id: ++serial, seen: new Map() })
    return generations.get(tag) as { id: number; seen: ReadonlyMap<string, string> }
  }
  const readOne = async (session: ClusterSession, row: Known): Promise<number | null> => {
    for (let tries = 0; tries < 60 && wrong === null; tries++) {
      try {
        const [outcome] = await session.run({ kind: 'slots', slots: [slotOf(row.owner)] }, () => [
          { text: 'SELECT n FROM items WHERE id = ?1', parameters: [row.id] },
        ])
        if (!outcome) return null
        if ('error' in outcome) throw outcome.error
        return Number(outcome.results[0]?.[0]?.n ?? 0)
      } catch (error) {
        if (!isMoving(error)) throw error
        await pause(100)
      }
    }
    return null
  }
  const readCached = async (row: Known) => {
    const least = row.acked
    const router = anyRouter()
    const asking = router.open({ reads: true, seen: new Map() })
    const owner = await router.ownerOf(row.owner, asking)
    const own = [generationOf(`${row.id}@${owner}`), generationOf('map@')]
    const ids = own.map(({ id }) => id)
    const entry = entries.get(row.id)
    let n = entry && String(entry.ids) === String(ids) ? entry.n : null
    if (n === null) {
      const seen = own.reduce(
        (all, one) => code.laterOf(all, one.seen),
        new Map() as ReadonlyMap<string, string>,
      )
      const filling = router.open({ reads: true, seen })
      n = await readOne(filling, row)
      if (n !== null) entries.set(row.id, { ids, n, read: filling.read })
    }
    if (n !== null && n < least) fail(`${row.id} was ${least}, and its cache says ${n}`)
  }
  const readInSession = async (row: Known) => {
    const least = row.acked
    const n = await readOne(anyRouter().open({ reads: true, seen: row.seen }), row)
    if (n !== null && n < least) fail(`${row.id} was ${least}, and its session reads ${n}`)
  }
  const readAll = async () => {
    const least = new Map(rows.filter(({ acked }) => acked > 0).map(({ id, acked }) => [id, acked]))
    const seen = rows.reduce(
      (all, row) => code.laterOf(all, row.seen),
      new Map() as ReadonlyMap<string, string>,
    )
    const session = anyRouter().open({ reads: true, seen })
    for (let tries = 0; tries < 60 && wrong === null; tries++) {
      try {
        const outcomes = await session.run({ kind: 'everywhere' }, () => [
          { text: 'SELECT id, n FROM items', parameters: [] },
        ])
        const found = outcomes.flatMap((outcome) => {
          if ('error' in outcome) throw outcome.error
          return outcome.results[0] as { id: string; n: number }[]
        })
        const by = new Map(found.map(({ id, n }) => [id, Number(n)]))
        if (by.size < found.length) fail('a question to all shards has a row twice')
        for (const [id, n] of least)
          if ((by.get(id) ?? 0) < n) fail(`a question to all lacks ${id} as of ${n}`)
        return
      } catch (error) {
        if (!isMoving(error)) throw error
        await pause(100)
      }
    }
  }

  // --- jobs that start from changes -------------------------------------------------------------------------------------
  const delivered = new Map<string, number[]>()
  const startJobs = (name: Name) => {
    const database = on(name)
    const at = Number(
      database
        .prepare("SELECT ifnull((SELECT sequence FROM _atoll_cursors WHERE consumer = 'jobs'), 0) AS n")
        .get()?.n,
    )
    const log = database
      .prepare(
        'SELECT sequence, name, key, value, new FROM _atoll_changes WHERE sequence > ? ORDER BY sequence LIMIT 5',
      )
      .all(at) as { sequence: number; name: string; key: string; value: string; new: string }[]
    if (log.length === 0) return
    const binding = databases.get(name) as MemoryD1
    binding.commit([
      ...log
        .filter((change) => change.name === 'items')
        .map(({ key, value, new: row }) => ({
          text: "INSERT INTO _atoll_jobs (id, name, queue, state, due, payload, value, lane, created) VALUES (?1, 'told', 'default', 'waiting', 0, ?2, ?3, ?4, 0)",
          parameters: [
            `${name}.${++serial}`,
            JSON.stringify([JSON.parse(key)[0], JSON.parse(row ?? 'null')?.n ?? 0]),
            value,
            `items ${key}`,
          ],
        })),
      {
        text: "INSERT INTO _atoll_cursors VALUES ('jobs', ?1) ON CONFLICT DO UPDATE SET sequence = excluded.sequence",
        parameters: [log.at(-1)?.sequence as number],
      },
    ])
  }
  const runJob = (name: Name) => {
    const waiting = on(name)
      .prepare(
        "SELECT sequence FROM _atoll_jobs WHERE state = 'waiting' AND due IS NOT NULL ORDER BY sequence",
      )
      .all()
    const chosen = waiting[below(waiting.length)]?.sequence as number | undefined
    if (chosen === undefined) return
    // The same one on its replica.
    const [due] = (databases.get(name) as MemoryD1).commit([
      {
        text: "UPDATE _atoll_jobs SET state = 'done', due = NULL, finished = 1 WHERE sequence = ?1 RETURNING payload, value",
        parameters: [chosen],
      },
    ]) as { payload: string; value: string }[][]
    for (const { payload, value } of due ?? []) {
      const slot = slotOf(value)
      const isHere = on(name).prepare('SELECT 1 FROM _atoll_slots WHERE first <= ?1 AND last >= ?1').get(slot)
      if (!isHere) fail(`a job about slot ${slot} runs on ${name}, which does not have it`)
      const [id, n] = JSON.parse(payload) as [string, number]
      delivered.set(id, [...(delivered.get(id) ?? []), n])
    }
  }
  const consumer = async (name: Name) => {
    while (!isOver) {
      await pause(below(60) === 0 ? below(4000) : below(40))
      if (below(3) > 0) startJobs(name)
      if (below(60) === 0) runJob(name)
    }
  }

  // --- movers -----------------------------------------------------------------------------------------------------------
  const openWorld = (dies: number): MoverWorld => {
    let calls = 0
    const cluster = openCluster()
    const session = cluster.open({ reads: false, seen: new Map() })
    const own = session.on
    const dying = async <Result>(call: () => Promise<Result>): Promise<Result> => {
      if (++calls >= dies) {
        // What it has sent may arrive.
        if (below(2) === 0) void call().catch(() => undefined)
        throw new Died()
      }
      const result = await call()
      // An answer is lost now and then.
      if (!isOver && below(40) === 0) throw new Error('D1_ERROR: Network connection lost.')
      return result
    }
    const wrapped: ClusterSession = Object.assign(session, {
      on: (...args: Parameters<ClusterSession['on']>) => dying(() => own(...args)),
    })
    return {
      session: wrapped,
      catalog,
      now: Date.now,
      async pass(database, upTo) {
        for (let i = 0; i < 50; i++) {
          const { text } = isBehind('jobs', upTo)
          if (
            !on(database as Name)
              .prepare(text)
              .get(String(upTo))
          )
            return true
          await pause(20)
        }
        return false
      },
      async renew(epoch) {
        await dying(async () => {
          renew(
            'map@',
            code.laterOf(wrapped.bookmarks, new Map([[code.mapPosition, code.positionText(epoch)]])),
          )
        })
      },
      landed: async () => undefined,
      strayed: (database, count) => fail(`${count} rows are left on ${database}`),
    }
  }
  const mover = async (dies: number, isEnough = () => false) => {
    const own = new code.Mover(openWorld(dies))
    for (let failures = 0; failures < 8 && !isOver && !isEnough(); ) {
      try {
        const left = await own.step()
        if (left === 'nothing') return
        if (left === 'later') await pause(200)
        failures = 0
      } catch (error) {
        if (error instanceof Died || error instanceof code.MoveRefused) return
        failures++
        await pause(100 * 2 ** failures)
      }
    }
  }

  // --- what happens -----------------------------------------------------------------------------------------------------
  const operator = openCluster().open({ reads: false, seen: new Map() })
  /** A slot that has been on the move. */
  let recent = 0
  const askForMove = async () => {
    const [owned = []] = await operator.primary([
      { text: 'SELECT first, last, shard FROM _atoll_shard_map', parameters: [] },
    ])
    const ranges = owned as unknown as { first: number; last: number; shard: string }[]
    // Where slots have just been is where they are often wanted again.
    const again =
      below(2) === 0 ? ranges.find(({ first, last }) => first <= recent && recent <= last) : undefined
    const range = again ?? (ranges[below(ranges.length)] as (typeof ranges)[number])
    const target = names.filter((name) => name !== range.shard)[below(2)] as Name
    const middle = range.first + below(range.last - range.first + 1)
    const slots =
      below(2) === 0
        ? [range.first, range.last]
        : below(2) === 0
          ? [range.first, middle]
          : [middle, range.last]
    const [first, last] = slots as [number, number]
    recent = first
    const cut = first + below(last - first + 1)
    // Ranges beside each other are pieces of their own.
    const parts: [number, number][] =
      below(2) === 0 || cut === last
        ? [[first, last]]
        : [
            [first, cut],
            [cut + 1, last],
          ]
    const id = `m${++serial}`
    await operator.primary([
      code.insertMove({ id, source: range.shard, target, ranges: parts, created: Date.now() }),
    ])
    return id
  }
  let clients = 3
  const client = async () => {
    for (let i = 0; i < steps && wrong === null; i++) {
      await pause(below(150))
      const kind = below(20)
      const free = rows.filter(({ busy }) => !busy)
      const row = free[below(free.length)]
      if (kind < 3 || row === undefined) {
        const id = `${rows.length}x${below(1000)}`
        const made: Known = { id, owner: `o${below(12)}`, acked: 0, busy: false, seen: new Map() }
        rows.push(made)
        await write(made, true)
      } else if (kind < 9) await write(row, false)
      else if (kind < 13) await readCached(row)
      else if (kind < 16) await readInSession(row)
      else await readAll()
    }
    clients--
  }
  const operations = async () => {
    for (let i = 0; i < 6 && wrong === null; i++) {
      await askForMove().catch(() => undefined)
      for (let j = 0; j < 3; j++) {
        await pause(below(900))
        const kind = below(12)
        const state = (['paused', 'cancelling', 'waiting'] as const)[below(3)] ?? 'paused'
        const from = state === 'waiting' ? (['paused'] as const) : (['waiting', 'running', 'paused'] as const)
        if (kind < 4) {
          const [moves = []] = await operator.primary([
            { text: 'SELECT id FROM _atoll_moves', parameters: [] },
          ])
          const id = moves[below(moves.length)]?.id as string | undefined
          if (id !== undefined) await operator.primary([code.turnMove(id, from, state, Date.now())])
        }
        void mover(below(3) === 0 ? 1_000_000 : 1 + below(120)).catch((error) =>
          fail(`a mover failed: ${error}`),
        )
      }
    }
    // What the dead have left closed, clients do not wait for in vain.
    for (; clients > 0 && wrong === null; await pause(500)) await mover(1_000_000)
  }
  const consumers = names.map(consumer)
  await Promise.all([client(), client(), client(), operations()]).catch((error) =>
    fail(`${(error as Error).stack}`),
  )
  isOver = true
  await pause(120_000)
  isOver = false
  await operator.primary([
    { text: "UPDATE _atoll_moves SET state = 'waiting' WHERE state = 'paused'", parameters: [] },
  ])
  isOver = true
  await Promise.all(consumers)
  const finish = async (isEnough = () => false) => {
    // Consumers go on while the last moves are made.
    isOver = false
    const again = names.map(consumer)
    await mover(1_000_000, isEnough)
    isOver = true
    await Promise.all(again)
  }
  for (let i = 0; i < 3; i++) await finish()
  // Between two pieces, or when the last one is handed over: the map is in the end what it was.
  const ownersBefore = ownersOf(on('DB'))
  const cancelled = await askForMove()
  const handed = on('DB').prepare("SELECT progress ->> '$.handed[0]' AS n FROM _atoll_moves WHERE id = ?")
  await finish(() => handed.get(cancelled)?.n != null)
  await operator.primary([code.turnMove(cancelled, ['running'], 'cancelling', Date.now())])
  for (let i = 0; i < 3; i++) await finish()
  if (ownersOf(on('DB')) !== ownersBefore)
    wrong ??= `a cancelled move leaves the map as ${ownersOf(on('DB'))} instead of ${ownersBefore}`
  for (let i = 0; i < 400; i++) for (const name of names) [startJobs(name), runJob(name)]
  wrong ??= endOf(rows, on, delivered)
  for (const database of databases.values()) database.close()
  return wrong
}

/** The map, as text. */
function ownersOf(primary: DatabaseSync): string {
  const ranges = primary.prepare('SELECT first, last, shard FROM _atoll_shard_map ORDER BY first').all()
  return ranges.map(({ first, last, shard }) => `${first}-${last} ${shard}`).join(', ')
}

/** What is not as it should be when all is done. */
function endOf(
  rows: readonly Known[],
  on: (name: Name) => DatabaseSync,
  delivered: ReadonlyMap<string, readonly number[]>,
): string | null {
  interface Found {
    readonly first: number
    readonly last: number
    readonly shard: Name
    readonly state: string
    readonly n: number
    readonly epoch: number
    readonly id: string
    readonly owner: string
    readonly value: string
    readonly home: number
  }
  const all = (name: Name, text: string) => on(name).prepare(text).all() as unknown as Found[]
  const map = all('DB', 'SELECT first, last, shard FROM _atoll_shard_map ORDER BY first')
  const ownerOf = (slot: number) => map.find(({ first, last }) => first <= slot && slot <= last)?.shard
  const unfinished = all(
    'DB',
    "SELECT id, state, error FROM _atoll_moves WHERE state NOT IN ('done', 'cancelled')",
  )
  if (unfinished.length > 0) return `moves have not ended: ${JSON.stringify(unfinished)}`
  let slots = 0
  for (const name of names) {
    for (const { first, last, state } of all(name, 'SELECT first, last, state FROM _atoll_slots')) {
      slots += Number(last) - Number(first) + 1
      if (state !== 'open') return `slots ${first} to ${last} of ${name} are ${state}`
      for (const slot of [first, last])
        if (ownerOf(slot) !== name) return `${name} has ${slot}, which the map says is with ${ownerOf(slot)}`
    }
    const [left] = all(name, 'SELECT count(*) AS n FROM _atoll_incoming')
    if (left?.n !== 0) return `${left?.n} rows are still in staging on ${name}`
    const epoch = all(name, 'SELECT epoch FROM _atoll_shard')[0]?.epoch
    const known = all('DB', `SELECT epoch FROM _atoll_shards WHERE name = '${name}'`)[0]?.epoch
    if (map.some(({ shard }) => shard === name) && epoch !== known)
      return `${name} is at epoch ${epoch}, and the map says ${known}`
    for (const { id, owner } of all(name, 'SELECT id, owner FROM items UNION ALL SELECT id, id FROM owners'))
      if (ownerOf(slotOf(owner)) !== name) return `${id} is on ${name}, where its slot is not`
    for (const { value, home } of all(name, 'SELECT value, home FROM _atoll_unique'))
      if (ownerOf(home) !== name) return `the entry of ${value} is on ${name}, where its slot is not`
  }
  if (slots !== 16_384) return `${slots} slots are owned`
  for (const { id, owner, acked } of rows) {
    if (acked === 0) continue
    const name = ownerOf(slotOf(owner)) as Name
    const found = on(name).prepare('SELECT n, note FROM items WHERE id = ?').get(id)
    if (found?.n !== acked) return `${id} is ${found?.n} instead of ${acked}`
    const entry = on(ownerOf(keySlot(id)) as Name)
      .prepare('SELECT token FROM _atoll_unique WHERE value = ?')
      .get(id)
    if (entry?.token !== String(acked)) return `the entry of ${id} says ${entry?.token} instead of ${acked}`
    const heard = names.reduce(
      (sum, one) => sum + Number(on(one).prepare('SELECT count(*) AS n FROM told WHERE id = ?').get(id)?.n),
      0,
    )
    if (heard !== 1) return `a trigger of the app's was told ${heard} times of ${id}`
    const told = delivered.get(id) ?? []
    const should = Array.from({ length: acked }, (_, i) => i + 1)
    if (String(told) !== String(should)) return `jobs of ${id} ran as ${told} instead of ${should}`
  }
  return null
}

function openDatabase(name: Name): DatabaseSync {
  const isPrimary = name === 'DB'
  const third = Math.floor(16_384 / 3)
  const first = names.indexOf(name) * third
  const last = name === 'SHARD_2' ? 16_383 : first + third - 1
  return openMemory([
    ...(isPrimary ? primaryObjects : []),
    'CREATE TABLE owners (id TEXT PRIMARY KEY)',
    'CREATE TABLE items (id TEXT PRIMARY KEY, owner TEXT NOT NULL REFERENCES owners (id), n INTEGER NOT NULL, note TEXT)',
    'CREATE INDEX items_owner ON items (owner)',
    ...[...changeTriggers(catalog, isPrimary)].map(([, sql]) => sql),
    // The app's own: a row that only moves is not told.
    'CREATE TABLE told (id TEXT)',
    'CREATE TRIGGER app_told AFTER INSERT ON items BEGIN INSERT INTO told VALUES (new.id); END',
    `INSERT INTO _atoll_slots (first, last) VALUES (${first}, ${last})`,
    ...(isPrimary
      ? [
          'INSERT INTO _atoll_cluster VALUES (1, 0)',
          ...names.flatMap((one, i) => [
            `INSERT INTO _atoll_shard_map VALUES (${i * third}, ${one === 'SHARD_2' ? 16_383 : (i + 1) * third - 1}, '${one}')`,
            `INSERT INTO _atoll_shards VALUES ('${one}', 0)`,
          ]),
        ]
      : []),
  ])
}
