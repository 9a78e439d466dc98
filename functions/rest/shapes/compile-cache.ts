import type { IsolateBudget } from '../../../db/memory/isolate-budget.ts'
import { RecentMap } from '../../../db/memory/recent-map.ts'
import { sizeOf } from '../../../db/memory/size-of.ts'

/** Keys longer than this are not worth keeping: they hold long lists that seldom come twice. */
const maxKeyLength = 8192

/** Larger values are compiled each time: so few of them would displace all others. In bytes. */
const maxValueBytes = 2_000_000

/** What a cache may keep, and how it is counted. */
export interface CompileTerms<Value> {
  readonly name: string
  readonly maxEntries: number
  /** Of the isolate; left out, only the number of entries is bounded. */
  readonly budget?: IsolateBudget
  /** Bytes of a value; by default it is walked. */
  readonly sizeOf?: (value: Value) => number
}

/** What all plans and requests together keep when others want room, in bytes for each cache. */
const floorBytes = 1_000_000

/**
 * Keeps what requests of one shape have in common, so that parsing, planning and compiling are done once per
 * shape and isolate. Entries are counted in bytes, in the isolate's budget; the key is kept whole, as two shapes of the same hash must
 * never share a plan.
 */
export class CompileCache<Value> {
  readonly #entries: RecentMap<Value>

  constructor({ name, maxEntries, budget, sizeOf: bytesOf = sizeOf }: CompileTerms<Value>) {
    this.#entries = new RecentMap({
      name,
      maxEntries,
      floorBytes,
      weight: 2,
      maxEntryBytes: maxValueBytes,
      sizeOf: (key, value) => 2 * key.length + bytesOf(value),
      ...(budget ? { budget } : {}),
    })
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)
  }

  keep(key: string, value: Value): void {
    if (key.length <= maxKeyLength) this.#entries.set(key, value)
  }

  /** @param keeps asked when there is none: whether what is made is worth keeping */
  getOrMake(key: string, make: () => Value, keeps: () => boolean = () => true): Value {
    const kept = this.get(key)
    if (kept !== undefined) return kept
    const value = make()
    if (keeps()) this.keep(key, value)
    return value
  }
}
