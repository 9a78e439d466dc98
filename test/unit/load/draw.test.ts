import jstat from 'jstat'
import { describe, expect, it } from 'vitest'
import { createDraw, thinkMs, zipfSampler } from '../../load/tool/draw.ts'
import { seededRandom } from '../../support/seeded-random.ts'

/** Probability of a difference at least as large, if the counts came from the distribution. */
function chiSquareOf(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, n) => sum + n, 0)
  const value = counts.reduce((sum, n, i) => {
    const expected = total * (shares[i] as number)
    return sum + (n - expected) ** 2 / expected
  }, 0)
  return 1 - jstat.chisquare.cdf(value, counts.length - 1)
}

function add(counts: number[], rank: number): void {
  counts[rank - 1] = (counts[rank - 1] ?? 0) + 1
}

function zipfShares(count: number, exponent: number): number[] {
  const weights = Array.from({ length: count }, (_, i) => 1 / (i + 1) ** exponent)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
}

describe('keys by Zipf', () => {
  it.each([
    [2, 0.99],
    [50, 0.99],
    [200, 1],
    [200, 1.3],
    [1000, 0.5],
  ])('are distributed as the law says, of %i with exponent %f', (count, exponent) => {
    const random = seededRandom(7)
    const sample = zipfSampler(count, exponent)
    const counts = Array.from({ length: count }, () => 0)
    for (let i = 0; i < 200_000; i++) {
      add(counts, sample(random))
    }
    expect(chiSquareOf(counts, zipfShares(count, exponent))).toBeGreaterThan(0.001)
  })

  it('would be told from a law of another exponent', () => {
    const random = seededRandom(7)
    const sample = zipfSampler(50, 0.99)
    const counts = Array.from({ length: 50 }, () => 0)
    for (let i = 0; i < 200_000; i++) add(counts, sample(random))
    expect(chiSquareOf(counts, zipfShares(50, 1.05))).toBeLessThan(1e-6)
  })

  it('are distributed so when each visitor draws one, from a seed of their own', () => {
    const counts = Array.from({ length: 20 }, () => 0)
    for (let visitor = 0; visitor < 100_000; visitor++) {
      const random = seededRandom(Math.imul(2, 0x9e37_79b1) ^ Math.imul(visitor + 1, 0x85eb_ca6b))
      add(counts, createDraw(random, () => 1).zipf(20))
    }
    expect(chiSquareOf(counts, zipfShares(20, 0.99))).toBeGreaterThan(0.001)
  })

  it('reach from the first to the last of ten million, and refuse nonsense', () => {
    const random = seededRandom(3)
    const sample = zipfSampler(10_000_000, 0.99)
    const ranks = Array.from({ length: 20_000 }, () => sample(random))
    expect(Math.min(...ranks)).toBe(1)
    expect(Math.max(...ranks)).toBeGreaterThan(5_000_000)
    expect(Math.max(...ranks)).toBeLessThanOrEqual(10_000_000)
    expect(() => zipfSampler(0, 1)).toThrow('zipf(0, 1)')
    expect(() => zipfSampler(10, 0)).toThrow('exponent above 0')
  })
})

describe('the time that visitors think', () => {
  it('has the mean that was asked for', () => {
    const random = seededRandom(11)
    const mean = (think: Parameters<typeof thinkMs>[0]) => {
      let sum = 0
      for (let i = 0; i < 50_000; i++) sum += thinkMs(think, random)
      return sum / 50_000
    }
    expect(mean(undefined)).toBe(0)
    expect(mean(40)).toBe(40)
    expect(mean({ fromMs: 10, toMs: 30 })).toBeCloseTo(20, 0)
    expect(Math.abs(mean({ meanMs: 100 }) / 100 - 1)).toBeLessThan(0.02)
  })
})
