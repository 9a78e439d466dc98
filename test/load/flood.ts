/**
 * `npm run load -- flood`: ordinary traffic beside one caller who asks what is slow, without the watchdog, with it while it learns, and
 * when it has learned; each as ratios to the same traffic alone, in one run.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { startTestServer } from '../support/local-server.ts'
import type { Settings } from './compare.ts'
import { askOnce, type Target } from './tool/ask.ts'
import { table } from './tool/report.ts'
import type { LoadResult } from './tool/run-load.ts'
import { runLoad } from './tool/run-load.ts'
import { runMeasured } from './tool/run-measured.ts'
import { journey, type Question, type Scenario } from './tool/scenario.ts'
import { shown } from './tool/shown.ts'
import { median } from './tool/statistics.ts'

interface Case {
  readonly name: string
  /** Requests a second. Default 20. */
  readonly rate?: number
  ask(i: number): Question
}

const manyTracks = 150_000
const thereAndBack = (levels: number) =>
  Array.from({ length: levels }).reduceRight<string>(
    (inner, _, i) => `${i % 2 === 0 ? 'tracks' : 'playlists'}!inner(id${inner === '' ? '' : `,${inner}`})`,
    '',
  )
const pathTo = (levels: number) =>
  Array.from({ length: levels }, (_, i) => (i % 2 === 0 ? 'tracks' : 'playlists')).join('.')
const scan = 'name.ilike.*q%25z*,composer.ilike.*q%25z*'
const columns = (i: number) =>
  Array.from({ length: 450 }, (_, n) => (n === 0 ? `x${i}:name` : `c${n}:milliseconds`)).join(',')

/** What a hostile or careless caller asks. The first ones are refused by bounds of requests, where there are any. */
const cases: readonly Case[] = [
  {
    name: 'embeds there and back',
    ask: () => ({
      path: `/rest/v1/playlists?select=id,${thereAndBack(3)}&${pathTo(3)}.name=eq.nobody&limit=1`,
    }),
  },
  {
    name: 'shapes of 5 KB as CSV',
    ask: (i) => ({
      path: `/rest/v1/tracks?select=${columns(i)}&limit=1`,
      headers: { accept: 'text/csv' },
    }),
  },
  {
    name: 'function with 2 MB of {}',
    rate: 2,
    ask: () => ({
      method: 'POST',
      path: '/rest/v1/rpc/best_sellers',
      body: `{"count":[${'{},'.repeat(700_000)}{}]}`,
      headers: { 'content-type': 'application/json' },
    }),
  },
  {
    name: 'scan by pattern',
    ask: () => ({ path: `/rest/v1/tracks?select=id&or=(${scan})&limit=1` }),
  },
  {
    name: 'scan, each worded otherwise',
    ask: (i) => ({ path: `/rest/v1/tracks?select=x${i}:id&or=(${scan})&limit=1` }),
  },
  {
    name: 'sort without an index',
    ask: () => ({
      path: '/rest/v1/tracks?select=id,name&order=composer,name.desc,bytes&limit=1&offset=100000',
    }),
  },
  {
    name: 'deep offset',
    ask: (i) => ({
      path: `/rest/v1/tracks?select=id,name&order=name&limit=1&offset=${manyTracks - (i % 1000)}`,
    }),
  },
  {
    name: 'wide groups',
    ask: () => ({ path: '/rest/v1/tracks?select=name,composer,count(),milliseconds.sum()&limit=1' }),
  },
  {
    name: 'embeds with sums',
    ask: () => ({
      path: '/rest/v1/genres?select=name,tracks(count(),milliseconds.sum(),name.max(),bytes.avg())',
    }),
  },
  {
    name: 'exact counts',
    ask: () => ({
      path: `/rest/v1/tracks?select=id&or=(${scan})&limit=1`,
      headers: { prefer: 'count=exact' },
    }),
  },
]

/** Visitors from a hundred networks, and a shop that sells. */
const ordinary = (prefix: string): Scenario => {
  const visitor = (n: number) => ({ 'x-address': `198.51.100.${n % 100}` })
  const read = (path: string, n: number): Question => ({ path: prefix + path, headers: visitor(n) })
  return {
    about: 'ordinary',
    key: 'publishable',
    arrivals: { model: 'open', rate: 60 },
    journeys: [
      journey({
        weight: 8,
        steps: [
          { name: 'track', ask: (draw) => read(`/rest/v1/tracks?id=eq.${draw.zipf(2400)}`, draw.next()) },
        ],
      }),
      journey({
        weight: 6,
        steps: [
          {
            name: 'page of albums',
            ask: (draw) =>
              read(
                `/rest/v1/albums?select=id,title,artists(name)&order=title,id&limit=20&offset=${20 * (draw.zipf(15) - 1)}`,
                draw.next(),
              ),
          },
        ],
      }),
      journey({
        weight: 4,
        steps: [
          {
            name: 'album with its tracks',
            ask: (draw) =>
              read(`/rest/v1/albums?id=eq.${draw.zipf(300)}&select=*,tracks(name,milliseconds)`, draw.next()),
          },
        ],
      }),
      journey({
        weight: 2,
        steps: [
          {
            name: 'invoice',
            ask: (draw) => ({
              path: `${prefix}/rest/v1/invoices`,
              key: 'secret',
              body: { customer_id: draw.zipf(50), invoice_date: '2026-01-01 00:00:00', total: 1.98 },
            }),
            expects: [201],
          },
        ],
      }),
    ],
  }
}

/** Ordinary traffic in one phase. */
interface Sample {
  readonly result: LoadResult
  readonly cpuMs: number
  /** What became of the flood's requests: how many were answered, refused with BOUND020, and failed otherwise. */
  readonly flood: { readonly done: number; readonly refused: number; readonly other: number } | null
}

const head = [
  'flood',
  'phase',
  'p50 ms',
  'p99 ms',
  'by second',
  'p99 ratio',
  'answered/s',
  'ratio',
  'failed',
  'CPU ms',
  'flood done',
  'refused',
  'other',
]

export async function runFlood({ seconds, only = '' }: Settings): Promise<void> {
  const phaseSeconds = 3 * seconds
  const server = await startTestServer({
    entry: new URL('flood-worker.ts', import.meta.url).pathname,
    databases: ['DB'],
    isBare: true,
    isQuiet: true,
  })
  const rows: string[][] = []
  try {
    await growTracks(await server.database('DB'))
    const url = await server.addressOf()
    const target: Target = {
      url,
      keys: { publishable: 'sb_publishable_test', secret: 'sb_secret_test' },
    }
    for (const prefix of ['/on', '/off']) await phase(prefix, target, null, '', 2)
    for (const [i, flood] of cases.entries()) {
      if (!flood.name.includes(only)) continue
      const oneMs = await timeOf(target, flood)
      process.stderr.write(`${flood.name}: one alone takes ${oneMs.toFixed(0)} ms\n`)
      const alone = [await phase('/on', target, null, '', phaseSeconds)]
      const without = await phase('/off', target, flood, `203.0.113.${i}`, phaseSeconds)
      await settle(target)
      const learning = await phase('/on', target, flood, `203.0.113.${i}`, phaseSeconds)
      const learned = await phase('/on', target, flood, `203.0.113.${i}`, phaseSeconds)
      await settle(target)
      alone.push(await phase('/on', target, null, '', phaseSeconds))
      const phases = { 'not watched': without, 'while it learns': learning, learned }
      rows.push(...linesOf(`${flood.name} (${oneMs.toFixed(0)} ms)`, alone, phases))
    }
  } finally {
    await server.stop()
  }
  console.log(
    `60 ordinary requests a second for ${phaseSeconds} s; ratios to the mean of the same alone, before and after. CPU is the server's, for each ordinary request.\n`,
  )
  console.log(table(head, rows).join('\n'))
}

/** Ordinary traffic for a while, with a flood beside it or alone. */
async function phase(
  prefix: string,
  target: Target,
  flood: Case | null,
  address: string,
  durationSeconds: number,
): Promise<Sample> {
  const settings = { durationSeconds, warmUpSeconds: 0, maxRequests: 100_000, timeoutMs: 30_000 }
  const counts = { done: 0, refused: 0, other: 0 }
  let asked = 0
  const rate = flood?.rate ?? 20
  const beside =
    flood &&
    runLoad(
      {
        about: flood.name,
        key: 'publishable',
        arrivals: { model: 'open', rate },
        journeys: [
          journey({
            steps: [
              {
                name: 'flood',
                ask: () => {
                  const question = flood.ask(++asked)
                  const headers = { ...question.headers, 'x-address': address }
                  return { ...question, path: prefix + question.path, headers }
                },
                expects: [200, 206, 400, 413, 503],
                check: (answer) => {
                  if (answer.status < 300) counts.done++
                  else if (answer.text().includes('"BOUND020"')) counts.refused++
                  else counts.other++
                  return undefined
                },
              },
            ],
          }),
        ],
      },
      target,
      { ...settings, arrivals: { model: 'open', rate }, seed: 2, maxOutstanding: 10 },
    )
  const scenario = ordinary(prefix)
  const { result, cpuMsPerRequest } = await runMeasured(scenario, target, {
    ...settings,
    arrivals: scenario.arrivals,
    seed: 1,
    maxOutstanding: 2000,
  })
  await beside
  return { result, cpuMs: cpuMsPerRequest ?? Number.NaN, flood: flood && counts }
}

/** What one of them takes with nothing beside it, in milliseconds. */
async function timeOf(target: Target, { ask }: Case): Promise<number> {
  const question = ask(0)
  const began = performance.now()
  await askOnce(target, { ...question, path: `/off${question.path}` }, 'secret').catch(() => undefined)
  return performance.now() - began
}

/** Waits until the database has done what it was left with. */
async function settle(target: Target): Promise<void> {
  for (let tries = 0; tries < 6; tries++) {
    const began = performance.now()
    const question = { path: '/on/rest/v1/tracks?id=eq.1', key: 'secret' as const }
    await askOnce(target, question, 'secret').catch(() => undefined)
    if (performance.now() - began < 1000) break
  }
  await sleep(200)
}

function linesOf(
  name: string,
  alone: readonly Sample[],
  phases: Readonly<Record<string, Sample>>,
): string[][] {
  const mean = (of: (sample: Sample) => number) =>
    alone.reduce((sum, sample) => sum + of(sample), 0) / alone.length
  const p99 = ({ result }: Sample) => result.all.latency.p99
  const answered = ({ result }: Sample) => (result.all.requests - result.all.failed) / result.elapsedSeconds
  const line = (phaseName: string, sample: Sample, isBase = false) => {
    const { result, cpuMs, flood } = sample
    const bySecond = result.seconds.filter(({ requests }) => requests > 0).map((second) => second.p99)
    const spread = `${shown(Math.min(...bySecond))}–${shown(median(bySecond))}–${shown(Math.max(...bySecond))}`
    const ratio = (of: (sample: Sample) => number) => (isBase ? '1' : (of(sample) / mean(of)).toFixed(2))
    return [
      phaseName === 'alone before' ? name : '',
      phaseName,
      shown(result.all.latency.p50),
      shown(p99(sample)),
      spread,
      ratio(p99),
      answered(sample).toFixed(1),
      ratio(answered),
      String(result.all.failed),
      cpuMs.toFixed(2),
      ...(flood ? [flood.done, flood.refused, flood.other].map(String) : ['', '', '']),
    ]
  }
  const [before, after] = alone as [Sample, Sample]
  return [
    line('alone before', before, true),
    ...Object.entries(phases).map(([phaseName, sample]) => line(phaseName, sample)),
    line('alone after', after, true),
  ]
}

/** Makes tracks enough that what looks at all of them is slow, by SQL: without noting each in the change log and the search. */
async function growTracks(database: D1Database): Promise<void> {
  const { results: triggers } = await database
    .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'tracks'")
    .all<{ name: string; sql: string }>()
  for (const { name } of triggers) await database.prepare(`DROP TRIGGER "${name}"`).run()
  const chunk = 30_000
  for (let from = 100_000; from < 100_000 + manyTracks; from += chunk) {
    await database
      .prepare(
        `INSERT INTO tracks (id, name, album_id, media_type_id, genre_id, composer, milliseconds, bytes, unit_price)
         SELECT n, 'Track ' || n || ' of the large collection', NULL, (SELECT min(id) FROM media_types),
         (SELECT min(id) FROM genres) + n % 5, 'Composer ' || (n * 7919 % 50021), n, n * 31 % 1000003, 0.99
         FROM (WITH RECURSIVE s(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM s WHERE n < ?2) SELECT n FROM s)`,
      )
      .bind(from + 1, from + chunk)
      .run()
  }
  for (const { sql } of triggers) await database.prepare(sql).run()
}
