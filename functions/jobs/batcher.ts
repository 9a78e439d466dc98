/**
 * Puts together what several ask for at the same time: while one call is under way, what comes waits for the next.
 */
export class Batcher<Item, Result> {
  readonly #send: (items: readonly Item[]) => Promise<readonly Result[]>
  #waiting: { readonly items: Item[]; readonly call: Promise<readonly Result[]> } | null = null
  #last: Promise<unknown> = Promise.resolve()

  /** @param send answers with a result for each item */
  constructor(send: (items: readonly Item[]) => Promise<readonly Result[]>) {
    this.#send = send
  }

  /**
   * @returns the results of these items
   * @throws what the call did that these items were part of
   */
  async add(items: readonly Item[]): Promise<readonly Result[]> {
    if (items.length === 0) return []
    if (this.#waiting === null) {
      const batch: Item[] = []
      const call = this.#last
        .catch(() => undefined)
        .then(() => {
          this.#waiting = null
          return this.#send(batch)
        })
      this.#waiting = { items: batch, call }
      this.#last = call
    }
    const { items: own, call } = this.#waiting
    const first = own.length
    own.push(...items)
    return (await call).slice(first, first + items.length)
  }
}
