/**
 * Puts together what several ask for at the same time: while one call is under way, what comes waits for the next.
 */
export class Batcher<Item> {
  readonly #send: (items: readonly Item[]) => Promise<unknown>
  #waiting: { readonly items: Item[]; readonly call: Promise<unknown> } | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(send: (items: readonly Item[]) => Promise<unknown>) {
    this.#send = send
  }

  /** @throws what the call did that these items were part of */
  async add(items: readonly Item[]): Promise<void> {
    if (items.length === 0) return
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
    this.#waiting.items.push(...items)
    await this.#waiting.call
  }
}
