/**
 * Adding up what isolates hand over.
 * @module
 */
import type { Delta, HistogramDelta, ShapeDelta } from './meter.ts'

/** Counts and histograms of some time; both only add up. */
export interface Measures {
  counters: Record<string, number>
  histograms: Record<string, { buckets: [bucket: number, count: number][]; sum: number }>
}

export const nothing = (): Measures => ({ counters: {}, histograms: {} })

export function addMeasures(
  into: Measures,
  { counters, histograms }: Pick<Delta, 'counters' | 'histograms'>,
): void {
  for (const [series, n] of Object.entries(counters)) into.counters[series] = (into.counters[series] ?? 0) + n
  for (const [series, histogram] of Object.entries(histograms)) {
    into.histograms[series] = addHistograms(into.histograms[series], histogram)
  }
}

function addHistograms(a: HistogramDelta | undefined, b: HistogramDelta): Measures['histograms'][string] {
  const counts = new Map(a?.buckets)
  for (const [bucket, n] of b.buckets) counts.set(bucket, (counts.get(bucket) ?? 0) + n)
  return { buckets: [...counts].sort(([one], [other]) => one - other), sum: (a?.sum ?? 0) + b.sum }
}

/** Shapes by what they have cost, the most first; at most so many. */
export function addShapes(
  known: readonly ShapeDelta[],
  more: readonly ShapeDelta[],
  max: number,
): ShapeDelta[] {
  const byKey = new Map<string, ShapeDelta>()
  for (const one of [...known, ...more]) {
    const key = `${one.method} ${one.table} ${one.shape}`
    const before = byKey.get(key)
    byKey.set(
      key,
      before
        ? {
            ...one,
            statement: one.statement ?? before.statement,
            calls: before.calls + one.calls,
            ms: before.ms + one.ms,
            rowsRead: before.rowsRead + one.rowsRead,
            rowsWritten: before.rowsWritten + one.rowsWritten,
            rowsReturned: before.rowsReturned + one.rowsReturned,
          }
        : one,
    )
  }
  const costOf = ({ rowsRead, rowsWritten, ms }: ShapeDelta) => rowsRead + 1000 * rowsWritten + ms
  return [...byKey.values()].sort((a, b) => costOf(b) - costOf(a)).slice(0, max)
}
