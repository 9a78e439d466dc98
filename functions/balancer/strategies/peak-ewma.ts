import { type Candidate, drawTwo, type Random, type Strategy } from './strategy.ts'

/** What an origin is taken to cost that has requests under way and has not answered one yet, in milliseconds. */
const unknownMs = 1000

/**
 * Performance-based: of two origins drawn by weight, the one where a request is likely to wait less: its latency, times the requests
 * that are under way there. Source: Finagle's and Linkerd's peak EWMA,
 * https://github.com/twitter/finagle/blob/develop/finagle-core/src/main/scala/com/twitter/finagle/loadbalancer/PeakEwma.scala
 */
export class PeakEwma implements Strategy {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  pick<C extends Candidate>(candidates: readonly C[]): C {
    const [first, second] = drawTwo(candidates, this.#random)
    return costOf(second) < costOf(first) ? second : first
  }
}

function costOf({ latencyMs, outstanding, weight }: Candidate): number {
  if (latencyMs === 0 && outstanding > 0) return unknownMs * (1 + outstanding / weight)
  return latencyMs * (1 + outstanding / weight)
}

/** How long what was seen counts, in milliseconds: after so long without a request, a little more than a third is left of it. */
const decayMs = 10_000
/** Least latency that a failure is taken to have, in milliseconds: an error that comes fast must attract nothing. */
const failureMs = 1000
/** How long that counts: shorter, or an origin that is back would go without requests for a minute. */
const failureDecayMs = 2000

/** Latency of an origin: it jumps up to a peak at once, and forgets it with time. */
export class Latency {
  readonly #answers = new Decaying(decayMs)
  readonly #failures = new Decaying(failureDecayMs)

  observe(ms: number, now: number): void {
    this.#answers.observe(ms, now)
  }

  /** A request that failed, however fast. */
  observeFailure(ms: number, now: number): void {
    this.#failures.observe(Math.max(ms, failureMs), now)
  }

  /** In milliseconds. It goes down while nothing is asked, so that a slow origin is tried again. */
  read(now: number): number {
    return Math.max(this.#answers.read(now), this.#failures.read(now))
  }
}

class Decaying {
  readonly #decayMs: number
  #ms = 0
  #seenAt = 0

  constructor(decayMs: number) {
    this.#decayMs = decayMs
  }

  observe(ms: number, now: number): void {
    const old = this.#shareLeft(now)
    this.#ms = ms > this.#ms ? ms : this.#ms * old + ms * (1 - old)
    this.#seenAt = now
  }

  read(now: number): number {
    return this.#ms === 0 ? 0 : this.#ms * this.#shareLeft(now)
  }

  #shareLeft(now: number): number {
    return Math.exp(-Math.max(0, now - this.#seenAt) / this.#decayMs)
  }
}
