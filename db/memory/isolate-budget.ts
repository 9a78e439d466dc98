/**
 * One budget of bytes for all that an isolate keeps: compiled shapes, answers, tokens, counts, and the bodies that it is at work on. The
 * platform ends an isolate that has 128 MB, with every request in it.
 *
 * Who keeps something registers as a keeper, with a floor that nobody takes from it and a weight. When all of them together have more
 * than there is, the one that is furthest above its floor for its weight lets go first, what it has used longest ago: a flood of one kind
 * displaces its own kind. Bodies cannot be let go; keepers make room for them.
 * @module
 */

/** Something that keeps bytes in an isolate and can let go of them. */
export interface Keeper {
  /** As gauges name it. */
  readonly name: string
  /** Bytes that are left to it whoever wants room. */
  readonly floorBytes: number
  /** Its share beside others. */
  readonly weight: number
  readonly bytes: number
  readonly entries: number
  /** Lets go of what is worth least to it. @returns false when there is nothing to let go of */
  evict(): boolean
}

/** What a keeper has at a time. */
export interface Kept {
  readonly bytes: number
  readonly entries: number
}

/** What an isolate may keep, in bytes, shared by all that keep something: who needs room takes it from the one that has most above its floor. */
export class IsolateBudget {
  readonly #keepers: Keeper[] = []
  readonly #maxBytes: number

  /** @param maxBytes of all keepers together */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  register(keeper: Keeper): void {
    this.#keepers.push(keeper)
  }

  get bytes(): number {
    return this.#keepers.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** To be called by a keeper that has grown: whoever is furthest above its floor lets go until all fit. */
  settle(): void {
    for (let over = this.bytes - this.#maxBytes; over > 0; ) {
      const from = this.#furthest()
      if (from === null) return
      const before = from.bytes
      if (!from.evict()) return
      over -= before - from.bytes
    }
  }

  /** Sums by the names of keepers. */
  gauges(): Readonly<Record<string, Kept>> {
    const sums: Record<string, { bytes: number; entries: number }> = {}
    for (const { name, bytes, entries } of this.#keepers) {
      sums[name] ??= { bytes: 0, entries: 0 }
      const sum = sums[name]
      sum.bytes += bytes
      sum.entries += entries
    }
    return sums
  }

  #furthest(): Keeper | null {
    let found: Keeper | null = null
    let most = 0
    for (const keeper of this.#keepers) {
      const above = (keeper.bytes - keeper.floorBytes) / keeper.weight
      if (keeper.entries === 0 || above <= most) continue
      found = keeper
      most = above
    }
    return found
  }
}
