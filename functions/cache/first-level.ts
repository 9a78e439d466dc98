import type { CacheEntry } from './cache-entry.ts'

/** What the isolate keeps of an entry: it, its size, and when it was last known to be current. */
export interface Held {
  readonly entry: CacheEntry
  readonly bytes: number
  /** In milliseconds since 1970. */
  checkedAt: number
}

/** Bytes that an entry takes beside its key and body, about. */
const overheadBytes = 300

/** Entries in the isolate, bounded in bytes; the least recently used leaves first. */
export class FirstLevel {
  readonly #held = new Map<string, Held>()
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes that are held, about: two for each character. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): Held | null {
    const held = this.#held.get(key)
    if (held === undefined) return null
    this.#held.delete(key)
    this.#held.set(key, held)
    return held
  }

  put(key: string, entry: CacheEntry, checkedAt: number): void {
    this.delete(key)
    const bytes = overheadBytes + 2 * (key.length + (entry.answer.body?.length ?? 0))
    if (bytes > this.#maxBytes / 4) return
    this.#held.set(key, { entry, bytes, checkedAt })
    this.#bytes += bytes
    for (const oldest of this.#held.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.delete(oldest)
    }
  }

  delete(key: string): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    this.#held.delete(key)
    this.#bytes -= held.bytes
  }
}
