/**
 * Time-outs that count the store's time. A timer of an isolate that is busy runs late, and the answer that it was for lies there unheard: so what
 * is counted is times that the isolate came to look, and not what the clock says when it does. Under a load that it does not keep up with, answers
 * come late and are still taken; were they given up, each would become a read of a database, which is more work.
 * @module
 */

/** Looks that a time-out has: of each the isolate must be found too busy to hear, or the store silent. */
const looks = 5

/**
 * Calls back when so much time has passed, in milliseconds, and the isolate has looked as often.
 *
 * @returns what stops it
 */
export function afterStoreTime(ms: number, isLate: () => void): () => void {
  let left = looks
  const wait = () => setTimeout(step, ms / looks)
  const step = () => {
    left--
    if (left === 0) isLate()
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
