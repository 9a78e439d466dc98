/** Retries for each call, at most: when everything fails, retries add a fifth and no storm (as in Finagle's budgets). */
const share = 0.2
/** Retries that are allowed however few calls there were. */
const floor = 3
/** Calls are forgotten by half each time that there were so many, or that so many milliseconds have passed. */
const windowCalls = 1000
const windowMs = 10_000

/** How many retries an isolate may still make. */
export class RetryBudget {
  #calls = 0
  #retries = 0
  #halvedAt = 0

  /** Notes a call. */
  count(now = Date.now()): void {
    this.#calls++
    this.#forget(now)
  }

  /** Takes one retry, if there is one left. */
  take(now = Date.now()): boolean {
    this.#forget(now)
    if (this.#retries >= Math.max(floor, this.#calls * share)) return false
    this.#retries++
    return true
  }
  #forget(now: number): void {
    if (this.#calls < windowCalls && now - this.#halvedAt < windowMs) return
    this.#halvedAt = now
    this.#calls /= 2
    this.#retries /= 2
  }
}
