import { RecentMap } from '../recent-map.ts'

/** Keys longer than this are not worth keeping: they hold long lists that seldom come twice. */
const maxKeyLength = 8192

/**
 * Keeps what requests of one shape have in common, so that parsing, planning and compiling are done once per
 * shape and isolate.
 */
export class CompileCache<Value> {
  readonly #entries: RecentMap<Value>

  constructor(maxEntries: number) {
    this.#entries = new RecentMap(maxEntries)
  }

  getOrMake(key: string, make: () => Value): Value {
    const kept = this.#entries.get(key)
    if (kept !== undefined) return kept
    const value = make()
    if (key.length <= maxKeyLength) this.#entries.set(key, value)
    return value
  }
}
