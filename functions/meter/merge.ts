/**
 * Adding up what isolates hand over.
 * @module
 */
import { byteLength } from '../core/byte-length.ts'
import type { Delta, HistogramDelta, ShapeDelta } from './delta.ts'

/** Counts and histograms of some time; both only add up. */
export interface Measures {
  counters: Record<string, number>
  histograms: Record<string, { buckets: [bucket: number, count: number][]; sum: number }>
}

/** Measures of nothing, to be added to. */
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

/** Shapes by what they have cost, the most first; at most so many, and so many bytes of JSON: what has cost least is left out. */
export function addShapes(
  known: readonly ShapeDelta[],
  more: readonly ShapeDelta[],
  max: number,
  maxBytes = Number.POSITIVE_INFINITY,
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
  const all = [...byKey.values()].sort((a, b) => costOf(b) - costOf(a)).slice(0, max)
  if (maxBytes === Number.POSITIVE_INFINITY) return all
  let bytes = 2
  return all.filter((shape) => {
    const own = byteLength(JSON.stringify(shape)) + 1
    if (bytes + own > maxBytes) return false
    bytes += own
    return true
  })
}

/** Measures as several JSON texts of at most so many bytes each, one at least, which add up to them; a series that is longer by itself is left out. */
export function textsOf({ counters, histograms }: Measures, maxBytes: number): string[] {
  const texts: string[] = []
  let piece = nothing()
  let bytes = 0
  const make = (own: number, put: (into: Measures) => void) => {
    if (own > maxBytes - emptyBytes) return
    if (bytes + own > maxBytes - emptyBytes) {
      texts.push(JSON.stringify(piece))
      piece = nothing()
      bytes = 0
    }
    put(piece)
    bytes += own
  }
  for (const [series, n] of Object.entries(counters)) {
    make(entryBytes(series, n), (into) => {
      into.counters[series] = n
    })
  }
  for (const [series, histogram] of Object.entries(histograms)) {
    make(entryBytes(series, histogram), (into) => {
      into.histograms[series] = histogram
    })
  }
  return [...texts, JSON.stringify(piece)]
}

/** `{"counters":{},"histograms":{}}`, and some. */
const emptyBytes = 40

/** Of a series in JSON, with its colon and comma. */
function entryBytes(series: string, value: unknown): number {
  return byteLength(JSON.stringify(series)) + byteLength(JSON.stringify(value)) + 2
}
