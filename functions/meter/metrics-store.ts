/**
 * Keeps what isolates hand over, in a Durable Object with SQLite. What its rows hold, `metrics-tables.ts` says.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type { NotedEvent } from '../core/events.ts'
import type { Delta, ShapeDelta } from './delta.ts'
import type { Measures } from './merge.ts'
import type { KeptBy, MetricsAccess, Point } from './metrics-access.ts'
import { MetricsTables } from './metrics-tables.ts'
import type { Family } from './series.ts'

/** The same, as a Durable Object. */
export interface MetricsStore extends MetricsAccess, Rpc.DurableObjectBranded {}

/** The class that `wrangler.toml` names. */
export class Metrics extends DurableObject<unknown> implements MetricsAccess {
  readonly #tables: MetricsTables

  constructor(state: DurableObjectState, env: unknown) {
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
