import { type Candidate, drawTwo, type Random, type Strategy } from './strategy.ts'

/**
 * Least request by the power of two choices: of two origins drawn by weight, the one with fewer requests under way for its weight.
 * Looking at two is nearly as good as looking at all, and many isolates that look at all would run to the same one together.
 * Sources: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers#weighted-least-request,
 * Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (1996).
 */
export class LeastRequest implements Strategy {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  pick<C extends Candidate>(candidates: readonly C[]): C {
    const [first, second] = drawTwo(candidates, this.#random)
    return second.outstanding / second.weight < first.outstanding / first.weight ? second : first
  }
}
