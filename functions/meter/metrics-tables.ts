/**
 * What the Metrics object keeps, as rows of SQLite: points of ten seconds for an hour, of minutes for a day, of hours for 90 days; totals
 * for `/metrics`; request shapes by day; the last events; what isolates keep. A point is one row that holds all series, as rows are what is
 * paid; the platform takes rows of two megabytes, so that what is longer than half of one lies in several.
 * @module
 */

import type { Kept } from '../../db/memory/isolate-budget.ts'
import type { NotedEvent } from '../core/events.ts'
import type { Delta, ShapeDelta } from './delta.ts'
import { addMeasures, addShapes, type Measures, nothing, textsOf } from './merge.ts'
import type { KeptBy, MetricsAccess, Point } from './metrics-access.ts'
import { type Family, familyOf } from './series.ts'

/** Seconds of a point, and for how many seconds such points are kept. */
export const steps = [
  { seconds: 10, keptSeconds: 3600 },
  { seconds: 60, keptSeconds: 86_400 },
  { seconds: 3600, keptSeconds: 90 * 86_400 },
] as const

/** Most bytes of a row, of the two million that the platform takes. */
const maxRowBytes = 900_000

const maxShapes = 500
const keptShapeDays = 8
const maxEvents = 500
const daySeconds = 86_400
/** Isolates that have been silent for so long are gone. */
const isolateSeconds = 86_400
/** What an isolate has said that it keeps counts for so long. */
const keptSeconds = 120

/** Of a Durable Object's storage, what is used here. */
export type MetricsStorage = Pick<DurableObjectStorage, 'transactionSync'> & {
  readonly sql: Pick<SqlStorage, 'exec'>
}

export class MetricsTables implements MetricsAccess {
  readonly #storage: MetricsStorage
  /** What the current points hold, as they are written. */
  readonly #current = new Map<number, Point>()

  constructor(storage: MetricsStorage) {
    this.#storage = storage
    const { sql } = storage
    sql.exec(`CREATE TABLE IF NOT EXISTS points (step INTEGER, at INTEGER, measures TEXT, PRIMARY KEY (step, at)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS more_points (step INTEGER, at INTEGER, part INTEGER, measures TEXT, PRIMARY KEY (step, at, part)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS totals (one INTEGER PRIMARY KEY, measures TEXT);
      CREATE TABLE IF NOT EXISTS isolates (id TEXT PRIMARY KEY, sequence INTEGER, seen INTEGER) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS shapes (day INTEGER PRIMARY KEY, shapes TEXT);
      CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, event TEXT)`)
    const columns = [...sql.exec<{ name: string }>("SELECT name FROM pragma_table_info('isolates')")]
    if (!columns.some(({ name }) => name === 'kept')) sql.exec('ALTER TABLE isolates ADD COLUMN kept TEXT')
  }

  /** Adds what an isolate hands over, once, however often it comes. */
  async record(delta: Delta): Promise<void> {
    const now = Math.floor(Date.now() / 1000)
    try {
      this.#storage.transactionSync(() => this.#record(delta, now))
    } catch (error) {
      // What is in memory has what was not written.
      this.#current.clear()
      throw error
    }
  }

  #record(delta: Delta, now: number): void {
    const { sql } = this.#storage
    const [known] = sql.exec<{ sequence: number }>(
      'SELECT sequence FROM isolates WHERE id = ?',
      delta.isolate,
    )
    if (known && known.sequence >= delta.sequence) return
    const kept = delta.kept ? JSON.stringify(delta.kept) : null
    sql.exec('INSERT OR REPLACE INTO isolates VALUES (?, ?, ?, ?)', delta.isolate, delta.sequence, now, kept)
    this.#addPoint(now, delta)
    const totals = this.#readTotals()
    addMeasures(totals, delta)
    for (const [i, text] of textsOf(totals, maxRowBytes).entries())
      sql.exec('INSERT OR REPLACE INTO totals VALUES (?, ?)', i + 1, text)
    this.#addShapes(now, delta.shapes)
    for (const event of delta.events) sql.exec('INSERT INTO events (event) VALUES (?)', JSON.stringify(event))
  }

  async totals(): Promise<Measures> {
    return this.#readTotals()
  }

  async points(step: number, from: number, families?: readonly Family[]): Promise<readonly Point[]> {
    const found = this.#readPoints(step, from, Number.MAX_SAFE_INTEGER)
    return [...found].map(([at, all]) => ({ at, measures: families ? ofFamilies(all, families) : all }))
  }

  async shapes(days: number): Promise<readonly ShapeDelta[]> {
    const first = Math.floor(Date.now() / 1000 / daySeconds) - days + 1
    const rows = this.#storage.sql.exec<{ shapes: string }>(
      'SELECT shapes FROM shapes WHERE day >= ? ORDER BY day',
      first,
    )
    let all: ShapeDelta[] = []
    for (const { shapes } of rows) all = addShapes(all, JSON.parse(shapes) as ShapeDelta[], maxShapes)
    return all
  }

  async events(): Promise<readonly NotedEvent[]> {
    const rows = this.#storage.sql.exec<{ event: string }>(
      'SELECT event FROM events ORDER BY id DESC LIMIT ?',
      maxEvents,
    )
    return [...rows].map(({ event }) => JSON.parse(event) as NotedEvent)
  }

  async kept(): Promise<Readonly<Record<string, KeptBy>>> {
    const rows = this.#storage.sql.exec<{ kept: string }>(
      'SELECT kept FROM isolates WHERE kept IS NOT NULL AND seen >= ?',
      Math.floor(Date.now() / 1000) - keptSeconds,
    )
    return addKept([...rows].map(({ kept }) => JSON.parse(kept) as Readonly<Record<string, Kept>>))
  }

  #readTotals(): Measures {
    const sum = nothing()
    for (const { measures } of this.#storage.sql.exec<{ measures: string }>('SELECT measures FROM totals'))
      addMeasures(sum, JSON.parse(measures) as Measures)
    return sum
  }

  /** Adds to the point of ten seconds; a coarser one is made of the finer ones when it is over. */
  #addPoint(now: number, delta: Delta): void {
    const [finest] = steps
    const at = now - (now % finest.seconds)
    let point = this.#current.get(finest.seconds)
    if (point?.at !== at) {
      this.#rollUp(now)
      const measures = this.#readPoints(finest.seconds, at, at + 1).get(at) ?? nothing()
      point = { at, measures }
      this.#current.set(finest.seconds, point)
    }
    addMeasures(point.measures, delta)
    this.#writePoint(finest.seconds, at, point.measures)
  }

  #writePoint(step: number, at: number, measures: Measures): void {
    const { sql } = this.#storage
    const [first, ...more] = textsOf(measures, maxRowBytes)
    sql.exec('INSERT OR REPLACE INTO points VALUES (?, ?, ?)', step, at, first)
    for (const [i, text] of more.entries())
      sql.exec('INSERT OR REPLACE INTO more_points VALUES (?, ?, ?, ?)', step, at, i + 1, text)
  }

  /** Points of a step from one time up to another, in order. */
  #readPoints(step: number, from: number, until: number): Map<number, Measures> {
    const rows = this.#storage.sql.exec<{ at: number; measures: string }>(
      `SELECT at, measures FROM (SELECT at, 0 AS part, measures FROM points WHERE step = ?1 AND at >= ?2 AND at < ?3
        UNION ALL SELECT at, part, measures FROM more_points WHERE step = ?1 AND at >= ?2 AND at < ?3) ORDER BY at, part`,
      step,
      from,
      until,
    )
    const found = new Map<number, Measures>()
    for (const { at, measures } of rows) {
      const sum = found.get(at) ?? nothing()
      addMeasures(sum, JSON.parse(measures) as Measures)
      found.set(at, sum)
    }
    return found
  }

  /** Makes the coarser points that are over and not made yet, and forgets what is too old. */
  #rollUp(now: number): void {
    const { sql } = this.#storage
    for (const [i, { seconds }] of steps.entries()) {
      const finer = steps[i - 1]
      if (finer) {
        const [last] = sql.exec<{ at: number | null }>(
          'SELECT max(at) AS at FROM points WHERE step = ?',
          seconds,
        )
        const from = last?.at == null ? 0 : last.at + seconds
        const until = now - (now % seconds)
        const made = new Map<number, Measures>()
        for (const [at, measures] of this.#readPoints(finer.seconds, from, until)) {
          const start = at - (at % seconds)
          const sum = made.get(start) ?? nothing()
          addMeasures(sum, measures)
          made.set(start, sum)
        }
        for (const [at, measures] of made) this.#writePoint(seconds, at, measures)
      }
    }
    // Only now: what nobody has asked for an hour is made of points that are too old themselves.
    for (const { seconds, keptSeconds } of steps) {
      for (const table of ['points', 'more_points'])
        sql.exec(`DELETE FROM ${table} WHERE step = ? AND at < ?`, seconds, now - keptSeconds - seconds)
    }
    sql.exec('DELETE FROM isolates WHERE seen < ?', now - isolateSeconds)
    sql.exec('DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?', maxEvents)
    sql.exec('DELETE FROM shapes WHERE day < ?', Math.floor(now / daySeconds) - keptShapeDays)
  }

  #addShapes(now: number, shapes: readonly ShapeDelta[]): void {
    if (shapes.length === 0) return
    const { sql } = this.#storage
    const day = Math.floor(now / daySeconds)
    const [row] = sql.exec<{ shapes: string }>('SELECT shapes FROM shapes WHERE day = ?', day)
    const known = row ? (JSON.parse(row.shapes) as ShapeDelta[]) : []
    sql.exec(
      'INSERT OR REPLACE INTO shapes VALUES (?, ?)',
      day,
      JSON.stringify(addShapes(known, shapes, maxShapes, maxRowBytes)),
    )
  }
}

/** The most that any isolate keeps, by keeper, and what all of them do. */
export function addKept(said: readonly Readonly<Record<string, Kept>>[]): Readonly<Record<string, KeptBy>> {
  const found: Record<string, KeptBy> = {}
  for (const one of said) {
    for (const [keeper, { bytes, entries }] of Object.entries(one)) {
      const known = found[keeper] ?? { isolates: 0, bytes: 0, mostBytes: 0, entries: 0 }
      found[keeper] = {
        isolates: known.isolates + 1,
        bytes: known.bytes + bytes,
        mostBytes: Math.max(known.mostBytes, bytes),
        entries: known.entries + entries,
      }
    }
  }
  return found
}

function ofFamilies({ counters, histograms }: Measures, families: readonly Family[]): Measures {
  const isWanted = ([series]: [string, unknown]) => families.includes(familyOf(series))
  return {
    counters: Object.fromEntries(Object.entries(counters).filter(isWanted)),
    histograms: Object.fromEntries(Object.entries(histograms).filter(isWanted)),
  }
}
