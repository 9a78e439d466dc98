/**
 * Passive ejection: an isolate leaves an origin alone that failed its own requests, the longer the more often it did.
 * Source: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier
 * @module
 */
import type { Ejection } from './declarations.ts'

export type EjectionSettings = Required<Ejection>

export const defaultEjection: EjectionSettings = {
  losses: 2,
  failures: 5,
  failureShare: 0.5,
  baseSeconds: 10,
  longestSeconds: 300,
  maxShare: 0.5,
}

/** How a request ended: an answer, an answer that says that the origin failed, or none. */
export type Outcome = 'answered' | 'failed' | 'lost'

/** What is counted at a time, in milliseconds, and the fewest requests whose share of failures says something. */
const windowMs = 10_000
const minRequests = 10

/** What an isolate has seen of one origin, and whether it leaves it alone. */
export class Outlier {
  readonly #settings: EjectionSettings
  #lossesInARow = 0
  #failuresInARow = 0
  #window = { began: 0, requests: 0, failures: 0 }
  #until = 0
  #times = 0
  #reason = ''

  constructor(settings: EjectionSettings) {
    this.#settings = settings
  }

  isEjected(now: number): boolean {
    return now < this.#until
  }

  /** Until when, how often, and why it was ejected last; times go down again while it is well. */
  get last() {
    return { until: this.#until, times: this.#times, reason: this.#reason }
  }

  /**
   * Notes how a request ended.
   *
   * @returns why it ought to be ejected; null: it ought not
   */
  note(outcome: Outcome, now: number): string | null {
    this.#roll(now)
    this.#window.requests++
    if (outcome === 'answered') {
      this.#lossesInARow = 0
      this.#failuresInARow = 0
      return null
    }
    this.#window.failures++
    this.#failuresInARow++
    this.#lossesInARow = outcome === 'lost' ? this.#lossesInARow + 1 : 0
    const { losses, failures, failureShare } = this.#settings
    if (this.#lossesInARow >= losses) return `${this.#lossesInARow} requests in a row without an answer`
    if (this.#failuresInARow >= failures) return `${this.#failuresInARow} failures in a row`
    const { requests, failures: failed } = this.#window
    if (requests >= minRequests && failed / requests >= failureShare)
      return `${failed} of ${requests} requests failed`
    return null
  }

  eject(reason: string, now: number): void {
    const { baseSeconds, longestSeconds } = this.#settings
    this.#times++
    this.#until = now + Math.min(longestSeconds, baseSeconds * this.#times) * 1000
    this.#reason = reason
    this.#lossesInARow = 0
    this.#failuresInARow = 0
    this.#window = { began: now, requests: 0, failures: 0 }
  }

  /** Takes it back at once, as when a check has seen it well. */
  end(now: number): void {
    this.#until = Math.min(this.#until, now)
  }

  #roll(now: number): void {
    if (now - this.#window.began < windowMs) return
    const wasWell = this.#window.requests > 0 && this.#window.failures === 0
    if (wasWell && now >= this.#until && this.#times > 0) this.#times--
    this.#window = { began: now, requests: 0, failures: 0 }
  }
}
