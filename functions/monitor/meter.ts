/**
 * What an isolate counts. A request pays for adding to counters and histograms in memory; what was added is handed over every few
 * seconds, after answers.
 * @module
 */
import { drainEvents, type NotedEvent } from '../events.ts'
import { Histogram } from './histogram.ts'
import { type Family, type Labels, seriesOf } from './series.ts'

/** Counts of a histogram's buckets that are not empty, and the sum of its values. */
export interface HistogramDelta {
  readonly buckets: readonly (readonly [bucket: number, count: number])[]
  readonly sum: number
}

/** What requests of one shape have cost. */
export interface ShapeCost {
  calls: number
  /** Time in databases, in milliseconds. */
  ms: number
  rowsRead: number
  rowsWritten: number
  rowsReturned: number
}

/** A request shape, with what index advice needs to know of it. */
export interface ShapeAbout {
  /** The query, without its operands. */
  readonly shape: string
  readonly method: string
  readonly table: string
  /** The statement of it that read most, with its parameters as they were once; null: none, or too large. */
  readonly statement: {
    readonly text: string
    readonly parameters: readonly (string | number | null)[]
  } | null
}

export interface ShapeDelta extends ShapeAbout, ShapeCost {}

/** What an isolate hands over. It is numbered, so that one that comes twice counts once. */
export interface Delta {
  readonly isolate: string
  readonly sequence: number
  readonly counters: Readonly<Record<string, number>>
  readonly histograms: Readonly<Record<string, HistogramDelta>>
  readonly shapes: readonly ShapeDelta[]
  readonly events: readonly NotedEvent[]
}

/** More are counted under one name: labels come from tables and routes, but the hostile caller is inventive. */
const maxSeries = 2000
const maxShapes = 300

export class Meter {
  readonly #counters = new Map<string, number>()
  readonly #histograms = new Map<string, Histogram>()
  readonly #shapes = new Map<string, { delta: ShapeDelta }>()
  #isolate: string | null = null
  #sequence = 0
  readonly #drainEvents: () => readonly NotedEvent[]
  /** What was handed over last and is not known to have arrived. */
  #underWay: Delta | null = null

  /** @param drain what was told to the log since the last time */
  constructor(drain: () => readonly NotedEvent[] = drainEvents) {
    this.#drainEvents = drain
  }

  count(family: Family, labels: Labels, n = 1): void {
    const series = this.#known(this.#counters, seriesOf(family, labels), family)
    this.#counters.set(series, (this.#counters.get(series) ?? 0) + n)
  }

  /** @param ms milliseconds; they are shown in seconds */
  time(family: Family, labels: Labels, ms: number): void {
    const series = this.#known(this.#histograms, seriesOf(family, labels), family)
    let histogram = this.#histograms.get(series)
    if (!histogram) {
      histogram = new Histogram()
      this.#histograms.set(series, histogram)
    }
    histogram.add(ms)
  }

  /** @param about asked only for shapes that are not counted yet */
  shape(key: string, about: () => ShapeAbout, cost: Omit<ShapeCost, 'calls'>): void {
    const known = this.#shapes.get(key)
    if (known) add(known.delta, { ...cost, calls: 1 })
    else if (this.#shapes.size < maxShapes)
      this.#shapes.set(key, { delta: { ...about(), ...cost, calls: 1 } })
  }

  /** What there is to hand over: the same again until it is known to have arrived; null: nothing. */
  take(): Delta | null {
    if (this.#underWay) return this.#underWay
    const events = this.#drainEvents()
    for (const { kind } of events) this.count('events', { kind })
    if (this.#counters.size + this.#histograms.size + this.#shapes.size === 0) return null
    this.#isolate ??= crypto.randomUUID()
    this.#underWay = {
      isolate: this.#isolate,
      sequence: ++this.#sequence,
      counters: Object.fromEntries(this.#counters),
      histograms: Object.fromEntries(
        [...this.#histograms].map(([series, histogram]) => [
          series,
          { buckets: histogram.buckets(), sum: histogram.sum },
        ]),
      ),
      shapes: [...this.#shapes.values()].map(({ delta }) => delta),
      events,
    }
    this.#counters.clear()
    this.#histograms.clear()
    this.#shapes.clear()
    return this.#underWay
  }

  /** It has arrived. */
  arrived({ sequence }: Delta): void {
    if (this.#underWay?.sequence === sequence) this.#underWay = null
  }

  #known(kept: ReadonlyMap<string, unknown>, series: string, family: Family): string {
    return kept.size < maxSeries || kept.has(series) ? series : seriesOf(family, { overflow: 'true' })
  }
}

/** Counts nothing: measuring is switched off. */
export class SilentMeter extends Meter {
  override count(): void {}
  override time(): void {}
  override shape(): void {}
}

function add(cost: ShapeCost, more: ShapeCost): void {
  cost.calls += more.calls
  cost.ms += more.ms
  cost.rowsRead += more.rowsRead
  cost.rowsWritten += more.rowsWritten
  cost.rowsReturned += more.rowsReturned
}
