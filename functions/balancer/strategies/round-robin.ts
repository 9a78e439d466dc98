import type { Candidate, Random, Strategy } from './strategy.ts'

/**
 * Smooth weighted round robin, as nginx has it: each origin gains its weight, the one with the most goes and pays the sum. Of
 * weights 5, 1, 1 comes a a b a c a a, and not five times a in a row.
 * Source: https://github.com/nginx/nginx/commit/52327e0627f49dbda1e8db695e63a4b0af4448b1
 *
 * Isolates start anywhere in the round: a thousand of them that begin with the first origin would all send it their first request.
 */
export class RoundRobin implements Strategy {
  readonly #gained = new Map<string, number>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  pick<C extends Candidate>(candidates: readonly C[]): C {
    const total = candidates.reduce((sum, { weight }) => sum + weight, 0)
    let best: C | undefined
    let most = Number.NEGATIVE_INFINITY
    for (const candidate of candidates) {
      const gained = (this.#gained.get(candidate.name) ?? this.#random() * total) + candidate.weight
      this.#gained.set(candidate.name, gained)
      if (gained > most) [best, most] = [candidate, gained]
    }
    const chosen = best as C
    this.#gained.set(chosen.name, most - total)
    return chosen
  }
}
