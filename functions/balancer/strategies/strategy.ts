/**
 * What every strategy is: it chooses one origin of those that may be chosen. Which those are (health, ejections, priorities, what
 * was tried already) is the pool's to say; a strategy sees no sockets and no clock, so that tests and simulations run its real code.
 * @module
 */

/** An origin, as strategies see it. */
export interface Candidate {
  readonly name: string
  /** Its share of the requests, beside the other candidates' weights: above 0. It is less while an origin starts slowly. */
  readonly weight: number
  /** Its weight without a slow start: what lays out tables, which should not move all the time. */
  readonly fullWeight: number
  /** Requests of this isolate that it has not finished. */
  readonly outstanding: number
  /** What one more request would cost, in milliseconds, by what it took lately; 0: nothing is known. */
  readonly latencyMs: number
}

export interface Choice {
  /** 32 bits that are the same for the same key; null when the request has none. */
  readonly hash: number | null
  /** Candidates with those that were tried already: what tables are laid out for. */
  readonly all: readonly Candidate[]
}

export interface Strategy {
  /** @param candidates at least one */
  pick<C extends Candidate>(candidates: readonly C[], choice: Choice): C
}

/** Random numbers from 0 up to 1. */
export type Random = () => number

/** One candidate, with a chance of its weight. */
export function drawByWeight<C extends Candidate>(candidates: readonly C[], random: Random): C {
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0)
  let left = random() * total
  for (const candidate of candidates) {
    left -= candidate.weight
    if (left < 0) return candidate
  }
  return candidates.at(-1) as C
}

/** Two different candidates, with chances of their weights; one twice when there is only one. */
export function drawTwo<C extends Candidate>(candidates: readonly C[], random: Random): readonly [C, C] {
  const first = drawByWeight(candidates, random)
  if (candidates.length === 1) return [first, first]
  const others = candidates.filter((candidate) => candidate !== first)
  return [first, drawByWeight(others, random)]
}
