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

/**
 * The ratio of two quantities that were measured in pairs, one of each round. The logarithms of the rounds' ratios are taken to be
 * normally distributed: what slows this machine for a while slows both, and a ratio is as likely to be half as double.
 *
 * Source: paired t-interval on the log scale; Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time" (ISMM 2013).
 *
 * @param pairs of positive numbers, two pairs at least
 */
export function ratioOf(pairs: readonly (readonly [value: number, base: number])[], level = confidence): Ratio {
  const logs = pairs.map(([value, base]) => Math.log(value / base))
  if (logs.length < 2 || !logs.every(Number.isFinite))
    throw new Error('a ratio needs two rounds at least, of values above 0')
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1)
  const reach = jstat.studentt.inv((1 + level) / 2, logs.length - 1) * Math.sqrt(variance / logs.length)
  return { ratio: Math.exp(mean), low: Math.exp(mean - reach), high: Math.exp(mean + reach) }
}

export type Verdict = 'more' | 'less' | 'same'

/** Told apart only if the interval leaves 1 out, and the difference is one that counts. */
export function verdictOf({ ratio, low, high }: Ratio, least = smallestDifference): Verdict {
  if (low > 1 && ratio >= 1 + least) return 'more'
  if (high < 1 && ratio <= 1 / (1 + least)) return 'less'
  return 'same'
}
