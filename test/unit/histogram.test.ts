import { describe, expect, it } from 'vitest'
import { Histogram } from '../../functions/meter/histogram.ts'
import { seededRandom } from '../support/seeded-random.ts'

/** The exact quantile: the smallest value that so many are at most. */
const exact = (values: readonly number[], share: number) =>
  [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length) - 1)] as number

describe('a histogram', () => {
  const random = seededRandom(11)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  it.each([
    ['uniform', () => random() * 100],
    ['exponential', () => -Math.log(1 - random()) * 20],
    ['log-normal', () => Math.exp(normal() * 2)],
    ['heavy-tailed', () => (1 - random()) ** -1.5],
    ['of two peaks', () => (random() < 0.99 ? 5 + random() : 900 + random() * 50)],
    ['constant', () => 7.3],
  ])('has quantiles within 2 %% of the exact ones: %s', (_name, draw) => {
    const values = Array.from({ length: 50_000 }, draw)
    const histogram = new Histogram()
    for (const value of values) histogram.add(value)
    for (const share of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
      const right = exact(values, share)
      expect(Math.abs(histogram.quantile(share) / right - 1), `${share} of ${right}`).toBeLessThan(0.02)
    }
    expect(histogram.count).toBe(50_000)
    expect(histogram.sum).toBeCloseTo(
      values.reduce((sum, value) => sum + value, 0),
      3,
    )
  })

  it('takes what is very small, very large or no number into its ends', () => {
    const histogram = new Histogram()
    for (const value of [0, -5, 1e-9, 1e15, Number.NaN]) histogram.add(value)
    expect([histogram.count, histogram.sum]).toEqual([5, 1e15 + 1e-9])
    expect(new Histogram().quantile(0.5)).toBeNaN()
  })
})
