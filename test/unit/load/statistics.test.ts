import { describe, expect, it } from 'vitest'
import { Histogram } from '../../../functions/meter/histogram.ts'
import { addShare, omitted, Recorder } from '../../load/tool/recorder.ts'
import { ratioOf, verdictOf } from '../../load/tool/statistics.ts'
import { seededRandom } from '../../support/seeded-random.ts'

/** Box and Muller's. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Rounds of two servers on a machine that is slower at some times than at others, for both. */
function rounds(ratio: number, noise: number, count: number, random: () => number): [number, number][] {
  return Array.from({ length: count }, () => {
    const machine = Math.exp(0.3 * normal(random))
    return [ratio * machine * Math.exp(noise * normal(random)), machine * Math.exp(noise * normal(random))]
  })
}

describe('the ratio of two servers', () => {
  it('has the interval that a table of the t distribution gives', () => {
    const pairs = [0.1, 0.2, 0.3].map((log) => [Math.exp(log), 1] as const)
    const { ratio, low, high } = ratioOf(pairs, 0.95)
    const reach = (4.302653 * 0.1) / Math.sqrt(3)
    expect(Math.log(ratio)).toBeCloseTo(0.2, 9)
    expect(Math.log(low)).toBeCloseTo(0.2 - reach, 5)
    expect(Math.log(high)).toBeCloseTo(0.2 + reach, 5)
  })

  it.each([
    [1, 5],
    [1.1, 12],
    [3, 20],
  ])(
    'lies in its interval of 99 %% in 99 of 100 comparisons, when it is %f, in %i rounds',
    (truth, count) => {
      const random = seededRandom(2)
      const trials = 4000
      let held = 0
      for (let i = 0; i < trials; i++) {
        const { low, high } = ratioOf(rounds(truth, 0.05, count, random))
        if (low <= truth && truth <= high) held++
      }
      expect(held / trials).toBeGreaterThan(0.983)
      expect(held / trials).toBeLessThan(0.997)
    },
  )

  it("has the ranks' interval of the textbooks", () => {
    // Of twelve, Wilcoxon's table leaves out rank sums up to 7 for 99 %: the eighth smallest and largest of the means.
    const logs = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048].map((n) => n / 1000)
    const means = logs.flatMap((a, i) => logs.slice(i).map((b) => (a + b) / 2)).sort((a, b) => a - b)
    const { low, high } = ratioOf(logs.map((log) => [Math.exp(log), 1] as const))
    expect(Math.log(low)).toBeCloseTo(means[7] as number, 9)
    expect(Math.log(high)).toBeCloseTo(means.at(-8) as number, 9)
  })

  it('is not moved by a round in which the machine did something else', () => {
    const random = seededRandom(9)
    const pairs = rounds(1.1, 0.01, 12, random)
    pairs[3] = [50, 1]
    pairs[8] = [1, 20]
    const ratio = ratioOf(pairs)
    expect(ratio.ratio).toBeGreaterThan(1.08)
    expect(ratio.ratio).toBeLessThan(1.12)
  })

  it('does not tell two equal servers apart, but once in a hundred times at most', () => {
    for (const noise of [0.005, 0.03, 0.2]) {
      const random = seededRandom(3)
      let told = 0
      for (let i = 0; i < 3000; i++) if (verdictOf(ratioOf(rounds(1, noise, 12, random))) !== 'same') told++
      expect(told / 3000).toBeLessThan(0.015)
    }
  })

  it('finds a tenth more, unless the noise is as large', () => {
    const random = seededRandom(4)
    const found = (noise: number) => {
      let more = 0
      for (let i = 0; i < 1000; i++) if (verdictOf(ratioOf(rounds(1.1, noise, 12, random))) === 'more') more++
      return more / 1000
    }
    expect(found(0.02)).toBeGreaterThan(0.98)
    expect(found(0.2)).toBeLessThan(0.2)
  })

  it('finds a tenth less, and passes over what is too small to count', () => {
    const random = seededRandom(5)
    expect(verdictOf(ratioOf(rounds(0.9, 0.01, 12, random)))).toBe('less')
    expect(verdictOf({ ratio: 1.01, low: 1.005, high: 1.015 })).toBe('same')
  })

  it('wants two rounds of numbers above 0', () => {
    expect(() => ratioOf([[1, 1]])).toThrow('two rounds')
    expect(() =>
      ratioOf([
        [0, 1],
        [1, 1],
      ]),
    ).toThrow('above 0')
  })
})

describe('recorded latencies', () => {
  const distributions: Record<string, (random: () => number) => number> = {
    exponential: (random) => -Math.log(1 - random()) * 20,
    'log-normal': (random) => Math.exp(2 + 1.2 * normal(random)),
    uniform: (random) => 5 + 90 * random(),
    'of two kinds': (random) => (random() < 0.99 ? 2 + random() : 500 + 100 * random()),
    constant: () => 7.5,
  }

  it.each(Object.entries(distributions))(
    'have the quantiles of their distribution, %s, within 2 %%',
    (_, draw) => {
      const random = seededRandom(6)
      const recorder = new Recorder()
      const values = Array.from({ length: 50_000 }, () => draw(random))
      for (const value of values) recorder.add(value, value, 0, false, null)
      const sorted = values.sort((a, b) => a - b)
      const exact = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] as number
      const { p50, p90, p99, p999, max, mean } = recorder.measured().latency
      for (const [found, share] of [
        [p50, 0.5],
        [p90, 0.9],
        [p99, 0.99],
        [p999, 0.999],
      ] as const)
        expect(Math.abs(found / exact(share) - 1)).toBeLessThan(0.02)
      expect(max).toBe(sorted.at(-1))
      expect(mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 6)
    },
  )

  it('count what fails, by kind, and what could not be sent', () => {
    const recorder = new Recorder()
    recorder.add(1, 1, 100, true, null)
    recorder.add(2, 2, 50, false, 'status 500')
    recorder.addUnsent('not sent: too many under way')
    recorder.addUnsent('not sent: too many under way')
    const { requests, failed, bytes, cacheHits, errors } = recorder.measured()
    expect({ requests, failed, bytes, cacheHits }).toEqual({
      requests: 4,
      failed: 3,
      bytes: 150,
      cacheHits: 1,
    })
    expect(errors).toEqual({ 'not sent: too many under way': 2, 'status 500': 1 })
  })
})

describe('what a closed run did not ask', () => {
  it('is added as HdrHistogram adds it: a hundred seconds of 1 ms each, then a hundred of nothing', () => {
    const measured = new Histogram()
    measured.add(1, 10_000)
    measured.add(100_000)
    expect(measured.quantile(0.9999)).toBeLessThan(1.1)
    addShare(measured, omitted(measured, 10), 1)
    // Gil Tene's example: 10,000 answers of 1 ms, and 10,000 that a user every 10 ms would have had, of up to 100 s.
    expect(measured.count).toBeGreaterThan(19_700)
    expect(measured.count).toBeLessThan(20_300)
    expect(measured.quantile(0.5)).toBeLessThan(1100)
    expect(Math.abs(measured.quantile(0.75) / 50_000 - 1)).toBeLessThan(0.03)
    expect(Math.abs(measured.quantile(0.99) / 98_000 - 1)).toBeLessThan(0.03)
  })

  it('is nothing where nothing stalled', () => {
    const measured = new Histogram()
    measured.add(9, 500)
    measured.add(11, 500)
    expect(omitted(measured, 10).count).toBe(0)
    expect(omitted(measured, 0).count).toBe(0)
  })

  it('is shared among steps without a count being lost', () => {
    const added = new Histogram()
    for (const value of [10, 20, 40, 80, 160, 320]) added.add(value, 7)
    const parts = [0.25, 0.75].map((share) => {
      const part = new Histogram()
      addShare(part, added, share)
      return part.count
    })
    expect(parts.reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(41)
    expect(parts[1]).toBeGreaterThan(30)
  })
})
