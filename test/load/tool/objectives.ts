/**
 * Whether what was promised has held.
 * @module
 */

import type { Judged } from './judged.ts'
import type { LoadReport } from './report.ts'
import type { Objective } from './scenario.ts'
import { shown } from './shown.ts'

export function judge(objectives: readonly Objective[], report: Omit<LoadReport, 'objectives'>): Judged[] {
  return objectives.flatMap((objective) => judgeOne(objective, report))
}

function judgeOne(
  objective: Objective,
  { result, cpuMsPerRequest, server }: Omit<LoadReport, 'objectives'>,
): Judged[] {
  const { step } = objective
  const measured = step === undefined ? result.all : result.steps[step]
  if (measured === undefined) throw new Error(`there is no step ${step}`)
  const of = step === undefined ? '' : ` of ${step}`
  const { latency, requests, failed } = measured
  const perRequest = (amount: number | undefined) =>
    server && amount !== undefined && server.requests > 0 ? amount / server.requests : null
  const judged: Judged[] = []
  const most = (what: string, wanted: number | undefined, found: number | null, unit: string) => {
    if (wanted !== undefined)
      judged.push(compared(`${what}${of}`, 'at most', wanted, found, unit, (a, b) => a <= b))
  }
  const least = (what: string, wanted: number | undefined, found: number | null, unit: string) => {
    if (wanted !== undefined)
      judged.push(compared(`${what}${of}`, 'at least', wanted, found, unit, (a, b) => a >= b))
  }
  most('p50', objective.p50Ms, latency.p50, ' ms')
  most('p90', objective.p90Ms, latency.p90, ' ms')
  most('p99', objective.p99Ms, latency.p99, ' ms')
  most('p99.9', objective.p999Ms, latency.p999, ' ms')
  most('share of failures', objective.failures, requests === 0 ? null : failed / requests, '')
  least('right answers a second', objective.throughput, (requests - failed) / result.elapsedSeconds, '')
  most('CPU per request', objective.cpuMs, cpuMsPerRequest, ' ms')
  least('share of cache hits', objective.cacheHits, server?.cacheHits ?? null, '')
  most('database calls per request', objective.databaseCalls, perRequest(server?.databaseCalls), '')
  most('rows read per request', objective.rowsRead, perRequest(server?.rowsRead), '')
  return judged
}

function compared(
  what: string,
  word: string,
  wanted: number,
  found: number | null,
  unit: string,
  holds: (found: number, wanted: number) => boolean,
): Judged {
  const isKnown = found !== null && !Number.isNaN(found)
  return {
    what,
    wanted: `${word} ${wanted}${unit}`,
    found: isKnown ? `${shown(found)}${unit}` : 'not measured',
    holds: isKnown ? holds(found, wanted) : null,
  }
}
