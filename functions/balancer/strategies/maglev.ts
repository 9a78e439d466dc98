import { type Candidate, type Choice, drawByWeight, type Random, type Strategy } from './strategy.ts'

/** Sizes of tables: primes. The paper asks for a hundred entries for each origin, for shares within a hundredth. */
const sizes = [1009, 2003, 4001, 8009, 16_001, 32_003, 65_537, 131_071]
/** Tables that are kept: when an origin comes and goes, its table is there again. */
const maxTables = 8

/**
 * Consistent hashing by Maglev's tables: the same key goes to the same origin, and when one leaves, little but its own keys moves.
 * Source: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016), section 3.4; weights as
 * Envoy's: an origin takes its turns as often as its weight.
 *
 * With bounded loads: an origin with more than `loadBound` times its part of what is under way passes the key on to the next in
 * the table. Source: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads" (SODA 2018).
 */
export class Maglev implements Strategy {
  readonly #random: Random
  readonly #loadBound: number
  readonly #tables = new Map<string, Uint16Array>()

  /** @param loadBound above 1; Infinity: no bound */
  constructor(random: Random, loadBound: number) {
    this.#random = random
    this.#loadBound = loadBound
  }

  pick<C extends Candidate>(candidates: readonly C[], { hash, all }: Choice): C {
    if (hash === null) return drawByWeight(candidates, this.#random)
    const table = this.#tableFor(all)
    const allowed = new Map(candidates.map((candidate) => [candidate.name, candidate]))
    const weights = candidates.reduce((sum, { fullWeight }) => sum + fullWeight, 0)
    const load = candidates.reduce((sum, { outstanding }) => sum + outstanding, 1)
    const seen = new Set<number>()
    let first: C | undefined
    for (let i = 0; seen.size < all.length && i < table.length; i++) {
      const index = table[(hash + i) % table.length] as number
      if (seen.has(index)) continue
      seen.add(index)
      const candidate = allowed.get(all[index]?.name ?? '')
      if (!candidate) continue
      first ??= candidate
      const bound = Math.ceil((this.#loadBound * load * candidate.fullWeight) / weights)
      if (candidate.outstanding < bound) return candidate
    }
    return first ?? drawByWeight(candidates, this.#random)
  }

  #tableFor(all: readonly Candidate[]): Uint16Array {
    const key = all.map(({ name, fullWeight }) => `${name} ${fullWeight}`).join('\n')
    const known = this.#tables.get(key)
    if (known) return known
    const table = layOut(all)
    this.#tables.set(key, table)
    const [oldest] = this.#tables.keys()
    if (this.#tables.size > maxTables) this.#tables.delete(oldest as string)
    return table
  }
}

/** Places of the table, each with the index of an origin. */
function layOut(all: readonly Candidate[]): Uint16Array {
  const size = sizes.find((candidate) => candidate >= all.length * 100) ?? (sizes.at(-1) as number)
  const empty = 0xffff
  const table = new Uint16Array(size).fill(empty)
  const heaviest = Math.max(...all.map(({ fullWeight }) => fullWeight))
  const origins = all.map(({ name, fullWeight }) => ({
    at: hashOf(`offset\n${name}`) % size,
    skip: 1 + (hashOf(`skip\n${name}`) % (size - 1)),
    share: fullWeight / heaviest,
    owed: 0,
  }))
  for (let filled = 0; filled < size; ) {
    for (const [index, origin] of origins.entries()) {
      origin.owed += origin.share
      if (origin.owed < 1 || filled === size) continue
      origin.owed--
      while (table[origin.at] !== empty) origin.at = (origin.at + origin.skip) % size
      table[origin.at] = index
      filled++
    }
  }
  return table
}

/** FNV-1a with the finish of MurmurHash3, so that all bits of short texts count. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
