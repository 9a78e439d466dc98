/**
 * What the server has measured, as pages look at it.
 * @module
 */
import { quantileOf } from '../../meter/histogram.ts'
import { ask } from './ask.ts'

export interface Measures {
  readonly counters: Readonly<Record<string, number>>
  readonly histograms: Readonly<
    Record<string, { readonly buckets: readonly (readonly [number, number])[]; readonly sum: number }>
  >
}

export interface Point {
  readonly at: number
  readonly measures: Measures
}

export interface Series {
  readonly now: number
  readonly step: number
  readonly points: readonly Point[]
}

const known = new Map<number, Map<number, Point>>()

/** Points of the last seconds. Only those are asked for that are new, or may have grown. */
export async function readPoints(step: number, seconds: number): Promise<Series> {
  const points = known.get(step) ?? new Map<number, Point>()
  known.set(step, points)
  const first = Math.floor(Date.now() / 1000) - seconds
  const newest = Math.max(...points.keys())
  const from = points.size === 0 ? first : Math.max(first, newest - step)
  const answer = await ask<{ now: number; points: Point[] }>(
    `/points?step=${step}&from=${from - (from % step)}`,
  )
  for (const point of answer.points) points.set(point.at, point)
  for (const at of points.keys()) if (at < answer.now - seconds - step) points.delete(at)
  return { now: answer.now, step, points: [...points.values()].sort((a, b) => a.at - b.at) }
}

export type Labels = Readonly<Record<string, string>>

export function parseSeries(series: string): { family: string; labels: Labels } {
  const start = series.indexOf('{')
  if (start < 0) return { family: series, labels: {} }
  const labels = Object.fromEntries(
    [...series.slice(start + 1, -1).matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, name = '', value = '']) => [name, value.replace(/\\(.)/g, '$1')],
    ),
  )
  return { family: series.slice(0, start), labels }
}

/** The sum of a family's counters that fit. */
export function sumOf(
  { counters }: Measures,
  family: string,
  fits: (labels: Labels) => boolean = () => true,
): number {
  let sum = 0
  for (const [series, n] of Object.entries(counters)) {
    if (!series.startsWith(family)) continue
    const parsed = parseSeries(series)
    if (parsed.family === family && fits(parsed.labels)) sum += n
  }
  return sum
}

/** A quantile of all of a family's histograms that fit, in milliseconds; null: there is nothing. */
export function quantile(
  all: readonly Measures[],
  family: string,
  share: number,
  fits: (labels: Labels) => boolean = () => true,
): number | null {
  const counts = new Map<number, number>()
  let count = 0
  for (const { histograms } of all) {
    for (const [series, { buckets }] of Object.entries(histograms)) {
      const parsed = parseSeries(series)
      if (parsed.family !== family || !fits(parsed.labels)) continue
      for (const [bucket, n] of buckets) {
        counts.set(bucket, (counts.get(bucket) ?? 0) + n)
        count += n
      }
    }
  }
  return count === 0
    ? null
    : quantileOf(
        [...counts].sort(([a], [b]) => a - b),
        count,
        share,
      )
}

/** Values by a label of a family's counters over some points. */
export function byLabel(points: readonly Point[], family: string, label: string): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { measures } of points) {
    for (const [series, n] of Object.entries(measures.counters)) {
      const parsed = parseSeries(series)
      const value = parsed.labels[label]
      if (parsed.family === family && value !== undefined) sums.set(value, (sums.get(value) ?? 0) + n)
    }
  }
  return sums
}
