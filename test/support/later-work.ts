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

/** Asks a gateway, and waits for its answer and for what it does after it. */
export async function fetchFrom(
  gateway: { fetch(request: Request, env: never, context: ExecutionContext): Response | Promise<Response> },
  request: Request,
  bindings: unknown,
): Promise<Response> {
  const later = new LaterWork()
  const response = await gateway.fetch(request, bindings as never, later.context)
  await later.done()
  return response
}
