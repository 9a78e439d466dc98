import { seededRandom } from '../seeded-random.ts'

/** Random choices that are the same for the same seed. */
export interface Chance {
  /** A whole number from 0 up to, not including, `n`. */
  below(n: number): number
  pick<T>(list: readonly T[]): T
  /** True with this probability. */
  maybe(probability: number): boolean
  /** Some of a list, in its order; at least `least` while there are as many. */
  some<T>(list: readonly T[], least: number, most: number): T[]
}

export function createChance(seed: number): Chance {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  return {
    below,
    pick: (list) => {
      if (list.length === 0) throw new Error('nothing to pick from')
      return list[below(list.length)] as (typeof list)[number]
    },
    maybe: (probability) => random() < probability,
    some(list, least, most) {
      const wanted = Math.min(list.length, least + below(most - least + 1))
      const left = list.map((_, i) => i)
      const taken = new Set<number>()
      while (taken.size < wanted) taken.add(left.splice(below(left.length), 1)[0] as number)
      return list.filter((_, i) => taken.has(i))
    },
  }
}
