/** Collects what a Worker does after its answer, so that tests can wait for it. */
export class LaterWork {
  readonly #pending: Promise<unknown>[] = []

  readonly context = {
    waitUntil: (work: Promise<unknown>) => void this.#pending.push(work),
    passThroughOnException: () => undefined,
    props: {},
  } as unknown as ExecutionContext

  async done(): Promise<void> {
    for (let work = this.#pending.shift(); work; work = this.#pending.shift()) await work
  }
}
