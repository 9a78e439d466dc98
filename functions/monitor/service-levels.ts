/**
 * Service levels: what share of requests is to be good, and how fast the rest is being used up. Fast and slow windows as in the "Site
 * Reliability Workbook", chapter 5: https://sre.google/workbook/alerting-on-slos/
 * @module
 */

import {
  boundOf,
  type Family,
  familyOf,
  labelsOf,
  type Measures,
  type MetricsAccess,
  type Point,
} from '../meter/area.ts'
import type { MonitorConfig, Objective } from './config.ts'
import type { ObjectiveState } from './shown.ts'

/** Both windows must burn so fast: the long one so that it matters, the short one so that it is over when it is over. */
export const burnWindows = [
  { longSeconds: 3600, shortSeconds: 300, burnRate: 14.4 },
  { longSeconds: 21_600, shortSeconds: 1800, burnRate: 6 },
] as const

const families: readonly Family[] = ['requests', 'request_seconds']

export async function shownObjectives(
  { objectives }: MonitorConfig,
  metrics: MetricsAccess,
  now = Math.floor(Date.now() / 1000),
): Promise<readonly ObjectiveState[]> {
  if (objectives.length === 0) return []
  // The current minute is not made yet: it is in the points of ten seconds.
  const minutes = await metrics.points(60, now - 21_600, families)
  const last = minutes.at(-1)?.at ?? 0
  const tens = (await metrics.points(10, now - 3600, families)).filter(({ at }) => at >= last + 60)
  const points = [...minutes, ...tens]
  return objectives.map((objective) => stateOf(objective, points, now))
}

export function stateOf(objective: Objective, points: readonly Point[], now: number): ObjectiveState {
  const burn = (seconds: number) => {
    const { requests, bad } = countOver(objective, points, now - seconds)
    return requests === 0 ? 0 : bad / requests / (1 - objective.target)
  }
  const { requests, bad } = countOver(objective, points, now - 21_600)
  const isBurning = burnWindows.some(
    ({ longSeconds, shortSeconds, burnRate }) =>
      burn(longSeconds) >= burnRate && burn(shortSeconds) >= burnRate,
  )
  return { name: objective.name, target: objective.target, requests, bad, burnRate: burn(3600), isBurning }
}

function countOver(objective: Objective, points: readonly Point[], from: number) {
  let [requests, bad] = [0, 0]
  for (const { at, measures } of points) {
    if (at < from) continue
    const one =
      objective.withinMs === undefined ? countStatuses(objective, measures) : countSlow(objective, measures)
    requests += one.requests
    bad += one.bad
  }
  return { requests, bad }
}

function isOf({ area, route }: Objective, labels: string): boolean {
  const has = (name: string, value: string | undefined) =>
    value === undefined || `,${labels},`.includes(`,${name}="${value}",`)
  return has('area', area) && has('route', route)
}

function countStatuses(objective: Objective, { counters }: Measures) {
  let [requests, bad] = [0, 0]
  for (const [series, n] of Object.entries(counters)) {
    if (familyOf(series) !== 'requests' || !isOf(objective, labelsOf(series))) continue
    requests += n
    if (series.includes('status="5')) bad += n
  }
  return { requests, bad }
}

function countSlow(objective: Objective, { histograms }: Measures) {
  let [requests, bad] = [0, 0]
  for (const [series, { buckets }] of Object.entries(histograms)) {
    if (familyOf(series) !== 'request_seconds' || !isOf(objective, labelsOf(series))) continue
    for (const [bucket, n] of buckets) {
      requests += n
      if (boundOf(bucket) > (objective.withinMs as number)) bad += n
    }
  }
  return { requests, bad }
}
