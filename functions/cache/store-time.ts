/**
 * Time-outs that count the store's time. A timer of an isolate that is busy runs late, and the answer that it was for lies there unheard: so what
 * is counted is the time in which it came to look when it was to. Under a load that it does not keep up with, answers
 * come late and are still taken; were they given up, each would become a read of a database, which is more work.
 * @module
 */

/** Parts of a time-out, after each of which is looked whether it ran in time. */
const parts = 5
/** Parts that may run late and are not counted: with those a time-out takes no longer than so many times what it is. */
const longest = 20

/**
 * Calls back when so much time has passed, in milliseconds, in which the isolate could have heard an answer.
 *
 * @returns what stops it
 */
export function afterStoreTime(ms: number, isLate: () => void): () => void {
  const part = ms / parts
  const begun = Date.now()
  let left = parts
  let due = begun
  const wait = () => {
    due = Date.now() + part
    return setTimeout(step, part)
  }
  const step = () => {
    const now = Date.now()
    // What came late, came with all that was not heard meanwhile: that is first.
    if (now - due <= part || now - begun >= longest * ms) left--
    if (left <= 0) isLate()
    else timer = wait()
  }
  let timer = wait()
  return () => clearTimeout(timer)
}

/** What a promise gives, if it does within so much time of the store, in milliseconds; else null. */
export async function withinStoreTime<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  let stop: (() => void) | undefined
  const late = new Promise<null>((done) => {
    stop = afterStoreTime(ms, () => done(null))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    stop?.()
  }
}

/** Ends calls of a client that asks for a signal when it sends: each after so much time of the store. */
export class Patience {
  readonly #ms: number
  #stop: () => void = () => undefined

  /** @param ms longest time of a call, in milliseconds */
  constructor(ms: number) {
    this.#ms = ms
  }

  readonly signal = (): AbortSignal => {
    const controller = new AbortController()
    this.#stop = afterStoreTime(this.#ms, () => controller.abort(new Error('the store takes too long')))
    return controller.signal
  }

  /** Makes a call, which asks for its signal before it first waits, and stops its clock when it has come to its end. */
  async of<T>(call: () => Promise<T>): Promise<T> {
    const running = call()
    const stop = this.#stop
    try {
      return await running
    } finally {
      stop()
    }
  }
}
