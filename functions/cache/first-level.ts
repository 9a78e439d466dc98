import type { IsolateBudget, Keeper } from '../../db/memory/isolate-budget.ts'
import { textBytes } from '../../db/memory/size-of.ts'
import type { CacheEntry } from './cache-entry.ts'

/** What the isolate keeps of an entry: it, its size, and when it was last known to be current. */
export interface Held {
  readonly entry: CacheEntry
  readonly bytes: number
  /** In milliseconds since 1970. */
  checkedAt: number
}

/** Bytes of an entry's objects, its numbers and its place in the map, about (measured on V8 with 8-byte pointers; the platform's have 4). */
const objectBytes = 400
/** Of a map of bookmarks, and of a reference to a text. */
const [mapBytes, slotBytes] = [200, 8]
/** What is left to it when others want room. */
const floorBytes = 2_000_000

/** Entries in the isolate, bounded in bytes; the least recently used leaves first. */
export class FirstLevel implements Keeper {
  readonly name = 'first-level'
  readonly floorBytes = floorBytes
  readonly weight = 2
  readonly #held = new Map<string, Held>()
  readonly #maxBytes: number
  readonly #budget: IsolateBudget | null
  #bytes = 0

  constructor(maxBytes: number, budget: IsolateBudget | null = null) {
    this.#maxBytes = maxBytes
    this.#budget = budget
    budget?.register(this)
  }

  /** Bytes of the heap that are held, about. */
  get bytes(): number {
    return this.#bytes
  }

  get entries(): number {
    return this.#held.size
  }

  evict(): boolean {
    const [oldest] = this.#held.keys()
    if (oldest === undefined) return false
    this.delete(oldest)
    return true
  }

  get(key: string): Held | null {
    const held = this.#held.get(key)
    if (held === undefined) return null
    this.#held.delete(key)
    this.#held.set(key, held)
    return held
  }

  put(key: string, entry: CacheEntry, checkedAt: number): void {
    const before = this.#held.get(key)
    if (before?.entry === entry) {
      before.checkedAt = checkedAt
      return
    }
    this.delete(key)
    const bytes = bytesOf(key, entry)
    if (bytes > this.#maxBytes / 4) return
    this.#held.set(key, { entry, bytes, checkedAt })
    this.#bytes += bytes
    for (const oldest of this.#held.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.delete(oldest)
    }
    this.#budget?.settle()
  }

  delete(key: string): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    this.#held.delete(key)
    this.#bytes -= held.bytes
  }
}

/** A text takes a byte for each character, or two for each when one of them is beyond U+00FF. */
function bytesOf(key: string, { answer, generations, bookmarks }: CacheEntry): number {
  let bytes =
    objectBytes + mapBytes + textBytes(key) + textBytes(answer.body ?? '') + textBytes(answer.tag ?? '')
  for (const token of generations) bytes += slotBytes + textBytes(token)
  for (const [database, bookmark] of bookmarks) bytes += textBytes(database) + textBytes(bookmark)
  return bytes
}
