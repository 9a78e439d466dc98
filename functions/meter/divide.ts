import type { Delta } from './delta.ts'

/** What is handed over, or a part of it. */
export interface UnderWay {
  readonly delta: Delta
  /** The number of what came before it. */
  readonly after: number
}

/**
 * The two halves of a hand-over, or nothing when there is but one thing in it. The first has a number halfway from the one before to its
 * own, and the second its own: a store that has taken the whole of it passes over both, and one that has taken the first takes the
 * second.
 */
export function divide({ delta, after }: UnderWay): UnderWay[] {
  const { isolate, sequence, counters, histograms, shapes, events, kept } = delta
  const all = [
    ...Object.entries(counters).map(([name, n]) => ({ counters: { [name]: n } })),
    ...Object.entries(histograms).map(([name, histogram]) => ({ histograms: { [name]: histogram } })),
    ...shapes.map((shape) => ({ shapes: [shape] })),
    ...events.map((event) => ({ events: [event] })),
  ] as Partial<Delta>[]
  if (all.length < 2) return []
  const middle = all.length >> 1
  const between = (after + sequence) / 2
  const half = (items: readonly Partial<Delta>[], sequence: number): Delta => ({
    isolate,
    sequence,
    counters: Object.assign({}, ...items.map((item) => item.counters)),
    histograms: Object.assign({}, ...items.map((item) => item.histograms)),
    shapes: items.flatMap((item) => item.shapes ?? []),
    events: items.flatMap((item) => item.events ?? []),
    ...(kept ? { kept } : {}),
  })
  return [
    { delta: half(all.slice(0, middle), between), after },
    { delta: half(all.slice(middle), sequence), after: between },
  ]
}
