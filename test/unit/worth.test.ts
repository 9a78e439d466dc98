import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CacheQuery } from '../../functions/cache/cache-query.ts'
import { Worth } from '../../functions/cache/worth.ts'
import { seededRandom } from '../support/seeded-random.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

const query = (key: string, shape = 's') => ({ key, shape, ttlMs: 60_000 }) as CacheQuery

/**
 * Reads of random keys, of which each is cached until something is written.
 *
 * @returns the share of reads, of the last half, that went through the cache
 */
function play(
  worth: Worth,
  keys: number,
  writes: number,
  reads: number,
  shape = 's',
  isHidden = false,
): number {
  const random = seededRandom(keys)
  /** By key: whether what is kept is current. */
  const kept = new Map<string, boolean>()
  let [writtenAt, cached] = [0, 0]
  for (let i = 0; i < reads; i++) {
    vi.advanceTimersByTime(1)
    if (random() < writes) {
      for (const key of kept.keys()) kept.set(key, false)
      // What others write is not known here.
      if (!isHidden) writtenAt = Date.now()
      continue
    }
    const one = query(`${shape} ${Math.floor(random() * keys)}`, shape)
    if (!worth.isWorth(one, writtenAt)) continue
    if (i >= reads / 2) cached++
    const isCurrent = kept.get(one.key)
    worth.note(one, isCurrent ? 'hit' : isCurrent === false ? 'stale' : 'miss', writtenAt)
    kept.set(one.key, true)
  }
  return cached / (reads / 2)
}

describe('a shape of requests', () => {
  it('goes through the cache while that pays', () => {
    expect(play(new Worth(false), 10, 0.01, 4000)).toBeGreaterThan(0.8)
    expect(play(new Worth(true), 100, 0.001, 4000)).toBeGreaterThan(0.9)
  })

  it.each([
    ['nobody asks again', 1_000_000, 0],
    ['all is written again before', 50, 0.3],
  ])('goes by it when %s', (_, keys, writes) => {
    expect(play(new Worth(false), keys, writes, 20_000)).toBeLessThan(0.03)
  })

  it('comes back when it pays again, and says nothing of others', () => {
    const worth = new Worth(false)
    expect(play(worth, 1_000_000, 0, 4000)).toBeLessThan(0.1)
    expect(play(worth, 10, 0, 1000, 'other')).toBe(1)
    expect(play(worth, 10, 0, 6000)).toBeGreaterThan(0.9)
  })

  it('fills a cache of many keys that are asked often enough', () => {
    expect(play(new Worth(false), 3000, 0, 60_000)).toBeGreaterThan(0.9)
  })

  it('is tried ever more seldom when others write what it is made from', () => {
    expect(play(new Worth(false), 5, 0.6, 200_000, 's', true)).toBeLessThan(0.03)
  })

  it('costs little where asking costs none, and still is judged', () => {
    expect(play(new Worth(true), 1_000_000, 0, 20_000)).toBeLessThan(0.03)
    expect(play(new Worth(true), 10, 0.05, 20_000)).toBeGreaterThan(0.9)
  })
})

it('an answer that is too large is not looked for, for a while', () => {
  const worth = new Worth(false)
  worth.tooLarge(query('k'))
  expect([worth.isWorth(query('k'), 0), worth.isWorth(query('other'), 0)]).toEqual([false, true])
  vi.advanceTimersByTime(60_001)
  expect(worth.isWorth(query('k'), 0)).toBe(true)
})
