/** What is counted at a time, in milliseconds, and the fewest requests that say something. */
const windowMs = 10_000
const minRequests = 20
/** How long a pool is left alone at first and at most, in milliseconds. */
const firstPauseMs = 1000
const longestPauseMs = 30_000

/**
 * Circuit breaker of a pool: when nearly everything fails, requests are refused at once for a moment, and then one at a time is let
 * through to see whether the pool is back. Source: Nygard, "Release It!" (2007), chapter 5.
 */
export class Breaker {
  readonly #share: number
  #window = { began: 0, requests: 0, failures: 0 }
  #openUntil = 0
  #pauseMs = firstPauseMs
  #state: 'closed' | 'open' | 'probing' = 'closed'

  /** @param share of failures that opens it; Infinity: never */
  constructor(share: number) {
    this.#share = share
  }

  get state() {
    return this.#state
  }

  /** How long a request has to wait, in milliseconds; 0: it may go. */
  ask(now: number): number {
    if (this.#state === 'closed') return 0
    if (now < this.#openUntil) return this.#openUntil - now
    // This one is the probe; the others wait for another pause, as nobody tells when a probe's client has gone away.
    this.#state = 'probing'
    this.#openUntil = now + this.#pauseMs
    return 0
  }

  note(failed: boolean, now: number): void {
    if (this.#state !== 'closed') {
      // What began before it opened says nothing new.
      if (failed) {
        if (this.#state === 'probing') this.#open(now)
        return
      }
      this.#state = 'closed'
      this.#pauseMs = firstPauseMs
      this.#window = { began: now, requests: 0, failures: 0 }
      return
    }
    if (now - this.#window.began >= windowMs) this.#window = { began: now, requests: 0, failures: 0 }
    this.#window.requests++
    if (failed) this.#window.failures++
    const { requests, failures } = this.#window
    if (requests >= minRequests && failures / requests >= this.#share) this.#open(now)
  }

  #open(now: number): void {
    if (this.#state === 'probing') this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2)
    this.#state = 'open'
    this.#openUntil = now + this.#pauseMs
  }
}
