/**
 * Lets callers share work that begins after they came: who comes while it runs waits for the next round, and shares that
 * with all others who come meanwhile. Nobody is given what was read before they asked.
 */
export class Coalescer<Result> {
  readonly #running = new Map<string, { readonly done: Promise<unknown>; next: Promise<Result> | null }>()

  run(key: string, work: () => Promise<Result>): Promise<Result> {
    const running = this.#running.get(key)
    if (running === undefined) return this.#start(key, work)
    running.next ??= running.done.then(() => this.#start(key, work))
    return running.next
  }

  #start(key: string, work: () => Promise<Result>): Promise<Result> {
    const result = work()
    const done = result.then(
      () => undefined,
      () => undefined,
    )
    const round = { done, next: null as Promise<Result> | null }
    this.#running.set(key, round)
    void done.then(() => {
      if (round.next === null) this.#running.delete(key)
    })
    return result
  }
}
