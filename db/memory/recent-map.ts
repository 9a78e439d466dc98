import type { IsolateBudget, Keeper } from './isolate-budget.ts'

/** How much a map keeps. */
export interface RecentTerms<Value> {
  readonly maxEntries: number
  /** Of all entries. Default: no bound of its own. */
  readonly maxBytes?: number
  /** Larger entries are not kept. Default: an eighth of `maxBytes`. */
  readonly maxEntryBytes?: number
  /** What an entry takes, beside `entryBytes`; default two bytes for each character of its key. */
  readonly sizeOf?: (key: string, value: Value) => number
  /** Of whose bytes these are. Left out where what is kept is small by its number. */
  readonly budget?: IsolateBudget
  readonly name?: string
  readonly floorBytes?: number
  readonly weight?: number
}

/** A map's own share of an entry, and that of the object around its value (measured on V8: 90 to 120 bytes). */
const entryBytes = 120

interface Entry<Value> {
  readonly value: Value
  readonly bytes: number
}

/** A map that keeps so many entries, and so many bytes of them: the least recently used leaves first. */
export class RecentMap<Value> implements Keeper {
  readonly name: string
  readonly floorBytes: number
  readonly weight: number
  readonly #entries = new Map<string, Entry<Value>>()
  readonly #terms: RecentTerms<Value>
  readonly #maxBytes: number
  readonly #maxEntryBytes: number
  #bytes = 0

  /** @param terms or the number of entries, where these are small */
  constructor(terms: RecentTerms<Value> | number) {
    this.#terms = typeof terms === 'number' ? { maxEntries: terms } : terms
    const { name = '', floorBytes = 0, weight = 1, maxBytes, maxEntryBytes, budget } = this.#terms
    this.name = name
    this.floorBytes = floorBytes
    this.weight = weight
    this.#maxBytes = maxBytes ?? Number.POSITIVE_INFINITY
    this.#maxEntryBytes = maxEntryBytes ?? this.#maxBytes / 8
    budget?.register(this)
  }

  get bytes(): number {
    return this.#bytes
  }

  get entries(): number {
    return this.#entries.size
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  set(key: string, value: Value): void {
    this.delete(key)
    const { maxEntries, sizeOf, budget } = this.#terms
    const bytes = entryBytes + (sizeOf?.(key, value) ?? 2 * key.length)
    if (bytes > this.#maxEntryBytes) return
    this.#entries.set(key, { value, bytes })
    this.#bytes += bytes
    while (this.#entries.size > maxEntries || this.#bytes > this.#maxBytes) this.evict()
    budget?.settle()
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
  }

  evict(): boolean {
    const [oldest] = this.#entries.keys()
    if (oldest === undefined) return false
    this.delete(oldest)
    return true
  }
}
