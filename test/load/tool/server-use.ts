/**
 * What a server says of itself: the difference of its `/metrics` before and after a run.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { askOnce, type Target } from './ask.ts'

/** What a run has used, by the server's own count. */
export interface ServerUse {
  readonly requests: number
  readonly databaseCalls: number
  readonly rowsRead: number
  readonly rowsWritten: number
  /** Reads of data by where their answers came from: `database`, `store`, `first-level`. */
  readonly reads: Readonly<Record<string, number>>
  /** Share of reads that the cache answered; null: none were counted. */
  readonly cacheHits: number | null
  /** Tries of jobs that were run meanwhile. */
  readonly jobs: number
}

export type Counters = ReadonlyMap<string, number>

/** Isolates hand over what they have counted three seconds after the first of it. */
const handOverMs = 3000
const pollMs = 500
/** Longest time that is waited for them. */
const patienceMs = 15_000

/** Counters by series. @throws when there are none to be had */
export async function readCounters(target: Target): Promise<Counters> {
  const { secret } = target.keys
  if (secret === undefined) throw new Error('there is no secret key')
  const headers = { authorization: `Bearer ${secret}` }
  return parseCounters((await askOnce(target, { path: '/metrics', headers }, 'none')).text())
}

/** Source: https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function parseCounters(text: string): Map<string, number> {
  const counters = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, series, value] = /^(\w+_total(?:\{.*\})?) (\S+)/.exec(line) ?? []
    if (series !== undefined) counters.set(series, Number(value))
  }
  return counters
}

/** Waits until the server's counts have come to rest: what was asked before has been handed over. Null: it tells nothing. */
export async function settledCounters(target: Target): Promise<Counters | null> {
  try {
    const begun = Date.now()
    let counters = await readCounters(target)
    for (let since = Date.now(); Date.now() - since < handOverMs + pollMs; ) {
      if (Date.now() - begun > patienceMs) break
      await sleep(pollMs)
      const now = await readCounters(target)
      if (askedOf(now) !== askedOf(counters)) since = Date.now()
      counters = now
    }
    return counters
  } catch {
    return null
  }
}

/** Requests but for those that read the counters. */
function askedOf(counters: Counters): number {
  return sum(counters, 'atoll_requests_total', (labels) => !labels.includes('area="metrics"'))
}

export function usedBetween(before: Counters, after: Counters): ServerUse {
  const change = (name: string, isWanted: (labels: string) => boolean = () => true) =>
    sum(after, name, isWanted) - sum(before, name, isWanted)
  const reads: Record<string, number> = {}
  for (const series of after.keys()) {
    const from = /^atoll_cache_reads_total\{.*?from="([^"]*)"/.exec(series)?.[1]
    if (from !== undefined)
      reads[from] = (reads[from] ?? 0) + (after.get(series) ?? 0) - (before.get(series) ?? 0)
  }
  const all = Object.values(reads).reduce((total, n) => total + n, 0)
  return {
    requests: askedOf(after) - askedOf(before),
    databaseCalls: change('atoll_database_calls_total'),
    rowsRead: change('atoll_database_rows_read_total'),
    rowsWritten: change('atoll_database_rows_written_total'),
    reads,
    cacheHits: all === 0 ? null : 1 - (reads.database ?? 0) / all,
    jobs: change('atoll_jobs_total'),
  }
}

function sum(counters: Counters, name: string, isWanted: (labels: string) => boolean): number {
  let total = 0
  for (const [series, value] of counters)
    if ((series === name || series.startsWith(`${name}{`)) && isWanted(series)) total += value
  return total
}
