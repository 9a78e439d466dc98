/** Counts what happens in a second. Forgotten when the object sleeps, as it does only when nothing happens. */
export class Rate {
  #second = 0
  #count = 0

  /** @returns how much it is in this second by now */
  add(amount = 1, now = Date.now()): number {
    const second = Math.floor(now / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#count = 0
    }
    this.#count += amount
    return this.#count
  }
}
