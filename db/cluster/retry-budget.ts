/** Retries for each call, at most: when everything fails, retries add a fifth and no storm (as in Finagle's budgets). */
const share = 0.2
/** Retries that are allowed however few calls there were. */
const floor = 3
/** Calls are forgotten by half each time that there were so many. */
const windowCalls = 1000

/** How many retries an isolate may still make. */
export class RetryBudget {
  #calls = 0
  #retries = 0

  /** Notes a call. */
  count(): void {
    this.#calls++
    if (this.#calls < windowCalls) return
    this.#calls /= 2
    this.#retries /= 2
  }

  /** Takes one retry, if there is one left. */
  take(): boolean {
    if (this.#retries >= Math.max(floor, this.#calls * share)) return false
    this.#retries++
    return true
  }
}
