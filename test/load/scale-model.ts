/**
 * From what was measured to what it would carry and cost: fits, published prices and assumptions, each with a name.
 * @module
 */
import type { Figures, Point } from './scale-figures.ts'

/** Published prices in dollars, beyond what the paid plan includes. Read in November 2026. */
export const prices = {
  /** https://developers.cloudflare.com/workers/platform/pricing/ */
  workers: { month: 5, perMillionRequests: 0.3, perMillionCpuMs: 0.02 },
  /** https://developers.cloudflare.com/d1/platform/pricing/ */
  d1: { perMillionRead: 0.001, perMillionWritten: 1, perGb: 0.75 },
  /** https://developers.cloudflare.com/queues/platform/pricing/ */
  queues: { perMillionOperations: 0.4 },
  /** https://developers.cloudflare.com/r2/pricing/ */
  r2: { perGb: 0.015, perMillionWrites: 4.5, perMillionReads: 0.36 },
  /** https://upstash.com/pricing/redis, pay as you go */
  upstash: { per100kCommands: 0.2, perGb: 0.25 },
  /** https://developers.cloudflare.com/durable-objects/platform/pricing/ */
  durableObjects: { perMillionRequests: 0.15, perMillionWritten: 1 },
} as const

/** Limits that the platform sets. */
export const limits = {
  /** https://developers.cloudflare.com/d1/platform/limits/ */
  gbPerDatabase: 10,
  databasesPerAccount: 50_000,
  gbPerAccount: 1000,
} as const

/** What is taken to be so, and was not measured: change it, and `npm run load -- book` writes the book anew. */
export const assumptions = {
  /** Milliseconds that D1 works on a keyed read, on a page of fifty rows, and on a write of one row. */
  readMs: 1,
  pageMs: 2,
  writeMs: 5,
  /** Share of a database's time that is planned to be used at the busiest hour. */
  used: 0.6,
  /** Shares of all requests. */
  writes: 0.05,
  pages: 0.3,
  /** Rows that a page reads, and its answer's kilobytes are of no price. */
  rowsPerPage: 50,
  /** Rows that D1 counts for an insert: the row, one index, its change in the log. */
  rowsPerWrite: 3,
  /** The busiest hour carries so many times what the average hour does. */
  peak: 3,
  /** Jobs for each write, queue operations for each job, rows that a job writes in its life. */
  jobsPerWrite: 0.5,
  operationsPerJob: 3,
  rowsPerJob: 4,
  /** Files that are read and written for each request, and kilobytes of each. */
  fileReads: 0.02,
  fileWrites: 0.001,
  fileKb: 200,
  filesKeptMonths: 12,
  /** Cached answers that Upstash holds for each gigabyte of rows, in gigabytes. */
  storedShare: 0.05,
  /** Commands that one Upstash database is trusted to answer each second. */
  storePerSecond: 10_000,
  /** Requests that one isolate answers each second; each hands its counts over every three seconds, in two rows. */
  perIsolate: 200,
  secondsPerMonth: 2_629_800,
} as const

/** y = intercept + slope * x. */
export interface Line {
  readonly intercept: number
  readonly slope: number
  /** Share of the variance that the line explains. */
  readonly r2: number
}

/**
 * By least squares: of the differences, or of their shares of the values, where these span powers of ten.
 *
 * @param isRelative whether a point that is a tenth as high counts for as much
 */
export function fit(points: readonly (readonly [x: number, y: number])[], isRelative = false): Line {
  const weights = points.map(([, y]) => (isRelative ? 1 / y ** 2 : 1))
  const sum = (of: (point: readonly [x: number, y: number]) => number) =>
    points.reduce((total, point, i) => total + (weights[i] as number) * of(point), 0)
  const all = sum(() => 1)
  const [x, y] = [sum(([a]) => a) / all, sum(([, b]) => b) / all]
  const slope = sum(([a, b]) => (a - x) * (b - y)) / sum(([a]) => (a - x) ** 2)
  const intercept = y - slope * x
  const rest = sum(([a, b]) => (b - intercept - slope * a) ** 2)
  const whole = sum(([, b]) => (b - y) ** 2)
  return { intercept, slope, r2: whole === 0 ? 1 : 1 - rest / whole }
}

export interface Model {
  /** CPU of a keyed read by the logarithm (base 10) of the rows in its table. */
  readonly byRows: Line
  readonly insertByRows: Line
  /** CPU of a read by the rows that it answers. */
  readonly byReturned: Line
  /** CPU of a cached answer by the rows in it. */
  readonly cached: Line
  /** CPU of a keyed read, of the same without Atoll, and of one that asks all, by shards. */
  readonly keyed: Line
  readonly bare: Line
  readonly everywhere: Line
  /** CPU of a write by the rows in its body. */
  readonly byBody: Line
  /** Bytes of a database for each row of the table, index and all. */
  readonly bytesPerRow: number
}

export function modelOf(figures: Figures): Model {
  const cpu = (point: Point) => point.cpuMs
  const { byRows, byReturned, byShards, byBody } = figures
  const largest = byRows.at(-1) as Figures['byRows'][number]
  return {
    byRows: fit(byRows.map(({ rows, byKey }) => [Math.log10(rows), cpu(byKey)])),
    insertByRows: fit(byRows.map(({ rows, insert }) => [Math.log10(rows), cpu(insert)])),
    byReturned: fit(byReturned.map(({ rows, uncached }) => [rows, cpu(uncached)])),
    cached: fit(byReturned.map(({ rows, cached }) => [rows, cpu(cached)])),
    keyed: fit(byShards.map(({ shards, keyed }) => [shards, cpu(keyed)])),
    bare: fit(byShards.map(({ shards, bare }) => [shards, cpu(bare)])),
    everywhere: fit(
      byShards.map(({ shards, everywhere }) => [shards, cpu(everywhere)]),
      true,
    ),
    byBody: fit(
      byBody.map(({ rows, insert }) => [rows, cpu(insert)]),
      true,
    ),
    bytesPerRow: largest.bytes / largest.rows,
  }
}

export interface Deployment {
  readonly databases: number
  /** Share of cached reads that ask the store whether they are current: all, unless tables allow an age. Default 1. */
  readonly asking?: number
  /** Share of reads that the cache answers. */
  readonly hits: number
  /** Share of reads that ask every database, and are not cached. */
  readonly everywhere: number
}

/** Requests a second at the busiest hour, when load lies evenly on all databases. */
export function capacityOf({ databases, hits, everywhere }: Deployment): number {
  const { readMs, pageMs, writeMs, writes, pages, used } = assumptions
  const reads = 1 - writes
  const missed = reads * (1 - hits)
  const keyedMs = missed * (1 - everywhere) * (pages * pageMs + (1 - pages) * readMs) + writes * writeMs
  // What asks all of them takes its time on each.
  const everywhereMs = databases === 1 ? missed * everywhere * pageMs : reads * everywhere * pageMs
  return (1000 * used) / (keyedMs / databases + everywhereMs)
}

/** Commands to the store for each request: a hit asks once or not at all, a fill four times, a write once. */
export function commandsPerRequest({ hits, asking = 1 }: Deployment): number {
  const reads = 1 - assumptions.writes
  return hits === 0 ? 0 : reads * (hits * asking + 4 * (1 - hits)) + assumptions.writes
}

export interface Cost {
  readonly item: string
  readonly dollars: number
}

/** Dollars a month for a load, at published prices and without what plans include. */
export function costOf(deployment: Deployment, perSecond: number, gb: number, model: Model): Cost[] {
  const of = assumptions
  const requests = (perSecond / of.peak) * of.secondsPerMonth
  const { hits } = deployment
  const reads = requests * (1 - of.writes)
  const missed = reads * (1 - hits)
  const writes = requests * of.writes
  const cpuOfRead = (line: Line) =>
    of.pages * (line.intercept + line.slope * of.rowsPerPage) + (1 - of.pages) * line.intercept
  const cpuMs =
    missed * cpuOfRead(model.byReturned) +
    reads * hits * cpuOfRead(model.cached) +
    writes * model.byBody.intercept
  const jobs = writes * of.jobsPerWrite
  const rowsRead = missed * (of.pages * of.rowsPerPage + 1 - of.pages)
  const rowsWritten = writes * of.rowsPerWrite + jobs * of.rowsPerJob
  const commands = requests * commandsPerRequest(deployment)
  const handOvers = (perSecond / of.peak / of.perIsolate) * (of.secondsPerMonth / 3)
  const million = 1e6
  const fileGb = (requests * of.fileWrites * of.fileKb * of.filesKeptMonths) / million
  return [
    {
      item: 'Workers, requests',
      dollars: prices.workers.month + (requests / million) * prices.workers.perMillionRequests,
    },
    { item: 'Workers, CPU', dollars: (cpuMs / million) * prices.workers.perMillionCpuMs },
    { item: 'D1, rows read', dollars: (rowsRead / million) * prices.d1.perMillionRead },
    { item: 'D1, rows written', dollars: (rowsWritten / million) * prices.d1.perMillionWritten },
    { item: 'D1, storage', dollars: gb * prices.d1.perGb },
    {
      item: 'Upstash',
      dollars:
        (commands / 100_000) * prices.upstash.per100kCommands +
        (hits === 0 ? 0 : gb * of.storedShare * prices.upstash.perGb),
    },
    {
      item: 'Queues',
      dollars: ((jobs * of.operationsPerJob) / million) * prices.queues.perMillionOperations,
    },
    {
      item: 'R2',
      dollars:
        fileGb * prices.r2.perGb +
        ((requests * of.fileWrites) / million) * prices.r2.perMillionWrites +
        ((requests * of.fileReads) / million) * prices.r2.perMillionReads,
    },
    {
      item: 'Durable Objects',
      dollars:
        (handOvers / million) *
        (prices.durableObjects.perMillionRequests + 2 * prices.durableObjects.perMillionWritten),
    },
  ]
}
