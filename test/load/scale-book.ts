/**
 * `npm run load -- book`: writes `SCALE.md` from what `curves` measured and what the model makes of it.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Figures, Point } from './scale-figures.ts'
import {
  assumptions,
  capacityOf,
  commandsPerRequest,
  costOf,
  type Deployment,
  type Line,
  limits,
  type Model,
  modelOf,
  prices,
} from './scale-model.ts'
import { bytesText, percent, table } from './tool/report.ts'
import { shown } from './tool/shown.ts'

const folder = import.meta.dirname
export const bookFile = join(folder, 'SCALE.md')

export function readFigures(): Figures {
  return JSON.parse(readFileSync(join(folder, 'scale-figures.json'), 'utf8')) as Figures
}

export function writeBook(): void {
  writeFileSync(bookFile, bookOf(readFigures()))
  console.log(bookFile)
}

export function bookOf(figures: Figures): string {
  const model = modelOf(figures)
  return `${[
    '# The scale book',
    '',
    'What was measured, the model fitted to it, and what that means on paper. All of it is written by two commands: `npm run load -- curves`',
    'measures for some six minutes and keeps its figures in `scale-figures.json`; `npm run load -- book` writes this file from them. Absolute',
    `figures are of one machine (${figures.processors}, ${figures.measuredOn}) that others use as well; only how they change along a curve means much.`,
    'Processor time is that of workerd with everything in it: the Worker, D1, and Miniflare between them.',
    '',
    ...measured(figures),
    ...fitted(model),
    ...onPaper(model),
    ...walls(model),
    ...terms(),
  ].join('\n')}\n`
}

const cpu = ({ cpuMs }: Point) => cpuMs.toFixed(2)

function measured(figures: Figures): string[] {
  const { byRows, byReturned, byTables, byUsers, byBody, byShards, reference } = figures
  const ms = (value: number) => shown(value)
  return [
    '## Measured',
    '',
    `CPU per request in milliseconds; a constant answer of a bare Worker takes ${cpu(reference)}. Medians of three rounds of a second.`,
    '',
    '### Rows in one table',
    '',
    ...table(
      ['rows', 'database', 'by key', '50 by an index', 'insert', 'without an index'],
      byRows.map((of) => [
        of.rows.toLocaleString('en'),
        bytesText(of.bytes),
        cpu(of.byKey),
        cpu(of.byIndex),
        cpu(of.insert),
        of.byNoIndex ? cpu(of.byNoIndex) : 'not asked',
      ]),
    ),
    '',
    'With an index, what a request costs does not grow with the table. Without one it grows with each row, in time and in dollars: `npm run advise`',
    'finds those.',
    '',
    '### Rows in an answer',
    '',
    ...table(
      ['rows', 'from the database', 'from the cache'],
      byReturned.map((of) => [String(of.rows), cpu(of.uncached), cpu(of.cached)]),
    ),
    '',
    '### Shards',
    '',
    'One Miniflare holds all of them, so what asks them all does the work of all in one process; deployed, each has a thread of its own.',
    '',
    ...table(
      ['shards', 'keyed read', 'the same, without Atoll', '50 rows of all, in order', 'p50 of that'],
      byShards.map((of) => [
        String(of.shards),
        cpu(of.keyed),
        cpu(of.bare),
        cpu(of.everywhere),
        `${ms(of.everywhere.p50)} ms`,
      ]),
    ),
    '',
    '### Users at once',
    '',
    'Closed, without think time, reads by key: one thread answers them, so throughput stands still once it is busy, and latency grows with the queue.',
    '',
    ...table(
      ['users', 'req/s', 'p50 ms', 'p99 ms', 'cached req/s', 'p50 ms', 'p99 ms'],
      byUsers.map((of) => [
        String(of.users),
        of.uncached.perSecond.toFixed(0),
        ms(of.uncached.p50),
        ms(of.uncached.p99),
        of.cached.perSecond.toFixed(0),
        ms(of.cached.p50),
        ms(of.cached.p99),
      ]),
    ),
    '',
    '### Bodies',
    '',
    'Inserts of one request, in one transaction, with a row of the change log for each.',
    '',
    ...table(
      ['rows', 'body', 'CPU ms', 'µs per row'],
      byBody.map((of) => [
        of.rows.toLocaleString('en'),
        bytesText(of.bytes),
        shown(of.insert.cpuMs),
        shown((1000 * of.insert.cpuMs) / of.rows),
      ]),
    ),
    '',
    '### Tables and policies of others',
    '',
    ...table(
      ['other tables, with ten policies each', 'by key'],
      byTables.map((of) => [String(of.others), cpu(of.byKey)]),
    ),
    '',
  ]
}

function fitted(model: Model): string[] {
  const row = (what: string, { intercept, slope, r2 }: Line, unit: string, factor = 1) => [
    what,
    `${intercept.toFixed(3)} ms`,
    `${(slope * factor).toFixed(3)} ${unit}`,
    r2.toFixed(2),
  ]
  return [
    '## The model',
    '',
    'Least squares of CPU per request. Where a slope is nothing, its line explains nothing either (R² near 0), which is what was hoped for.',
    '',
    ...table(
      ['cost of', 'base', 'grows by', 'R²'],
      [
        row('a read by key, by rows in the table', model.byRows, 'ms for ten times the rows'),
        row('an insert, by rows in the table', model.insertByRows, 'ms for ten times the rows'),
        row('a read, by rows in the answer', model.byReturned, 'µs a row', 1000),
        row('a cached answer, by rows in it', model.cached, 'µs a row', 1000),
        row('a keyed read, by shards', model.keyed, 'µs a shard', 1000),
        row('the same without Atoll, by shards', model.bare, 'µs a shard', 1000),
        row('a read of all shards, by shards', model.everywhere, 'ms a shard'),
        row('an insert, by rows in its body', model.byBody, 'µs a row', 1000),
      ],
    ),
    '',
    'A keyed request makes one call, whatever the number of shards (`npm run load -- scale` counts them); what its line grows or falls by is what',
    'many databases in one process cost each other, as the same statement without Atoll shows, and noise.',
    '',
    `A row of the measured table (two numbers, a short text, one index) takes ${shown(model.bytesPerRow)} bytes.`,
    '',
  ]
}

/** What is worked out on paper, by name. */
const deployments: readonly (readonly [name: string, of: Deployment])[] = [
  ['one database, nothing cached', { databases: 1, hits: 0, everywhere: 0 }],
  ['one database, 80 % hits', { databases: 1, hits: 0.8, everywhere: 0 }],
  ['the same, 9 of 10 hits up to a second old', { databases: 1, hits: 0.8, everywhere: 0, asking: 0.1 }],
  ['one region: 16 databases, 80 % hits', { databases: 16, hits: 0.8, everywhere: 0 }],
  ['the same, 1 % of reads ask all', { databases: 16, hits: 0.8, everywhere: 0.01 }],
  ['a thousand databases, 80 % hits', { databases: 1000, hits: 0.8, everywhere: 0 }],
  ['the same, 9 of 10 hits up to a second old', { databases: 1000, hits: 0.8, everywhere: 0, asking: 0.1 }],
  ['the same, and 1 % of reads ask all', { databases: 1000, hits: 0.8, everywhere: 0.01, asking: 0.1 }],
]

function onPaper(model: Model): string[] {
  const dollars = (value: number) =>
    `$${value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString('en')}`
  const rows = deployments.map(([name, of]) => {
    const perSecond = capacityOf(of)
    const gb = of.databases * limits.gbPerDatabase
    const costs = costOf(of, perSecond, gb, model)
    const all = costs.reduce((sum, cost) => sum + cost.dollars, 0)
    const requests = (perSecond / assumptions.peak) * assumptions.secondsPerMonth
    return {
      name,
      costs,
      cells: [
        name,
        Math.round(perSecond).toLocaleString('en'),
        `${gb.toLocaleString('en')} GB`,
        Math.round(perSecond * commandsPerRequest(of)).toLocaleString('en'),
        dollars(all),
        `$${((1e6 * all) / requests).toFixed(2)}`,
      ],
    }
  })
  const items = rows[0]?.costs.map(({ item }) => item) ?? []
  return [
    '## On paper',
    '',
    'Requests a second at the busiest hour, with databases full and planned to be used by no more than the share below; dollars a month for the',
    'average that goes with it, at published prices and without what plans include.',
    '',
    ...table(
      ['', 'req/s', 'rows', 'store commands/s', 'a month', 'a million requests'],
      rows.map(({ cells }) => cells),
    ),
    '',
    `Beyond ${assumptions.storePerSecond.toLocaleString('en')} store commands a second, one Upstash database is not trusted to be enough; the walls below say what then.`,
    '',
    'Where the dollars go:',
    '',
    ...table(
      ['', ...items],
      rows.map(({ name, costs }) => [name, ...costs.map(({ dollars: of }) => dollars(of))]),
    ),
    '',
  ]
}

function walls(model: Model): string[] {
  const { storePerSecond, used, pageMs, writeMs, writes } = assumptions
  const cached: Deployment = { databases: 1000, hits: 0.8, everywhere: 0 }
  const storeWall = storePerSecond / commandsPerRequest(cached)
  const everywhereWall = (share: number) => (1000 * used) / ((1 - writes) * share * pageMs)
  return [
    '## The first wall, and what moves it',
    '',
    `1. **One database's thread.** With nothing cached it is the first: ${Math.round(capacityOf({ databases: 1, hits: 0, everywhere: 0 })).toLocaleString('en')} requests a second. The cache moves it (80 % hits: ${Math.round(capacityOf({ databases: 1, hits: 0.8, everywhere: 0 })).toLocaleString('en')}), shards multiply it. Writes are what is left: ${percent(writes)} of requests at ${writeMs} ms take more of the thread than all cached reads.`,
    `2. **The store, and its bill.** A read that may not be a moment old asks it once, so ${storePerSecond.toLocaleString('en')} commands a second are ${Math.round(storeWall).toLocaleString('en')} requests; and by the command it is most of the bill above, more than the databases that it saves. Two things move it: \`maxStaleMs\`, with which a table asks once a second, key and isolate and not for each read; and one of Upstash's plans at a fixed price ($20 a month for 1 GB), which count no commands. By the command, a cache that must always ask pays for latency and for the databases' threads, not for dollars.`,
    `3. **Reads that ask all shards.** They take a turn on every database, so no number of shards carries more of them: at 1 % of reads the most is ${Math.round(everywhereWall(0.01)).toLocaleString('en')} requests a second, at 10 % ${Math.round(everywhereWall(0.1)).toLocaleString('en')}, however many there are. A distribution column in the filter, a routed id, \`uniqueAcrossShards\` or the cache moves it; so does \`npm run advise\`, which names them.`,
    `4. **Room.** ${limits.gbPerDatabase} GB a database is ${shown((limits.gbPerDatabase * 1e9) / model.bytesPerRow / 1e6)} million rows like the measured ones; an account has ${limits.gbPerAccount.toLocaleString('en')} GB by default, a hundred full databases, before Cloudflare must be asked for more. So the thousand above are one request to Cloudflare away.`,
    '5. **Not walls**: rows in a table with an index, tables and policies of others, shards for keyed requests; their slopes are above.',
    '',
  ]
}

function terms(): string[] {
  const lines = (of: object, path: string): [string, string][] =>
    Object.entries(of).flatMap(([name, value]) =>
      typeof value === 'object'
        ? lines(value, `${path}${name}.`)
        : [[`${path}${name}`, String(value)] as [string, string]],
    )
  return [
    '## Assumptions, prices, limits',
    '',
    'Assumptions were not measured; `scale-model.ts` says what each means and names the pages of prices and limits.',
    '',
    ...table(['assumption', 'value'], lines(assumptions, '')),
    '',
    ...table(['price in dollars', 'value'], lines(prices, '')),
    '',
    ...table(['limit', 'value'], lines(limits, '')),
    '',
    'Not in it: transfer from Upstash beyond 200 GB a month ($0.03 a GB), whatever Cloudflare agrees on with large customers, Miniflare beside',
    'the platform (D1 there is across a network, and on other processors), regions far from the databases, slots that lie unevenly.',
  ]
}
