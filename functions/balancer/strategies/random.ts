import { type Candidate, drawByWeight, type Random, type Strategy } from './strategy.ts'

/** Random, by weight. The simplest that needs no memory, and what others are measured by. */
export class RandomChoice implements Strategy {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  pick<C extends Candidate>(candidates: readonly C[]): C {
    return drawByWeight(candidates, this.#random)
  }
}
