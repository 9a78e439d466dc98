import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadCache, mutants } from './mutants.ts'
import { type CacheCode, type SimulationOptions, simulate } from './simulation.ts'

vi.setConfig({ testTimeout: 600_000 })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  // The platform's digest takes real time, which is none of this world's.
  vi.spyOn(crypto.subtle, 'digest').mockImplementation(async (_, data) => {
    const { buffer } = new Uint8Array(
      createHash('sha256')
        .update(data as Uint8Array)
        .digest(),
    )
    return buffer
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

async function play(code: CacheCode, options: SimulationOptions) {
  let done = false
  const result = simulate(code, options).finally(() => {
    done = true
  })
  while (!done) await vi.advanceTimersByTimeAsync(1000)
  return result
}

const seeds = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)
const histories = Number(process.env.ATOLL_HISTORIES ?? 8)
const isLong = process.env.ATOLL_HISTORIES !== undefined

describe('the cache, over many histories of delays and faults', () => {
  it.each([
    [0, 0],
    [500, 0],
    [0, 300],
  ])('keeps its promises, with %i ms that tables allow and leases of %i ms', async (maxStaleMs, leaseMs) => {
    const code = await loadCache(null)
    const sums = { reads: 0, hits: 0, fromReplica: 0, stale: 0, failures: 0 }
    for (const seed of seeds(1, histories)) {
      const { violations, ...counts } = await play(code, { seed, operations: 1500, maxStaleMs, leaseMs })
      expect({ seed, violations }).toEqual({ seed, violations: [] })
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += counts[name]
    }
    // A history in which nothing was cached, nothing lagged and nothing failed would show nothing.
    // Others wait for a lease, and one that is lost holds up nobody for long.
    const { violations } = await play(code, { seed: 1, operations: 1500, maxStaleMs, leaseMs, pauseMs: 20 })
    expect(violations).toEqual([])
    for (const seed of seeds(1, Math.ceil(histories / 2))) {
      const judging = await play(code, { seed, operations: 1500, maxStaleMs, judges: true })
      expect({ seed, violations: judging.violations }).toEqual({ seed, violations: [] })
      const local = await play(code, { seed, operations: 1500, maxStaleMs, isLocal: true })
      expect({ seed, violations: local.violations }).toEqual({ seed, violations: [] })
      expect(local.hits / local.reads).toBeGreaterThan(0.2)
    }
    expect(sums.hits / sums.reads).toBeGreaterThan(0.2)
    expect(sums.fromReplica).toBeGreaterThan(histories * 10)
    expect(sums.failures).toBeGreaterThan(histories * 10)
    if (maxStaleMs > 0) expect(sums.stale).toBeGreaterThan(0)
  })

  it('plays the same history for the same seed', async () => {
    const code = await loadCache(null)
    const one = await play(code, { seed: 7, operations: 400 })
    expect(await play(code, { seed: 7, operations: 400 })).toEqual(one)
    expect(await play(code, { seed: 8, operations: 400 })).not.toEqual(one)
  })
})

describe('a cache that', () => {
  const caught = async (code: CacheCode, options: Partial<Omit<SimulationOptions, 'seed'>> = {}) => {
    for (const seed of seeds(1, 40)) {
      const { violations } = await play(code, { seed, operations: 1500, ...options })
      if (violations.length > 0) return violations
    }
    return []
  }

  it.each(mutants.filter(({ isRare }) => isLong || !isRare))('$name is caught', async (mutant) => {
    const code = await loadCache(mutant)
    const options = {
      leaseMs: mutant.leaseMs ?? 0,
      ...(mutant.faults && { faults: mutant.faults }),
      ...(mutant.isLocal && { isLocal: mutant.isLocal }),
      ...(mutant.judges && { judges: mutant.judges }),
    }
    const found = await caught(code, options)
    expect(found.length > 0 ? found : await caught(code, { ...options, maxStaleMs: 500 })).not.toEqual([])
  })

  it('lets a late writer forget what an early one knew is caught', async () => {
    expect(
      await caught(await loadCache(null), { forgetsBookmarks: true, faults: [], operations: 5000 }),
    ).not.toEqual([])
  })

  it('gives back leases that are not its own is caught', async () => {
    expect(await caught(await loadCache(null), { ignoresTokens: true, pauseMs: 20 })).toEqual(
      expect.arrayContaining([expect.stringContaining('two leases')]),
    )
  })
})
