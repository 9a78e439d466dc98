/**
 * What can be said of two servers that were measured in turn.
 * @module
 */
import jstat from 'jstat'

/** A ratio with the interval that holds the true one, by the confidence that was asked for. */
export interface Ratio {
  readonly ratio: number
  readonly low: number
  readonly high: number
}

/** How sure a verdict is, and how small a difference counts. */
export const confidence = 0.99
export const smallestDifference = 0.03

/** From so many rounds on, ranks say enough for 99 %. */
const leastRanked = 8

/**
 * The ratio of two quantities that were measured in pairs, one of each round: what slows this machine for a while slows both. From
 * eight rounds on by ranks (Hodges and Lehmann's estimate, Wilcoxon's signed-rank interval), which a few rounds that went wrong do not
 * move; for fewer by Student's t on the logarithms.
 *
 * Source: Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 3.2 and 3.3; Kalibera and Jones, "Rigorous Benchmarking in
 * Reasonable Time" (ISMM 2013) for measuring in rounds.
 *
 * @param pairs of positive numbers, two pairs at least
 */
export function ratioOf(
  pairs: readonly (readonly [value: number, base: number])[],
  level = confidence,
): Ratio {
  const logs = pairs.map(([value, base]) => Math.log(value / base))
  if (logs.length < 2 || !logs.every(Number.isFinite))
    throw new Error('a ratio needs two rounds at least, of values above 0')
  const { middle, low, high } = logs.length < leastRanked ? byStudent(logs, level) : byRanks(logs, level)
  return { ratio: Math.exp(middle), low: Math.exp(low), high: Math.exp(high) }
}

interface Interval {
  readonly middle: number
  readonly low: number
  readonly high: number
}

function byStudent(values: readonly number[], level: number): Interval {
  const middle = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1)
  const reach = jstat.studentt.inv((1 + level) / 2, values.length - 1) * Math.sqrt(variance / values.length)
  return { middle, low: middle - reach, high: middle + reach }
}

function byRanks(values: readonly number[], level: number): Interval {
  const means = values.flatMap((a, i) => values.slice(i).map((b) => (a + b) / 2)).sort((a, b) => a - b)
  const left = leftOut(values.length, (1 - level) / 2)
  const at = (i: number) => means[i] as number
  return {
    middle: (at((means.length - 1) >> 1) + at(means.length >> 1)) / 2,
    low: at(left),
    high: at(means.length - 1 - left),
  }
}

/** How many of the pairs' means are left out at each end: the largest k with P(rank sum <= k) at most the share, exactly. */
function leftOut(count: number, share: number): number {
  // How many sets of ranks have each sum: each rank is in or out.
  const most = (count * (count + 1)) / 2
  const sets = new Float64Array(most + 1)
  sets[0] = 1
  for (let rank = 1; rank <= count; rank++)
    for (let sum = most; sum >= rank; sum--) sets[sum] = (sets[sum] as number) + (sets[sum - rank] as number)
  let below = 0
  for (let k = 0; k <= most; k++) {
    below += (sets[k] as number) / 2 ** count
    if (below > share) return Math.max(0, k - 1)
  }
  return 0
}

export type Verdict = 'more' | 'less' | 'same'

/** Told apart only if the interval leaves 1 out, and the difference is one that counts. */
export function verdictOf({ ratio, low, high }: Ratio, least = smallestDifference): Verdict {
  if (low > 1 && ratio >= 1 + least) return 'more'
  if (high < 1 && ratio <= 1 / (1 + least)) return 'less'
  return 'same'
}

/** Of an even number, the upper of the two in the middle. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
