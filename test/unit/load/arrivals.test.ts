import { describe, expect, it } from 'vitest'
import { dueTimes, shareAt } from '../../load/tool/arrivals.ts'
import { seededRandom } from '../../support/seeded-random.ts'

/** Largest distance between the distribution of values and the one that they should have: Kolmogorov and Smirnov. */
function distance(values: readonly number[], share: (value: number) => number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return Math.max(
    ...sorted.map((value, i) =>
      Math.max(Math.abs(share(value) - i / sorted.length), Math.abs(share(value) - (i + 1) / sorted.length)),
    ),
  )
}

const gaps = (times: readonly number[]) => times.slice(1).map((time, i) => time - (times[i] as number))

describe('arrivals', () => {
  it('come by chance as a Poisson process does: distances are exponential, and independent', () => {
    const times = [...dueTimes(100, undefined, 200_000, seededRandom(1))]
    const between = gaps(times)
    expect(Math.abs(times.length / 20_000 - 1)).toBeLessThan(0.03)
    // 1.95 / sqrt(n): what chance exceeds once in a thousand times.
    expect(distance(between, (ms) => 1 - Math.exp(-ms / 10))).toBeLessThan(1.95 / Math.sqrt(between.length))
    const mean = between.reduce((sum, gap) => sum + gap, 0) / between.length
    const product = gaps(between).map(
      (_, i) => ((between[i] as number) - mean) * ((between[i + 1] as number) - mean),
    )
    const variance = between.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / between.length
    expect(Math.abs(product.reduce((sum, of) => sum + of, 0) / product.length / variance)).toBeLessThan(0.03)
  })

  it('come at even distances when that is asked for', () => {
    const times = [...dueTimes(50, undefined, 1000, null)]
    expect(times).toHaveLength(50)
    for (const gap of gaps(times)) expect(gap).toBeCloseTo(20, 9)
    expect(times[0]).toBe(0)
  })

  it('follow a ramp: as many in each second as the rate is on average in it', () => {
    const ramp = [
      { seconds: 10, to: 1 },
      { seconds: 5, to: 1 },
      { seconds: 5, to: 0.2 },
    ]
    const expected = (second: number) =>
      second < 10 ? (second + 0.5) / 10 : second < 15 ? 1 : second < 20 ? 1 - 0.16 * (second - 15 + 0.5) : 0.2
    for (const random of [null, seededRandom(5)]) {
      const times = [...dueTimes(1000, ramp, 25_000, random)]
      expect(times).toEqual([...times].sort((a, b) => a - b))
      for (let second = 0; second < 25; second++) {
        const count = times.filter((ms) => Math.floor(ms / 1000) === second).length
        const wanted = 1000 * expected(second)
        // Even distances are off by one at most; by chance, by five standard deviations at most.
        expect(Math.abs(count - wanted)).toBeLessThan(random === null ? 2 : 5 * Math.sqrt(wanted) + 1)
      }
    }
  })

  it('end with the run, however long the ramp is', () => {
    const times = [...dueTimes(100, [{ seconds: 100, to: 1 }], 5000, null)]
    expect(Math.max(...times)).toBeLessThan(5000)
    // The integral of the rate: 5 % of it after five seconds, half of that on average.
    expect(times.length).toBeGreaterThanOrEqual(12)
    expect(times.length).toBeLessThanOrEqual(13)
  })

  it('know the share of users that are there', () => {
    const ramp = [
      { seconds: 4, to: 1 },
      { seconds: 2, to: 0.5 },
    ]
    expect([0, 1000, 4000, 5000, 6000, 60_000].map((ms) => shareAt(ramp, ms))).toEqual([
      0, 0.25, 1, 0.75, 0.5, 0.5,
    ])
    expect(shareAt(undefined, 0)).toBe(1)
  })
})
