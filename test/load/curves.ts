/**
 * `npm run load -- curves`: what a request costs by rows in its table, by shards, by users at once, by the size of bodies, and by tables and
 * policies that have nothing to do with it. Writes `scale-figures.json`, which `npm run load -- book` makes `SCALE.md` of.
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import type { LocalServer } from '../../functions/local/serve.ts'
import { startFixture } from '../support/local-server.ts'
import { type Contender, type Sample, type Settings, shoot } from './compare.ts'
import type { Figures, Point } from './scale-figures.ts'
import tables, { migrations } from './scale-tables.ts'
import { median } from './tool/statistics.ts'

const figuresFile = join(import.meta.dirname, 'scale-figures.json')
const accounts = 1000
const rowsAsked = [1, 10, 50, 200, 1000]

/** `--only rows`, `bodies` or `shards` measures just that, and keeps the rest as it is. */
export async function runCurves({ seconds, rounds, connections, only = '' }: Settings): Promise<void> {
  const measure: Measure = (address, contender, users = connections) =>
    pointOf(address, contender, { seconds, rounds: Math.min(rounds, 3), connections: users })
  const parts: Readonly<Record<string, () => Promise<Partial<Figures>>>> = {
    rows: () => byRows(measure),
    bodies: () => bodies(measure),
    shards: () => shards(measure),
  }
  let figures: Partial<Figures> = existsSync(figuresFile)
    ? (JSON.parse(readFileSync(figuresFile, 'utf8')) as Figures)
    : {}
  for (const [name, part] of Object.entries(parts))
    if (name.includes(only)) figures = { ...figures, ...(await part()) }
  const measuredOn = new Date().toISOString().slice(0, 10)
  const processors = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`
  writeFileSync(figuresFile, `${JSON.stringify({ ...figures, measuredOn, processors }, null, 2)}\n`)
}

const at = (name: string, query: string) => `/${name}/rest/v1/events?${query}`

/** Rows in the table; at a hundred thousand of them, everything else that one database shows. */
async function byRows(measure: Measure): Promise<Partial<Figures>> {
  const one = await startCurves(1)
  try {
    const address = (await one.addressOf('curves')).origin
    const database = await one.database('curves-DB')
    const points: Figures['byRows'][number][] = []
    let others: Partial<Figures> = {}
    let count = 0
    for (const rows of [1e3, 1e4, 1e5, 1e6, 1e7]) {
      await grow(database, count, rows)
      count = rows
      const id = (i: number) => 1 + ((i * 7919) % rows)
      const account = (i: number) => `a${(i * 31) % accounts}`
      const insert = {
        path: () => at('uncached', ''),
        method: 'POST' as const,
        write: (i: number) => JSON.stringify({ id: 2e9 + rows + i, account: account(i), value: i }),
      }
      points.push({
        rows,
        bytes: await sizeOf(database),
        byKey: await measure(address, { path: (i) => at('uncached', `id=eq.${id(i)}`) }),
        byIndex: await measure(address, {
          path: (i) => at('uncached', `account=eq.${account(i)}&order=id&limit=50`),
        }),
        insert: await measure(address, insert),
        byNoIndex:
          rows > 1e6 ? null : await measure(address, { path: (i) => at('uncached', `value=eq.${i}`) }, 2),
      })
      console.log(JSON.stringify(points.at(-1)))
      if (rows === 1e5) others = await atOneSize(address, id, measure)
    }
    return { byRows: points, ...others }
  } finally {
    await one.stop()
  }
}

/** By rows in the answer, by users at once, by other tables; and a constant answer, for comparison. */
async function atOneSize(
  address: string,
  id: (i: number) => number,
  measure: Measure,
): Promise<Partial<Figures>> {
  const byReturned: Figures['byReturned'][number][] = []
  const byUsers: Figures['byUsers'][number][] = []
  const byTables: Figures['byTables'][number][] = []
  const reference = await measure(address, { path: () => '/constant' })
  for (const rows of rowsAsked) {
    byReturned.push({
      rows,
      uncached: await measure(address, {
        path: (i) => at('uncached', `id=gt.${(i * 97) % 90_000}&order=id&limit=${rows}`),
      }),
      cached: await measure(address, { path: () => at('cached', `id=gt.7&order=id&limit=${rows}`) }),
    })
  }
  for (const [others, name] of [
    [0, 'uncached'],
    [500, 'crowded'],
  ] as const)
    byTables.push({ others, byKey: await measure(address, { path: (i) => at(name, `id=eq.${id(i)}`) }) })
  for (let users = 1; users <= 512; users *= 2) {
    byUsers.push({
      users,
      uncached: await measure(address, { path: (i) => at('uncached', `id=eq.${id(i)}`) }, users),
      cached: await measure(address, { path: (i) => at('cached', `id=eq.${1 + (i % 500)}`) }, users),
    })
  }
  console.log(JSON.stringify({ reference, byReturned, byTables, byUsers }))
  return { reference, byReturned, byTables, byUsers }
}

type Measure = (address: string, contender: Omit<Contender, 'name'>, users?: number) => Promise<Point>

/** Bodies of rows up to the largest that is taken. */
async function bodies(measure: Measure): Promise<Partial<Figures>> {
  const one = await startCurves(1)
  try {
    const address = (await one.addressOf('curves')).origin
    const points: Figures['byBody'][number][] = []
    for (const rows of [1, 10, 100, 1000, 10_000, 100_000]) {
      let next = 4e9 + rows * 1_000_000
      const body = () =>
        JSON.stringify(
          Array.from({ length: rows }, () => ({ id: next++, account: `a${next % accounts}`, value: next })),
        )
      const bytes = body().length
      // Ten megabytes is as large as a body may be by default.
      if (bytes > 10_000_000) break
      const insert = { path: () => at('uncached', ''), method: 'POST' as const, write: body }
      points.push({ rows, bytes, insert: await measure(address, insert, 4) })
      console.log(JSON.stringify(points.at(-1)))
    }
    return { byBody: points }
  } finally {
    await one.stop()
  }
}

/** Keyed reads ask one of many databases; the others all of them. */
async function shards(measure: Measure): Promise<Partial<Figures>> {
  const points: Figures['byShards'][number][] = []
  for (const count of [1, 4, 16, 64]) {
    const server = await startCurves(count)
    try {
      const address = (await server.addressOf('curves')).origin
      const path = (query: string) => `/uncached/rest/v1/events${query}`
      const rows = Array.from({ length: accounts }, (_, i) => ({ id: i + 1, account: `a${i}`, value: i }))
      const headers = {
        apikey: 'sb_secret_test',
        'content-type': 'application/json',
        prefer: 'atomicity=shard',
      }
      const answer = await fetch(address + path(''), { method: 'POST', headers, body: JSON.stringify(rows) })
      if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
      points.push({
        shards: count,
        keyed: await measure(address, { path: (i) => path(`?account=eq.a${i % accounts}`) }),
        bare: await measure(address, { path: (i) => `/bare/${i % count}/a${i % accounts}` }),
        everywhere: await measure(address, { path: () => path('?order=value&limit=50') }, 4),
      })
      console.log(JSON.stringify(points.at(-1)))
    } finally {
      await server.stop()
    }
  }
  return { byShards: points }
}

async function startCurves(count: number): Promise<LocalServer> {
  const names = ['DB', ...Array.from({ length: count - 1 }, (_, i) => `SHARD_${i + 1}`)]
  const server = await startFixture({
    port: 0,
    persistTo: null,
    databases: ['DB'],
    entry: join(import.meta.dirname, 'scale-worker.ts'),
    isQuiet: true,
    variables: { ATOLL_SECRET_KEY: 'sb_secret_test', ATOLL_RATE_LIMITS: 'off' },
    beside: [
      {
        name: 'curves',
        entry: join(import.meta.dirname, 'curve-worker.ts'),
        databases: Object.fromEntries(names.map((name) => [name, `curves-${name}`])),
      },
    ],
  })
  const databases = await Promise.all(
    names.map(async (name) => [name, await server.database(`curves-${name}`)] as const),
  )
  await migrateCluster(new Map(databases), buildCatalog(tables), migrations)
  return server
}

/** Rows at once that one statement writes. */
const chunk = 100_000

/** Fills the table by SQL, without noting each row in the change log. */
async function grow(database: D1Database, from: number, to: number): Promise<void> {
  const { results: triggers } = await database
    .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'events'")
    .all<{ name: string; sql: string }>()
  for (const { name } of triggers) await database.prepare(`DROP TRIGGER "${name}"`).run()
  for (let done = from; done < to; done += chunk) {
    await database
      .prepare(
        `INSERT INTO events (id, account, value) SELECT n, 'a' || (n * 17 % ${accounts}), -n FROM
         (WITH RECURSIVE s(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM s WHERE n < ?2) SELECT n FROM s)`,
      )
      .bind(done + 1, Math.min(to, done + chunk))
      .run()
  }
  for (const { sql } of triggers) await database.prepare(sql).run()
  await database
    .prepare('ANALYZE')
    .run()
    .catch(() => undefined)
}

async function sizeOf(database: D1Database): Promise<number> {
  return (await database.prepare('SELECT 1').run()).meta.size_after ?? Number.NaN
}

async function pointOf(
  address: string,
  contender: Omit<Contender, 'name'>,
  settings: Settings,
): Promise<Point> {
  const target = { url: new URL(address), keys: {} }
  const named = { name: 'curve', ...contender }
  const samples: Sample[] = []
  await shoot(named, target, { ...settings, seconds: 0.5 }, 0)
  for (let round = 0; round < settings.rounds; round++)
    samples.push(await shoot(named, target, settings, round + 1))
  for (const { result } of samples)
    if (result.all.failed > 0) throw new Error(`${contender.path(0)}: ${JSON.stringify(result.all.errors)}`)
  const of = (read: (sample: (typeof samples)[number]) => number) =>
    Number(median(samples.map(read)).toPrecision(4))
  return {
    cpuMs: of(({ cpuMs }) => cpuMs),
    perSecond: of(({ result }) => result.all.requests / result.elapsedSeconds),
    p50: of(({ result }) => result.all.latency.p50),
    p99: of(({ result }) => result.all.latency.p99),
  }
}
