/**
 * What an isolate knows of one origin.
 * @module
 */
import { type EjectionSettings, type Outcome, Outlier } from './outlier.ts'
import type { OriginMode } from './shown-pool.ts'
import { Latency } from './strategies/peak-ewma.ts'
import type { Candidate } from './strategies/strategy.ts'

/** An origin as it is declared, with its variables read. */
export interface OriginTarget {
  readonly name: string
  readonly url: URL
  readonly weight: number
  readonly priority: number
  readonly headers: Readonly<Record<string, string>>
}

/** What the pool's Durable Object says of an origin, for all isolates. */
export interface OriginOrders {
  /** Null: as it is declared. */
  readonly weight: number | null
  readonly mode: OriginMode
  readonly isHealthy: boolean
}

/** Counts since the isolate began; they only grow. */
export interface OriginCounts {
  requests: number
  /** Answers by the hundreds of their status: `2xx` and so on; `lost` got none. */
  answers: Record<string, number>
  failures: number
  retries: number
  ejections: number
}

/** How little of its weight an origin begins with that is back. */
const slowStartShare = 0.1

/** A request that an origin has not finished; it counts until then, or until its time is over in any case. */
interface Under {
  readonly expiresAt: number
}

export class Origin implements Candidate {
  readonly target: OriginTarget
  readonly outlier: Outlier
  readonly counts: OriginCounts = { requests: 0, answers: {}, failures: 0, retries: 0, ejections: 0 }
  readonly #latency = new Latency()
  readonly #slowStartMs: number
  readonly #under = new Set<Under>()
  #orders: OriginOrders = { weight: null, mode: 'active', isHealthy: true }
  /** Since when it is back; negative infinity: it never was away. */
  #backSince = Number.NEGATIVE_INFINITY
  #wasAway = false
  /** When it last answered. */
  #heardAt = Number.NEGATIVE_INFINITY
  /** The time that `weight` and `latencyMs` are for: the same for all origins that are compared. */
  #now = 0

  constructor(target: OriginTarget, ejection: EjectionSettings, slowStartMs: number) {
    this.target = target
    this.outlier = new Outlier(ejection)
    this.#slowStartMs = slowStartMs
  }

  get name(): string {
    return this.target.name
  }

  get mode(): OriginMode {
    return this.#orders.mode
  }

  get isHealthy(): boolean {
    return this.#orders.isHealthy
  }

  get heardAt(): number {
    return this.#heardAt
  }

  get outstanding(): number {
    return this.#under.size
  }

  get fullWeight(): number {
    return this.#orders.weight ?? this.target.weight
  }

  /** Grows from a tenth to the full weight while an origin that is back warms up. */
  get weight(): number {
    if (this.#slowStartMs === 0) return this.fullWeight
    const share = (this.#now - this.#backSince) / this.#slowStartMs
    return this.fullWeight * (share >= 1 ? 1 : Math.max(slowStartShare, share))
  }

  get latencyMs(): number {
    return this.#latency.read(this.#now)
  }

  get orders(): OriginOrders {
    return this.#orders
  }

  set orders(orders: OriginOrders) {
    // That it was ejected here says nothing any more once checks have seen it rise again.
    if (orders.isHealthy && !this.#orders.isHealthy) this.outlier.end(this.#now)
    this.#orders = orders
  }

  /** Whether it is well, and is given new requests. */
  isAvailable(): boolean {
    return (
      this.#orders.mode === 'active' &&
      this.#orders.isHealthy &&
      this.fullWeight > 0 &&
      !this.outlier.isEjected(this.#now)
    )
  }

  /** Sets the time of what it says of itself. */
  lookAt(now: number): void {
    this.#now = now
    const isAway = !this.#orders.isHealthy || this.outlier.isEjected(now) || this.#orders.mode === 'disabled'
    if (this.#wasAway && !isAway) this.#backSince = now
    this.#wasAway = isAway
    for (const under of this.#under) {
      if (under.expiresAt > now) break
      this.#under.delete(under)
    }
  }

  /** A request goes to it now. @returns what says that it is over */
  begin(now: number, expiresAt: number): () => void {
    const under = { expiresAt }
    this.#under.add(under)
    this.counts.requests++
    this.#now = now
    return () => this.#under.delete(under)
  }

  /**
   * Notes how a request ended, after so many milliseconds.
   *
   * @param answer what it is counted as: `2xx`, `lost`
   * @returns why it ought to be ejected; null: it ought not
   */
  note(outcome: Outcome, answer: string, ms: number, now: number): string | null {
    this.counts.answers[answer] = (this.counts.answers[answer] ?? 0) + 1
    if (outcome === 'answered') {
      this.#latency.observe(ms, now)
    } else {
      this.counts.failures++
      this.#latency.observeFailure(ms, now)
    }
    this.#heardAt = outcome === 'lost' ? Number.NEGATIVE_INFINITY : now
    return this.outlier.note(outcome, now)
  }
}
