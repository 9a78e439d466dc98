/**
 * Keeps what isolates hand over, in a Durable Object with SQLite: points of ten seconds for an hour, of minutes for a day, of hours for 90
 * days; totals for `/metrics`; request shapes by day; the last events. A point is one row that holds all series: rows are what is paid.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../context.ts'
import type { NotedEvent } from '../events.ts'
import { addMeasures, addShapes, type Measures, nothing } from './merge.ts'
import type { Delta, ShapeDelta } from './meter.ts'
import { type Family, familyOf } from './series.ts'

/** Seconds of a point, and for how many seconds such points are kept. */
export const steps = [
  { seconds: 10, keptSeconds: 3600 },
  { seconds: 60, keptSeconds: 86_400 },
  { seconds: 3600, keptSeconds: 90 * 86_400 },
] as const

export interface Point {
  /** Seconds since 1970 at which it begins. */
  readonly at: number
  readonly measures: Measures
}

export interface MetricsAccess {
  record(delta: Delta): Promise<void>
  totals(): Promise<Measures>
  /** Points of so many seconds that begin at or after a time; only some families of them, where it is said. */
  points(step: number, from: number, families?: readonly Family[]): Promise<readonly Point[]>
  shapes(days: number): Promise<readonly ShapeDelta[]>
  events(): Promise<readonly NotedEvent[]>
}

export interface MetricsStore extends MetricsAccess, Rpc.DurableObjectBranded {}

const maxShapes = 500
const keptShapeDays = 8
const maxEvents = 500
const daySeconds = 86_400
/** Isolates that have been silent for so long are gone. */
const isolateSeconds = 86_400

/** The class that `wrangler.toml` names. */
export class Metrics extends DurableObject<Env> implements MetricsAccess {
  /** What the current points hold, as they are written. */
  readonly #current = new Map<number, Point>()

  constructor(state: DurableObjectState, env: Env) {
    super(state, env)
    const { sql } = this.ctx.storage
    sql.exec(`CREATE TABLE IF NOT EXISTS points (step INTEGER, at INTEGER, measures TEXT, PRIMARY KEY (step, at)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS totals (one INTEGER PRIMARY KEY, measures TEXT);
      CREATE TABLE IF NOT EXISTS isolates (id TEXT PRIMARY KEY, sequence INTEGER, seen INTEGER) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS shapes (day INTEGER PRIMARY KEY, shapes TEXT);
      CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, event TEXT)`)
  }

  /** Adds what an isolate hands over, once, however often it comes. */
  async record(delta: Delta): Promise<void> {
    const now = Math.floor(Date.now() / 1000)
    this.ctx.storage.transactionSync(() => {
      const { sql } = this.ctx.storage
      const [known] = sql.exec<{ sequence: number }>(
        'SELECT sequence FROM isolates WHERE id = ?',
        delta.isolate,
      )
      if (known && known.sequence >= delta.sequence) return
      sql.exec('INSERT OR REPLACE INTO isolates VALUES (?, ?, ?)', delta.isolate, delta.sequence, now)
      this.#addPoint(now, delta)
      const totals = this.#readTotals()
      addMeasures(totals, delta)
      sql.exec('INSERT OR REPLACE INTO totals VALUES (1, ?)', JSON.stringify(totals))
      this.#addShapes(now, delta.shapes)
      for (const event of delta.events)
        sql.exec('INSERT INTO events (event) VALUES (?)', JSON.stringify(event))
    })
  }

  async totals(): Promise<Measures> {
    return this.#readTotals()
  }

  async points(step: number, from: number, families?: readonly Family[]): Promise<readonly Point[]> {
    const rows = this.ctx.storage.sql.exec<{ at: number; measures: string }>(
      'SELECT at, measures FROM points WHERE step = ? AND at >= ? ORDER BY at',
      step,
      from,
    )
    return [...rows].map(({ at, measures }) => {
      const all = JSON.parse(measures) as Measures
      return { at, measures: families ? ofFamilies(all, families) : all }
    })
  }

  async shapes(days: number): Promise<readonly ShapeDelta[]> {
    const first = Math.floor(Date.now() / 1000 / daySeconds) - days + 1
    const rows = this.ctx.storage.sql.exec<{ shapes: string }>(
      'SELECT shapes FROM shapes WHERE day >= ? ORDER BY day',
      first,
    )
    let all: ShapeDelta[] = []
    for (const { shapes } of rows) all = addShapes(all, JSON.parse(shapes) as ShapeDelta[], maxShapes)
    return all
  }

  async events(): Promise<readonly NotedEvent[]> {
    const rows = this.ctx.storage.sql.exec<{ event: string }>(
      'SELECT event FROM events ORDER BY id DESC LIMIT ?',
      maxEvents,
    )
    return [...rows].map(({ event }) => JSON.parse(event) as NotedEvent)
  }

  #readTotals(): Measures {
    const [row] = this.ctx.storage.sql.exec<{ measures: string }>('SELECT measures FROM totals')
    return row ? (JSON.parse(row.measures) as Measures) : nothing()
  }

  /** Adds to the point of ten seconds; a coarser one is made of the finer ones when it is over. */
  #addPoint(now: number, delta: Delta): void {
    const { sql } = this.ctx.storage
    const [finest] = steps
    const at = now - (now % finest.seconds)
    let point = this.#current.get(finest.seconds)
    if (point?.at !== at) {
      this.#rollUp(now)
      point = { at, measures: this.#readPoint(finest.seconds, at) }
      this.#current.set(finest.seconds, point)
    }
    addMeasures(point.measures, delta)
    sql.exec(
      'INSERT OR REPLACE INTO points VALUES (?, ?, ?)',
      finest.seconds,
      at,
      JSON.stringify(point.measures),
    )
  }

  #readPoint(step: number, at: number): Measures {
    const [row] = this.ctx.storage.sql.exec<{ measures: string }>(
      'SELECT measures FROM points WHERE step = ? AND at = ?',
      step,
      at,
    )
    return row ? (JSON.parse(row.measures) as Measures) : nothing()
  }

  /** Makes the coarser points that are over and not made yet, and forgets what is too old. */
  #rollUp(now: number): void {
    const { sql } = this.ctx.storage
    for (const [i, { seconds }] of steps.entries()) {
      const finer = steps[i - 1]
      if (finer) {
        const [last] = sql.exec<{ at: number | null }>(
          'SELECT max(at) AS at FROM points WHERE step = ?',
          seconds,
        )
        const from = last?.at == null ? 0 : last.at + seconds
        const until = now - (now % seconds)
        const rows = sql.exec<{ at: number; measures: string }>(
          'SELECT at, measures FROM points WHERE step = ? AND at >= ? AND at < ? ORDER BY at',
          finer.seconds,
          from,
          until,
        )
        const made = new Map<number, Measures>()
        for (const { at, measures } of rows) {
          const start = at - (at % seconds)
          const sum = made.get(start) ?? nothing()
          addMeasures(sum, JSON.parse(measures) as Measures)
          made.set(start, sum)
        }
        for (const [at, measures] of made)
          sql.exec('INSERT OR REPLACE INTO points VALUES (?, ?, ?)', seconds, at, JSON.stringify(measures))
      }
    }
    // Only now: what nobody has asked for an hour is made of points that are too old themselves.
    for (const { seconds, keptSeconds } of steps) {
      sql.exec('DELETE FROM points WHERE step = ? AND at < ?', seconds, now - keptSeconds - seconds)
    }
    sql.exec('DELETE FROM isolates WHERE seen < ?', now - isolateSeconds)
    sql.exec('DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?', maxEvents)
    sql.exec('DELETE FROM shapes WHERE day < ?', Math.floor(now / daySeconds) - keptShapeDays)
  }

  #addShapes(now: number, shapes: readonly ShapeDelta[]): void {
    if (shapes.length === 0) return
    const { sql } = this.ctx.storage
    const day = Math.floor(now / daySeconds)
    const [row] = sql.exec<{ shapes: string }>('SELECT shapes FROM shapes WHERE day = ?', day)
    const known = row ? (JSON.parse(row.shapes) as ShapeDelta[]) : []
    sql.exec(
      'INSERT OR REPLACE INTO shapes VALUES (?, ?)',
      day,
      JSON.stringify(addShapes(known, shapes, maxShapes)),
    )
  }
}

function ofFamilies({ counters, histograms }: Measures, families: readonly Family[]): Measures {
  const isWanted = ([series]: [string, unknown]) => families.includes(familyOf(series))
  return {
    counters: Object.fromEntries(Object.entries(counters).filter(isWanted)),
    histograms: Object.fromEntries(Object.entries(histograms).filter(isWanted)),
  }
}
