import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { bookFile, bookOf, readFigures } from '../../load/scale-book.ts'
import { capacityOf, costOf, fit, modelOf } from '../../load/scale-model.ts'

describe('the scale book', () => {
  it('says what its figures, its model and its prices say', () => {
    expect(readFileSync(bookFile, 'utf8')).toBe(bookOf(readFigures()))
  })

  it('fits lines as least squares does', () => {
    const line = fit([
      [1, 3],
      [2, 5],
      [3, 7],
      [10, 21],
    ])
    expect(line.slope).toBeCloseTo(2, 9)
    expect(line.intercept).toBeCloseTo(1, 9)
    expect(line.r2).toBeCloseTo(1, 9)
    // By hand: means 2 and 2, slope 3 / 2, rest 1.5 of 6.
    const rough = fit([
      [1, 1],
      [2, 0],
      [3, 4],
    ])
    expect(rough.slope).toBeCloseTo(1.5, 9)
    expect(rough.r2).toBeCloseTo(4.5 / (26 / 3), 9)
  })

  it('fits shares where values span powers of ten', () => {
    const points = [
      [1, 10],
      [10, 28],
      [100_000, 210_000],
    ] as const
    const line = fit(points, true)
    expect(Math.abs(line.intercept - 8)).toBeLessThan(0.5)
    expect(line.slope).toBeGreaterThan(2)
    expect(line.slope).toBeLessThan(2.1)
    // The largest value alone says where the other line goes.
    expect(fit(points).slope).toBeCloseTo(2.1, 3)
  })

  it('has capacities that follow from what a thread can do', () => {
    const one = capacityOf({ databases: 1, hits: 0, everywhere: 0 })
    // 0.95 reads of 1.3 ms and 0.05 writes of 5 ms, of 600 ms a second.
    expect(one).toBeCloseTo(600 / (0.95 * 1.3 + 0.25), 6)
    expect(capacityOf({ databases: 1000, hits: 0, everywhere: 0 })).toBeCloseTo(1000 * one, 3)
    const spread = (databases: number) => capacityOf({ databases, hits: 0.8, everywhere: 0.1 })
    expect(spread(10_000)).toBeLessThan(600 / (0.95 * 0.1 * 2))
    expect(spread(10_000)).toBeGreaterThan(0.95 * spread(1_000_000))
  })

  it('costs what a bill would say', () => {
    const model = modelOf(readFigures())
    const deployment = { databases: 1, hits: 0, everywhere: 0 }
    const costs = Object.fromEntries(
      costOf(deployment, 300, 10, model).map(({ item, dollars }) => [item, dollars]),
    )
    const requests = 100 * 2_629_800
    expect(costs['Workers, requests']).toBeCloseTo(5 + (requests / 1e6) * 0.3, 6)
    expect(costs['D1, storage']).toBeCloseTo(7.5, 9)
    expect(costs['D1, rows read']).toBeCloseTo(((requests * 0.95 * (0.3 * 50 + 0.7)) / 1e6) * 0.001, 9)
    expect(costs.Upstash).toBe(0)
  })
})
