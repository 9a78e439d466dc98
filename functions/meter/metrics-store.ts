/**
 * Keeps what isolates hand over, in a Durable Object with SQLite. What its rows hold, `metrics-tables.ts` says.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../core/context.ts'
import type { NotedEvent } from '../core/events.ts'
import type { Delta, ShapeDelta } from './delta.ts'
import type { Measures } from './merge.ts'
import { MetricsTables } from './metrics-tables.ts'
import type { Family } from './series.ts'

export interface Point {
  /** Seconds since 1970 at which it begins. */
  readonly at: number
  readonly measures: Measures
}

/** What isolates keep of one kind. */
export interface KeptBy {
  /** That have said so lately. */
  readonly isolates: number
  /** Of all of them, and of the one that has most. */
  readonly bytes: number
  readonly mostBytes: number
  readonly entries: number
}

export interface MetricsAccess {
  record(delta: Delta): Promise<void>
  totals(): Promise<Measures>
  /** Points of so many seconds that begin at or after a time; only some families of them, where it is said. */
  points(step: number, from: number, families?: readonly Family[]): Promise<readonly Point[]>
  shapes(days: number): Promise<readonly ShapeDelta[]>
  events(): Promise<readonly NotedEvent[]>
  /** What isolates keep that have handed over lately, by keeper. */
  kept(): Promise<Readonly<Record<string, KeptBy>>>
}

export interface MetricsStore extends MetricsAccess, Rpc.DurableObjectBranded {}

/** The class that `wrangler.toml` names. */
export class Metrics extends DurableObject<Env> implements MetricsAccess {
  readonly #tables: MetricsTables

  constructor(state: DurableObjectState, env: Env) {
    super(state, env)
    this.#tables = new MetricsTables(this.ctx.storage)
  }

  async record(delta: Delta): Promise<void> {
    return this.#tables.record(delta)
  }

  async totals(): Promise<Measures> {
    return this.#tables.totals()
  }

  async points(step: number, from: number, families?: readonly Family[]): Promise<readonly Point[]> {
    return this.#tables.points(step, from, families)
  }

  async shapes(days: number): Promise<readonly ShapeDelta[]> {
    return this.#tables.shapes(days)
  }

  async events(): Promise<readonly NotedEvent[]> {
    return this.#tables.events()
  }

  async kept(): Promise<Readonly<Record<string, KeptBy>>> {
    return this.#tables.kept()
  }
}
