/**
 * Keeps what requests of one shape have in common, so that parsing, planning and compiling are done once per
 * shape and isolate. Least recently used out.
 */
export class CompileCache<Value> {
  readonly #entries = new Map<string, Value>()
  readonly #maxEntries: number
  /** Keys longer than this are not worth keeping: they hold long lists that seldom come twice. */
  readonly #maxKeyLength = 8192

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  getOrMake(key: string, make: () => Value): Value {
    const kept = this.#entries.get(key)
    if (kept !== undefined) {
      this.#entries.delete(key)
      this.#entries.set(key, kept)
      return kept
    }
    const value = make()
    if (key.length <= this.#maxKeyLength && this.#maxEntries > 0) {
      this.#entries.set(key, value)
      if (this.#entries.size > this.#maxEntries) {
        const [oldest] = this.#entries.keys()
        this.#entries.delete(oldest as string)
      }
    }
    return value
  }
}
