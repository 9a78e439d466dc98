/**
 * What the server has measured, as pages look at it.
 * @module
 */
import { quantileOf } from '../histogram.ts'
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

export async function readPoints(step: number, seconds: number): Promise<Series> {
  const from = Math.floor(Date.now() / 1000) - seconds
  const { now, points } = await ask<{ now: number; points: Point[] }>(
    `/points?step=${step}&from=${from - (from % step)}`,
  )
  return { now, step, points }
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
