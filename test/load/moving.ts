/**
 * `npm run load -- move`: a fifth of all rows goes from four databases to a fifth one while it is asked and written. What others have of it,
 * for how long slots are closed, and how many rows a second move beside a bare `INSERT … SELECT` of rows like them; and what a read costs with
 * the map's epoch in its session, beside one without.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { mapPosition } from '../../db/cluster/fence.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import { evenRanges, ownerOf, type ShardMap } from '../../db/slots/shard-map.ts'
import { makeRoutedNumber, slotOf } from '../../db/slots/slots.ts'
import { sealingSecretOf } from '../../functions/core/config.ts'
import { SessionTokens } from '../../functions/databases/session-token.ts'
import type { LocalServer } from '../../functions/local/serve.ts'
import type { ShownMove } from '../../functions/shards/area.ts'
import { startFixture } from '../support/local-server.ts'
import { type Contender, compare, type Sample, type Settings, secret, shoot } from './compare.ts'
import tables, { migrations } from './moving-tables.ts'
import { table } from './tool/report.ts'
import { median } from './tool/statistics.ts'

const databases = ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3', 'SHARD_4']
const full = databases.slice(0, 4)
const perAccount = 20
const note = 'a note of some length, as rows have; it says nothing of use'

export interface MovingSettings extends Settings {
  /** Of all four databases together. */
  readonly rows: number
}

export async function runMoving(settings: MovingSettings): Promise<void> {
  const server = await startFixture({
    port: 0,
    persistTo: null,
    databases,
    isWhole: true,
    isBare: true,
    entry: new URL('moving-worker.ts', import.meta.url).pathname,
    variables: { ATOLL_SECRET_KEY: secret.apikey, ATOLL_JWT_SECRET: jwtSecret, ATOLL_RATE_LIMITS: 'off' },
  })
  try {
    await prepare(server, settings.rows)
    process.stderr.write(`${settings.rows} rows lie on ${full.length} databases\n`)
    const bare = await bareCopy(await server.database('SHARD_1'))
    const url = await server.addressOf()
    const ask = (round: number) => shoot(clientOf(settings.rows), { url, keys: {} }, settings, round)
    await ask(0)
    const before: Sample[] = []
    for (let round = 1; round <= settings.rounds; round++) before.push(await ask(round))
    const begun = performance.now()
    await send(server, '/rebalance', { threshold: 0.01 })
    const during: Sample[] = []
    let moves: readonly ShownMove[]
    do {
      during.push(await ask(100 + during.length))
      moves = await movesOf(server)
    } while (moves.some(({ phase }) => phase !== null))
    const seconds = (performance.now() - begun) / 1000
    print({ before, during, moves, seconds, bare })
    await compare(url.origin, [await epochCost(server)], { ...settings, only: '' })
  } finally {
    await server.stop()
  }
}

const jwtSecret = 'a secret of the run that measures moves of slots'

/** Reads of an account, a write to it, and a count of all, as often as they come. */
function clientOf(rows: number): Contender {
  const accounts = rows / perAccount
  const account = (i: number) => `a${(i * 7919) % accounts}`
  return {
    name: 'ten reads of an account, one write',
    path: (i) => `/rest/v1/events?account=eq.${account(i)}&order=id&limit=${perAccount}`,
    write: (i) => (i % 11 === 0 ? JSON.stringify({ amount: i }) : null),
    writePath: (i) => `/rest/v1/events?account=eq.${account(i)}&kind=eq.k0`,
  }
}

/** Four databases with the same number of rows, and one that is empty. */
async function prepare(server: LocalServer, rows: number): Promise<void> {
  const all = await server.databases()
  const catalog = buildCatalog(tables)
  const first = new Map([...all].filter(([name]) => full.includes(name)))
  await migrateCluster(first, catalog, migrations)
  await migrateCluster(all, catalog, migrations)
  const map: ShardMap = { epoch: 0, ranges: evenRanges(full), epochs: new Map() }
  const accounts = new Map<string, unknown[]>(full.map((name) => [name, []]))
  for (let i = 0; i < rows / perAccount; i++) {
    const slot = slotOf(`a${i}`)
    const ids = Array.from({ length: perAccount }, (_, k) => makeRoutedNumber(slot, i * perAccount + k + 1))
    accounts.get(ownerOf(map, slot))?.push([`a${i}`, ids])
  }
  for (const [name, own] of accounts) await fill(await server.database(name), own)
}

/** Rows go in without triggers: what is measured comes later. */
async function fill(database: D1Database, accounts: readonly unknown[]): Promise<void> {
  const { results: triggers } = await database
    .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'events'")
    .all<{ name: string; sql: string }>()
  await database.batch(triggers.map(({ name }) => database.prepare(`DROP TRIGGER "${name}"`)))
  for (let from = 0; from < accounts.length; from += 1000) {
    await database
      .prepare(
        `INSERT INTO events (id, account, kind, amount, note)
         SELECT e.value, a.value ->> 0, 'k' || e.key, e.value % 1000, ?2 FROM json_each(?1) AS a, json_each(a.value, '$[1]') AS e`,
      )
      .bind(JSON.stringify(accounts.slice(from, from + 1000)), note)
      .run()
  }
  await database.batch(triggers.map(({ sql }) => database.prepare(sql)))
}

/** Rows a second that an `INSERT … SELECT` copies within one database, with the index. */
async function bareCopy(database: D1Database): Promise<number> {
  const create = migrations[0]?.sql.replaceAll('events', 'copies').split(';') ?? []
  await database.batch(create.map((sql) => database.prepare(sql)))
  const start = performance.now()
  const { meta } = await database.prepare('INSERT INTO copies SELECT * FROM events').run()
  const seconds = (performance.now() - start) / 1000
  await database.prepare('DROP TABLE copies').run()
  // The row, and its entry in the index.
  return meta.changes / seconds
}

async function send(server: LocalServer, path: string, body: object): Promise<void> {
  const answer = await fetch(new URL(`/shards/v1${path}`, server.url), {
    method: 'POST',
    headers: { ...secret, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (answer.status !== 202) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  await answer.arrayBuffer()
}

async function movesOf(server: LocalServer): Promise<readonly ShownMove[]> {
  for (;;) {
    const answer = await fetch(new URL('/shards/v1/moves', server.url), { headers: secret })
    if (answer.ok) return ((await answer.json()) as { moves: readonly ShownMove[] }).moves
    await answer.arrayBuffer()
    await sleep(500)
  }
}

interface Measured {
  readonly before: readonly Sample[]
  readonly during: readonly Sample[]
  readonly moves: readonly ShownMove[]
  readonly seconds: number
  /** Rows a second. */
  readonly bare: number
}

function print({ before, during, moves, seconds, bare }: Measured): void {
  const sum = (samples: readonly Sample[], of: (sample: Sample) => number) =>
    samples.reduce((total, sample) => total + of(sample), 0)
  const most = (samples: readonly Sample[], of: (sample: Sample) => number) =>
    samples.reduce((max, sample) => Math.max(max, of(sample)), 0)
  const line = (name: string, samples: readonly Sample[]) => {
    const requests = sum(samples, ({ result }) => result.all.requests)
    const rate = requests / sum(samples, ({ result }) => result.elapsedSeconds)
    const cpu = sum(samples, ({ result, cpuMs }) => cpuMs * result.all.requests) / requests
    return {
      name,
      rate,
      cpu,
      cells: [
        rate.toFixed(0),
        cpu.toFixed(3),
        median(samples.map(({ result }) => result.all.service.p50)).toFixed(1),
        most(samples, ({ result }) => result.all.service.p99).toFixed(0),
        most(samples, ({ result }) => result.all.service.max).toFixed(0),
        String(sum(samples, ({ result }) => result.all.failed)),
      ],
    }
  }
  const [calm, busy] = [line('before', before), line('meanwhile', during)]
  const others = ['', 'req/s', 'CPU ms', 'p50 ms', 'worst p99 ms', 'longest ms', 'failed']
  console.log(
    table(
      others,
      [calm, busy].map(({ name, cells }) => [name, ...cells]),
    ).join('\n'),
  )
  console.log(
    `others meanwhile: ${(busy.rate / calm.rate).toFixed(2)} of their requests a second, ${(busy.cpu / calm.cpu).toFixed(2)} of the CPU for each, the mover's own counted\n`,
  )
  const rows = moves.reduce((total, move) => total + move.rows, 0)
  const unfit = moves.filter(({ state }) => state !== 'done')
  const pieces = moves.reduce((total, { pauses }) => total + pauses.count, 0)
  const pause = Math.max(...moves.map(({ pauses }) => pauses.longestMs))
  console.log(`${rows} rows moved in ${seconds.toFixed(1)} s, in ${moves.length} moves and ${pieces} pieces`)
  console.log(`slots closed for ${pause} ms at most`)
  console.log(
    `${(rows / seconds).toFixed(0)} rows/s, ${(rows / seconds / bare).toFixed(4)} of a bare INSERT … SELECT (${bare.toFixed(0)} rows/s)\n`,
  )
  if (unfit.length > 0) throw new Error(`not done: ${JSON.stringify(unfit)}`)
}

/** The same read by sessions that say how new their map is, and that do not. */
async function epochCost(server: LocalServer) {
  const tokens = new SessionTokens(sealingSecretOf({ secret: secret.apikey, jwtSecret } as never))
  const path = (i: number) => `/rest/v1/events?account=eq.a${i % 1000}&limit=1`
  const answer = await fetch(new URL(path(0), server.url), { headers: { ...secret, 'Atoll-Session': 'new' } })
  await answer.arrayBuffer()
  const seen = await tokens.read(answer.headers.get('Atoll-Session') ?? '')
  if (!seen.has(mapPosition)) throw new Error('the session says nothing of the map')
  const without = new Map([...seen].filter(([name]) => name !== mapPosition))
  const asking = async (name: string, bookmarks: ReadonlyMap<string, string>): Promise<Contender> => {
    const token = await tokens.write(bookmarks)
    return { name, path, headers: () => ({ ...secret, 'Atoll-Session': token }) }
  }
  return {
    name: 'a read in a session',
    contenders: [await asking("with the map's epoch", seen), await asking('without', without)],
  }
}
