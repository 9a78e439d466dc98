/**
 * What an isolate counts. A request pays for adding to counters and histograms in memory; what was added is handed over every few
 * seconds, after answers.
 * @module
 */

import type { IsolateBudget, Keeper } from '../../db/memory/isolate-budget.ts'
import { textBytes } from '../../db/memory/size-of.ts'
import { drainEvents, type NotedEvent } from '../core/events.ts'
import type { Labels } from '../core/gauge.ts'
import type { Delta, ShapeAbout, ShapeCost, ShapeDelta } from './delta.ts'
import { divide, type UnderWay } from './divide.ts'
import { Histogram } from './histogram.ts'
import { type Family, seriesOf } from './series.ts'

/** More are counted under one name: labels come from tables and routes, but the hostile caller is inventive. */
const maxSeries = 2000
const maxShapes = 300
/** Bytes of all shapes between two hand-overs; more are not told apart. A shape is asked what it is once it is known to fit. */
const maxShapeBytes = 500_000
/** Bytes of one shape's text and statement. */
const maxOneShapeBytes = 16_000
/** A counter's entry, and a histogram, whose buckets lie in one array. */
const counterBytes = 150
const histogramBytes = 5_400

/** Failures in a row, of a store that does not say that it is too much, until it is divided all the same. */
const maxTries = 20
/** What errors of stores say of what is too large for a row or a message. */
const tooLarge = /too (?:big|large)|toobig|larger than|exceed/i

/**
 * Counts and times what an isolate does, by series, and what statements cost, by shape; bounded in bytes. What was counted is taken by one
 * hand-over at a time. Times are in milliseconds.
 */
export class Meter implements Keeper {
  readonly name = 'counts'
  readonly floorBytes = 1_000_000
  readonly weight = 1
  readonly #budget: IsolateBudget | null
  readonly #counters = new Map<string, number>()
  readonly #histograms = new Map<string, Histogram>()
  readonly #shapes = new Map<string, { delta: ShapeDelta; bytes: number }>()
  #shapeBytes = 0
  #seriesBytes = 0
  #isolate: string | null = null
  #sequence = 0
  readonly #drainEvents: () => readonly NotedEvent[]
  /** What was handed over last and is not known to have arrived: the parts of it. */
  #underWay: UnderWay[] = []
  #tries = 0

  /**
   * @param drain what was told to the log since the last time
   * @param budget of the isolate that it counts for
   */
  constructor(drain: () => readonly NotedEvent[] = drainEvents, budget: IsolateBudget | null = null) {
    this.#drainEvents = drain
    this.#budget = budget
    budget?.register(this)
  }

  get bytes(): number {
    return this.#shapeBytes + this.#seriesBytes
  }

  get entries(): number {
    return this.#counters.size + this.#histograms.size + this.#shapes.size
  }

  /** Lets go of the shape that came last; series are never forgotten. */
  evict(): boolean {
    const key = [...this.#shapes.keys()].at(-1)
    if (key === undefined) return false
    this.#shapeBytes -= this.#shapes.get(key)?.bytes ?? 0
    this.#shapes.delete(key)
    this.count('shapes_untold', {})
    return true
  }

  count(family: Family, labels: Labels, n = 1): void {
    const series = this.#known(this.#counters, seriesOf(family, labels), family)
    const before = this.#counters.get(series)
    if (before === undefined) this.#seriesBytes += counterBytes + textBytes(series)
    this.#counters.set(series, (before ?? 0) + n)
  }

  /** @param ms milliseconds; they are shown in seconds */
  time(family: Family, labels: Labels, ms: number): void {
    const series = this.#known(this.#histograms, seriesOf(family, labels), family)
    let histogram = this.#histograms.get(series)
    if (!histogram) {
      histogram = new Histogram()
      this.#seriesBytes += histogramBytes + textBytes(series)
      this.#histograms.set(series, histogram)
    }
    histogram.add(ms)
  }

  /** @param about asked only for shapes that are not counted yet */
  shape(key: string, about: () => ShapeAbout, cost: Omit<ShapeCost, 'calls'>): void {
    const known = this.#shapes.get(key)
    if (known) {
      add(known.delta, { ...cost, calls: 1 })
      return
    }
    const fits = this.#shapes.size < maxShapes && this.#shapeBytes < maxShapeBytes
    const delta = fits ? boundedShape({ ...about(), ...cost, calls: 1 }) : null
    if (delta === null) {
      this.count('shapes_untold', {})
      return
    }
    const bytes = 2 * key.length + shapeBytes(delta)
    this.#shapes.set(key, { delta, bytes })
    this.#shapeBytes += bytes
    this.#budget?.settle()
  }

  /** What there is to hand over: the same again until it is known to have arrived; null: nothing. */
  take(): Delta | null {
    if (this.#underWay[0]) return this.#underWay[0].delta
    const events = this.#drainEvents()
    for (const { kind } of events) this.count('events', { kind })
    if (this.#counters.size + this.#histograms.size + this.#shapes.size === 0) return null
    this.#isolate ??= crypto.randomUUID()
    const delta: Delta = {
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
      ...(this.#budget ? { kept: this.#budget.gauges() } : {}),
    }
    this.#counters.clear()
    this.#histograms.clear()
    this.#shapes.clear()
    this.#shapeBytes = 0
    this.#seriesBytes = 0
    this.#underWay = [{ delta, after: delta.sequence - 1 }]
    return delta
  }

  /** It has arrived. @returns whether there is more of what it was a part of */
  arrived({ sequence }: Delta): boolean {
    if (this.#underWay[0]?.delta.sequence === sequence) this.#underWay.shift()
    this.#tries = 0
    return this.#underWay.length > 0
  }

  /**
   * It was not taken. What is too much, or is not taken however often, is divided from now on, and a part that cannot be divided is
   * dropped: nothing is repeated for ever.
   *
   * @returns whether the next part can be tried at once
   */
  refused({ sequence }: Delta, error: unknown): boolean {
    const [first] = this.#underWay
    if (first?.delta.sequence !== sequence) return false
    const isTooLarge = tooLarge.test(String(error))
    if (!isTooLarge && ++this.#tries < maxTries) return false
    const parts = divide(first)
    this.#underWay.splice(0, 1, ...parts)
    if (parts.length === 0) this.count('metrics_dropped', {})
    return isTooLarge && this.#underWay.length > 0
  }

  #known(kept: ReadonlyMap<string, unknown>, series: string, family: Family): string {
    return kept.size < maxSeries || kept.has(series) ? series : seriesOf(family, { overflow: 'true' })
  }
}

function shapeBytes({ shape, table, statement }: ShapeAbout): number {
  const parameters = statement === null ? 0 : 2 * JSON.stringify(statement.parameters).length
  return (
    300 +
    textBytes(shape) +
    textBytes(table) +
    (statement === null ? 0 : textBytes(statement.text) + parameters)
  )
}

/** Without its statement, when that is long; null when its own text is. */
function boundedShape(delta: ShapeDelta): ShapeDelta | null {
  if (shapeBytes(delta) <= maxOneShapeBytes) return delta
  const bare = { ...delta, statement: null }
  if (shapeBytes(bare) <= maxOneShapeBytes) return bare
  return null
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
