/**
 * Tables that are converted while they are used: the whole Worker over SQLite in memory, with lagging replicas, isolates that learn of it each
 * by itself, movers that die at any point, and operators who change their minds. Clients write, read by keys and unique values, and ask for
 * everything; what they are told must be true throughout, and in the end every row, entry and copy is there once, where it belongs.
 *
 * Longer than other files because it is one world: who may do what to whom is seen in one place.
 */
import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { TableDeclarations } from '../../db/catalog/declarations.ts'
import { pause } from '../../db/cluster/pause.ts'
import { defineTables, distributed, local, reference } from '../../db/define.ts'
import { ownerOf, parseMap, readMapText, type ShardMap } from '../../db/slots/shard-map.ts'
import { keySlot, slotOf } from '../../db/slots/slots.ts'
import type { App, Env } from '../../functions/areas.ts'
import { LaterWork } from '../support/later-work.ts'
import { seededRandom } from '../support/seeded-random.ts'
import type { ConversionsCode } from './conversions-code.ts'
import { MemoryD1 } from './memory-d1.ts'

const teams = sqliteTable('teams', { id: text('id').primaryKey(), title: text('title').notNull() })
const owners = sqliteTable(
  'owners',
  {
    id: text('id').primaryKey(),
    team: text('team')
      .notNull()
      .references(() => teams.id),
  },
  (table) => [index('owners_team').on(table.team)],
)
const items = sqliteTable(
  'items',
  {
    id: text('id').primaryKey(),
    owner: text('owner')
      .notNull()
      .references(() => owners.id),
    team: text('team')
      .notNull()
      .references(() => teams.id),
    code: text('code').unique(),
    n: integer('n').notNull(),
  },
  (table) => [index('items_owner').on(table.owner), index('items_team').on(table.team)],
)

const sql = `CREATE TABLE teams (id text PRIMARY KEY NOT NULL, title text NOT NULL);
--> statement-breakpoint
CREATE TABLE owners (id text PRIMARY KEY NOT NULL, team text NOT NULL, FOREIGN KEY (team) REFERENCES teams(id));
--> statement-breakpoint
CREATE INDEX owners_team ON owners (team);
--> statement-breakpoint
CREATE TABLE items (id text PRIMARY KEY NOT NULL, owner text NOT NULL, team text NOT NULL, code text, n integer NOT NULL, FOREIGN KEY (owner) REFERENCES owners(id), FOREIGN KEY (team) REFERENCES teams(id));
--> statement-breakpoint
CREATE UNIQUE INDEX items_code_unique ON items (code);
--> statement-breakpoint
CREATE INDEX items_owner ON items (owner);
--> statement-breakpoint
CREATE INDEX items_team ON items (team);`

/** Ways in which the tables may lie. */
export const placements = {
  local: defineTables({ teams: local(teams), owners: local(owners), items: local(items) }),
  copied: defineTables({ teams: reference(teams), owners: reference(owners), items: reference(items) }),
  'by owner': defineTables({
    teams: reference(teams),
    owners: distributed(owners, { by: 'id' }),
    items: distributed(items, { by: 'owner', ids: 'free', uniqueAcrossShards: ['code'] }),
  }),
  'by team': defineTables({
    teams: distributed(teams, { by: 'id' }),
    owners: distributed(owners, { by: 'team' }),
    items: distributed(items, { by: 'team', ids: 'free', uniqueAcrossShards: ['code'] }),
  }),
} as const satisfies Record<string, TableDeclarations>
export type Placed = keyof typeof placements

const names = ['DB', 'SHARD_1', 'SHARD_2'] as const
type Name = (typeof names)[number]
const migrations = [{ name: '0000_first.sql', sql, snapshot: null }]
const key = 'sb_secret_test'

export interface ConversionRun {
  readonly seed: number
  readonly from: Placed
  readonly to: Placed
  readonly code: ConversionsCode
  /** Whether movers die, and the operator may cancel. */
  readonly isHostile: boolean
}

export interface ConversionTold {
  /** What went wrong, in words; null for nothing. */
  readonly wrong: string | null
  /** Answers of 503 that clients were given. */
  readonly refused: readonly string[]
  readonly outcome: string
}

/** Somebody with a session, and the rows that they have written. */
interface Client {
  session: string
  readonly rows: Known[]
}

class Died extends Error {}

interface Known {
  readonly id: string
  readonly owner: string
  readonly team: string
  n: number
  code: string
  isGone: boolean
  busy: boolean
}

export async function runConversion({
  seed,
  from,
  to,
  code,
  isHostile,
}: ConversionRun): Promise<ConversionTold> {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  let wrong: string | null = null
  let isOver = false
  const refused: string[] = []
  const fail = (what: string) => {
    wrong ??= what
  }
  const operator: Client = { session: 'new', rows: [] }
  const users: readonly Client[] = [0, 1, 2].map(() => ({ session: 'new', rows: [] }))
  const databases = new Map(
    names.map((name) => [
      name,
      new MemoryD1(() => openPlain(), {
        callMs: () => 0,
        lagMs: () => (isOver ? 0 : below(12) === 0 ? below(3000) : below(40)),
      }),
    ]),
  )
  const on = (name: Name) => (databases.get(name) as MemoryD1).primary
  const bound = databases as never as ReadonlyMap<string, D1Database>
  const migrate = async (tables: TableDeclarations) =>
    code.migrateCluster(bound, code.buildCatalog(tables), migrations, { declared: tables })
  const envOf = (bindings: ReadonlyMap<string, unknown>) =>
    ({
      ...Object.fromEntries(bindings),
      ATOLL_SECRET_KEY: key,
      ATOLL_PUBLISHABLE_KEY: 'sb_publishable_test',
      ATOLL_JWT_SECRET: 'a-secret-that-is-known-to-everybody-who-reads-this',
      ATOLL_RATE_LIMITS: 'off',
      RELAY: { getByName: () => ({ move: quiet, repair: quiet, carry: quiet, suspect: quiet }) },
    }) as never as Env
  const appOf = (placed: Placed): App => ({
    tables: placements[placed],
    config: { cache: false, maxRows: null },
    migrations: ['0000_first.sql'],
  })

  // --- isolates, each of which finds out by itself ----------------------------------------------------------------------
  const startIsolates = (placed: Placed) =>
    [0, 1, 2].map(() => ({ worker: code.createWorker(appOf(placed)), env: envOf(databases) }))
  let isolates = startIsolates(from)
  const ask = async (path: string, init: RequestInit = {}, client: Client = operator): Promise<Response> => {
    const later = new LaterWork()
    // One of them is seldom asked, and knows what was when it was.
    const { worker, env } = isolates[below(30) === 0 ? 2 : below(2)] as (typeof isolates)[number]
    const headers = new Headers(init.headers)
    headers.set('apikey', key)
    headers.set('atoll-session', client.session)
    headers.set('content-type', 'application/json')
    if (typeof init.body === 'string') headers.set('content-length', String(init.body.length))
    const request = new Request(`http://atoll.test${path}`, { ...init, headers })
    const response = await worker.fetch(request, env, later.context)
    await later.done()
    client.session = response.headers.get('atoll-session') ?? client.session
    return response
  }
  /** Asks until it is no longer told to come again. */
  const patiently = async (client: Client, path: string, init: RequestInit = {}): Promise<Response> => {
    for (let tries = 0; ; tries++) {
      const response = await ask(path, init, client)
      if (response.status !== 503 || tries > 200 || wrong !== null) return response
      refused.push(`${init.method ?? 'GET'} ${path}: ${await response.text()}`)
      await pause(10)
    }
  }
  const told = async (response: Response) => `${response.status} ${await response.text()}`

  // --- rows, each of one client's, who reads in a session what they have written ------------------------------------------
  const insert = async (client: Client) => {
    const owner = `o${below(12)}`
    const id = randomUUID()
    const row = { id, owner, team: `t${Number(owner.slice(1)) % 5}`, code: `c-${id}-0`, n: 0 }
    const known: Known = { ...row, isGone: true, busy: true }
    client.rows.push(known)
    const response = await patiently(client, '/rest/v1/items', { method: 'POST', body: JSON.stringify(row) })
    if (response.status === 201) known.isGone = false
    else fail(`insert: ${await told(response)}`)
    known.busy = false
  }
  const change = async (client: Client, row: Known) => {
    row.busy = true
    const n = row.n + 1
    const next = { n, ...(below(2) === 0 ? { code: `c-${row.id}-${n}` } : {}) }
    const which = below(2) === 0 ? `id=eq.${row.id}` : `code=eq.${row.code}`
    const prefer = { prefer: 'return=representation' }
    const response = await patiently(client, `/rest/v1/items?${which}`, {
      method: 'PATCH',
      body: JSON.stringify(next),
      headers: prefer,
    })
    const changed = response.status === 200 ? ((await response.json()) as Known[]) : []
    if (changed.length === 1 && changed[0]?.n === n) Object.assign(row, next)
    else fail(`update of ${which}: ${response.status}, ${changed.length} rows`)
    row.busy = false
  }
  const remove = async (client: Client, row: Known) => {
    row.busy = true
    const response = await patiently(client, `/rest/v1/items?id=eq.${row.id}`, { method: 'DELETE' })
    if (response.status === 204) row.isGone = true
    else fail(`delete: ${await told(response)}`)
    row.busy = false
  }
  const readOne = async (client: Client, row: Known) => {
    const { n, isGone, busy } = row
    const which = below(2) === 0 ? `id=eq.${row.id}` : `owner=eq.${row.owner}&id=eq.${row.id}`
    const response = await patiently(client, `/rest/v1/items?${which}&select=n,owners(team)`)
    if (response.status !== 200) return fail(`read: ${await told(response)}`)
    const [found] = (await response.json()) as { n: number; owners: { team: string } | null }[]
    if (busy || row.busy) return
    if (isGone ? found !== undefined : found === undefined || found.n < n)
      fail(`${row.id} is ${isGone ? 'gone' : n}, and is read as ${found?.n ?? 'gone'}`)
    if (found && found.owners?.team !== row.team) fail(`${row.id} is read without its owner`)
  }
  const readAll = async (client: Client) => {
    const before = client.rows
      .filter(({ busy }) => !busy)
      .map((row) => ({ row, n: row.n, isGone: row.isGone }))
    const response = await patiently(client, '/rest/v1/items?select=id,n')
    if (response.status !== 200) return fail(`read of all: ${await told(response)}`)
    const found = (await response.json()) as { id: string; n: number }[]
    const by = new Map(found.map(({ id, n }) => [id, n]))
    if (by.size < found.length) fail('a question for everything has a row twice')
    for (const { row, n, isGone } of before) {
      if (isGone && row.isGone && !row.busy && by.has(row.id)) fail(`${row.id} is gone, and among all`)
      if (!isGone && !row.isGone && !row.busy && (by.get(row.id) ?? -1) < n)
        fail(`${row.id} is not among all as of ${n}`)
    }
  }
  const use = async (client: Client) => {
    while (!isOver && wrong === null) {
      await pause(below(12))
      const free = client.rows.filter(({ busy, isGone }) => !busy && !isGone)
      const row = free[below(free.length)]
      const what = below(10)
      if (what < 3 || row === undefined) await insert(client)
      else if (what < 6) await change(client, row)
      else if (what === 6) await remove(client, row)
      else if (what < 9) await readOne(client, row)
      else await readAll(client)
    }
  }

  // --- movers, which die ------------------------------------------------------------------------------------------------
  const dyingEnv = (calls: number): Env => {
    let left = calls
    const dying = <Result>(call: () => Promise<Result>): Promise<Result> => {
      if (left-- > 0) return call()
      // What it has sent may arrive.
      if (below(2) === 0) void call().catch(() => undefined)
      return Promise.reject(new Died('the mover died'))
    }
    const wrap = (database: MemoryD1) => {
      const session = (constraint: string) => {
        const own = database.withSession(constraint)
        const prepare = (made: ReturnType<typeof own.prepare>): ReturnType<typeof own.prepare> => ({
          ...made,
          bind: (...values) => prepare(made.bind(...values)),
          all: () => dying(() => made.all()),
        })
        return {
          prepare: (text: string) => prepare(own.prepare(text)),
          batch: (statements: Parameters<typeof own.batch>[0]) => dying(() => own.batch(statements)),
          getBookmark: () => own.getBookmark(),
        }
      }
      const plain = session('first-primary')
      return { withSession: session, prepare: plain.prepare, batch: plain.batch }
    }
    return envOf(new Map([...databases].map(([name, database]) => [name, wrap(database)])))
  }
  const move = async (calls: number) => {
    const placed = new code.PlacedApps(appOf(to))
    const rounds = new code.MoverRounds()
    const env = dyingEnv(calls)
    for (let failures = 0; !isOver && failures < 20; ) {
      try {
        const used = (await placed.settled(env)) ?? placed.current(env)
        const engine = code.engineOf(used)
        const inMs = await rounds.run(code.servicesFor(engine)(env), engine, quiet)
        if (inMs === null) return
        if (inMs > 0) failures++
        await pause(Math.min(inMs, 20))
      } catch {
        failures++
        await pause(5)
      }
    }
  }
  const conversion = () => {
    const row = on('DB').prepare("SELECT value FROM _atoll_state WHERE key = 'conversion'").get()
    return row
      ? (JSON.parse(row.value as string) as { state: string; outcome: string | null; error: string | null })
      : null
  }
  const hasEnded = () => ['done', 'failed', 'cancelled'].includes(conversion()?.state ?? '')

  try {
    await migrate(placements[from])
    const seeded = async (path: string, row: object) => {
      const response = await ask(`/rest/v1/${path}`, { method: 'POST', body: JSON.stringify(row) })
      if (response.status !== 201) fail(`seed of ${path}: ${await told(response)}`)
    }
    for (let i = 0; i < 5; i++) await seeded('teams', { id: `t${i}`, title: `Team ${i}` })
    for (let i = 0; i < 12; i++) await seeded('owners', { id: `o${i}`, team: `t${i % 5}` })
    for (let i = 0; i < 30 && wrong === null; i++) await insert(users[i % users.length] as Client)
    const ranges = rangesText(on('DB'))

    await migrate(placements[to])
    isolates = startIsolates(to)
    const clients = users.map(use)
    await pause(20)
    const asked = await ask('/shards/v1/conversion', {
      method: 'POST',
      body: JSON.stringify({ waitSeconds: 0 }),
    })
    if (asked.status !== 202) fail(`convert: ${await told(asked)}`)
    const cancels = isHostile && below(5) === 0
    if (cancels) void pause(below(150)).then(() => ask('/shards/v1/conversion/cancel', { method: 'POST' }))
    for (let lives = 0; !hasEnded() && wrong === null && lives < 400; lives++) {
      await move(isHostile && lives < 60 ? 3 + below(120) : Number.POSITIVE_INFINITY)
      await pause(1)
    }
    await pause(20)
    isOver = true
    await Promise.all(clients)
    const ended = conversion()
    const outcome = ended?.state ?? 'never begun'
    if (outcome !== 'done' && !(cancels && outcome === 'cancelled'))
      fail(`the conversion is ${JSON.stringify(ended)}`)
    if (rangesText(on('DB')) !== ranges) fail('slots are not back where they were')
    if (wrong === null) await checkEnd(outcome === 'done' ? to : from)
    return { wrong, refused, outcome }
  } finally {
    isOver = true
    await pause(50)
    for (const database of databases.values()) database.close()
  }

  /** Everything where it belongs, once. */
  async function checkEnd(placed: Placed): Promise<void> {
    const map = parseMap(on('DB').prepare(readMapText).get() as never) as ShardMap
    const catalog = code.buildCatalog(placements[placed])
    const live = users.flatMap(({ rows }) => rows).filter(({ isGone }) => !isGone)
    const found = names.flatMap((name) =>
      on(name)
        .prepare('SELECT id, owner, team, code, n FROM items')
        .all()
        .map((row) => ({ name, ...(row as never as Known) })),
    )
    const placement = catalog.tables.get('items')?.placement
    for (const row of live) {
      const wanted =
        placement?.kind === 'distributed'
          ? [ownerOf(map, slotOf(row[placement.by as 'owner' | 'team']))]
          : placement?.kind === 'local'
            ? ['DB']
            : [...names]
      const own = found.filter(({ id }) => id === row.id)
      if (String(own.map(({ name }) => name)) !== String(wanted))
        fail(`${row.id} is on ${own.map(({ name }) => name)}, not ${wanted}`)
      for (const one of own)
        if (one.n !== row.n || one.code !== row.code)
          fail(`${row.id} is ${one.n} on ${one.name}, not ${row.n}`)
      if (placement?.kind !== 'distributed') continue
      for (const [column, value] of [
        ['id', row.id],
        ['code', row.code],
      ] as const) {
        const home = ownerOf(map, keySlot(value)) as Name
        const entry = on(home)
          .prepare('SELECT slot FROM _atoll_unique WHERE name = ? AND value = ?')
          .get(`items.${column}`, value)
        if (entry?.slot !== slotOf(row[placement.by as 'owner' | 'team']))
          fail(`the entry of ${column} ${value} says ${entry?.slot}`)
      }
    }
    const count = new Set(found.map(({ id }) => id)).size
    if (count !== live.length) fail(`${count} rows, not ${live.length}`)
    // What was made in the middle of it is what db:migrate makes.
    const schemas = () =>
      JSON.stringify(
        names.map((name) => on(name).prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all()),
      )
    const before = schemas()
    await migrate(placements[placed])
    if (schemas() !== before) fail('db:migrate finds something to do')
    const permits = names.map((name) => on(name).prepare('SELECT count(*) AS n FROM _atoll_permits').get()?.n)
    if (permits.some((n) => n !== 0)) fail('permits are left')
  }
}

const quiet = async () => undefined

function openPlain(): DatabaseSync {
  return new DatabaseSync(':memory:')
}

function rangesText(primary: DatabaseSync): string {
  return JSON.stringify(
    primary.prepare('SELECT first, last, shard FROM _atoll_shard_map ORDER BY first').all(),
  )
}
