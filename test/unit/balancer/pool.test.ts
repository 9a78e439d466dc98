import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Breaker } from '../../../functions/balancer/breaker.ts'
import { nextHealth } from '../../../functions/balancer/check-origin.ts'
import type { PoolDeclaration } from '../../../functions/balancer/declarations.ts'
import type { Origin, OriginOrders } from '../../../functions/balancer/origin.ts'
import { Pool } from '../../../functions/balancer/pool.ts'
import { seededRandom } from '../../support/seeded-random.ts'

let now = 1_000_000
beforeEach(() => {
  now = 1_000_000
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
})

function poolOf(
  names: string,
  declared: Partial<PoolDeclaration> = {},
  priorities: Record<string, number> = {},
) {
  const targets = [...names].map((name) => ({
    name,
    url: new URL(`http://${name}.test`),
    weight: 1,
    priority: priorities[name] ?? 0,
    headers: {},
  }))
  const declaration = { origins: {}, strategy: 'round-robin' as const, slowStartSeconds: 0, ...declared }
  return new Pool('p', declaration, targets, { now: () => now, random: seededRandom(5) })
}

const nobody = { hash: null, sticky: null, tried: new Set<string>() }
const pick = (pool: Pool, rest = {}) => pool.pick({ ...nobody, ...rest })?.name ?? null
const spread = (pool: Pool, requests = 1200, rest = {}) => {
  const counts: Record<string, number> = {}
  for (let i = 0; i < requests; i++) {
    const name = pick(pool, rest) ?? 'nobody'
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
const of = (pool: Pool, name: string) => pool.origins.find((origin) => origin.name === name) as Origin
const well: OriginOrders = { weight: null, mode: 'active', isHealthy: true }

describe('a pool', () => {
  it('leaves an origin alone that gave no answer twice in a row, for longer each time', () => {
    const pool = poolOf('abc')
    for (const [times, seconds] of [
      [1, 10],
      [2, 20],
      [3, 30],
    ] as const) {
      pool.note(of(pool, 'a'), 'lost', 'lost', 1)
      expect(spread(pool).a).toBeGreaterThan(0)
      pool.note(of(pool, 'a'), 'lost', 'lost', 1)
      expect(spread(pool).a).toBeUndefined()
      expect(of(pool, 'a').outlier.last).toMatchObject({ times, until: now + seconds * 1000 })
      now += seconds * 1000 - 1
      expect(spread(pool).a).toBeUndefined()
      now += 1
      expect(spread(pool).a).toBeGreaterThan(0)
    }
  })

  it('ejects after failures in a row, and after too large a share of failures, but not for a few', () => {
    const pool = poolOf('ab')
    for (let i = 0; i < 4; i++) pool.note(of(pool, 'a'), 'failed', '5xx', 1)
    pool.note(of(pool, 'a'), 'answered', '2xx', 1)
    expect(spread(pool).a).toBeGreaterThan(0)
    const other = poolOf('ab')
    for (let i = 0; i < 9; i++) other.note(of(other, 'a'), i % 2 ? 'answered' : 'failed', 'x', 1)
    expect(spread(other).a).toBeGreaterThan(0)
    other.note(of(other, 'a'), 'answered', '2xx', 1)
    other.note(of(other, 'a'), 'failed', '5xx', 1)
    expect(spread(other).a).toBeUndefined()
    const third = poolOf('ab')
    for (let i = 0; i < 5; i++) third.note(of(third, 'a'), 'failed', '5xx', 1)
    expect(spread(third).a).toBeUndefined()
  })

  it('forgives an origin that stays well', () => {
    const pool = poolOf('ab')
    for (let i = 0; i < 2; i++) pool.note(of(pool, 'a'), 'lost', 'lost', 1)
    now += 10_000
    for (let i = 0; i < 30; i++) {
      now += 1000
      pool.note(of(pool, 'a'), 'answered', '2xx', 1)
    }
    expect(of(pool, 'a').outlier.last.times).toBe(0)
  })

  it('ejects no more than a share of its origins, and always one', () => {
    const lose = (pool: Pool) => {
      for (const origin of pool.origins) for (let i = 0; i < 2; i++) pool.note(origin, 'lost', 'lost', 1)
      return pool.origins.filter(({ outlier }) => outlier.isEjected(now)).length
    }
    expect(lose(poolOf('abcd'))).toBe(2)
    expect(lose(poolOf('abcd', { ejection: { maxShare: 0.25 } }))).toBe(1)
    expect(lose(poolOf('abcd', { ejection: { maxShare: 0.1 } }))).toBe(1)
    expect(lose(poolOf('abcd', { ejection: { maxShare: 1 } }))).toBe(4)
    expect(lose(poolOf('abcd', { ejection: null }))).toBe(0)
  })

  it('tries everybody when less than half is well, and says so', () => {
    const pool = poolOf('abcd', { ejection: { maxShare: 1 } })
    for (const name of 'abc') for (let i = 0; i < 2; i++) pool.note(of(pool, name), 'lost', 'lost', 1)
    expect(Object.keys(spread(pool)).sort()).toEqual(['a', 'b', 'c', 'd'])
    expect(pool.isPanic).toBe(true)
    now += 10_000
    spread(pool)
    expect(pool.isPanic).toBe(false)
  })

  it('starts an origin slowly that is back', () => {
    const pool = poolOf('ab', { slowStartSeconds: 10 })
    for (let i = 0; i < 2; i++) pool.note(of(pool, 'a'), 'lost', 'lost', 1)
    spread(pool)
    now += 10_000
    const share = () => (spread(pool, 2200).a ?? 0) / 2200
    expect(share()).toBeCloseTo(0.1 / 1.1, 2)
    now += 5000
    expect(share()).toBeCloseTo(0.5 / 1.5, 2)
    now += 5000
    expect(share()).toBeCloseTo(0.5, 2)
  })

  it('follows orders: weights, draining, disabling, and what checks say', () => {
    const pool = poolOf('abc')
    pool.apply({ a: { ...well, weight: 2 }, b: well, c: well })
    expect(spread(pool)).toEqual({ a: 600, b: 300, c: 300 })
    pool.apply({ a: { ...well, weight: 0 }, b: { ...well, mode: 'draining' }, c: well })
    expect(spread(pool)).toEqual({ c: 1200 })
    expect(pick(pool, { sticky: 'b' })).toBe('b')
    pool.apply({ a: { ...well, mode: 'disabled' }, b: { ...well, isHealthy: false }, c: well })
    expect(spread(pool)).toEqual({ c: 1200 })
    expect(pick(pool, { sticky: 'a' })).toBe('c')
    expect(pick(pool, { sticky: 'b' })).toBe('c')
    pool.apply({
      a: { ...well, mode: 'disabled' },
      b: { ...well, mode: 'draining' },
      c: { ...well, mode: 'disabled' },
    })
    expect(pick(pool)).toBeNull()
    pool.apply({})
    expect(Object.keys(spread(pool)).sort()).toEqual(['a', 'b', 'c'])
  })

  it('takes an origin back when checks have seen it rise, ejected or not', () => {
    const pool = poolOf('ab')
    for (let i = 0; i < 2; i++) pool.note(of(pool, 'a'), 'lost', 'lost', 1)
    pool.apply({ a: { ...well, isHealthy: false }, b: well })
    pool.apply({ a: well, b: well })
    expect(spread(pool).a).toBe(600)
  })

  it('offers origins that a request has not tried, of other priorities too', () => {
    const pool = poolOf('abc', {}, { c: 1 })
    expect(spread(pool)).toEqual({ a: 600, b: 600 })
    expect(pick(pool, { tried: new Set(['a']) })).toBe('b')
    expect(pick(pool, { tried: new Set(['a', 'b']) })).toBe('c')
    expect(pick(pool, { tried: new Set(['a', 'b', 'c']) })).toBeNull()
  })

  it('counts a request as outstanding until it is over, or its time is', () => {
    const pool = poolOf('ab')
    const over = of(pool, 'a').begin(now, now + 1000)
    of(pool, 'a').begin(now, now + 500)
    expect([of(pool, 'a').outstanding, pool.outstanding]).toEqual([2, 2])
    over()
    over()
    expect(pool.outstanding).toBe(1)
    now += 500
    pick(pool)
    expect(pool.outstanding).toBe(0)
  })
})

describe('a breaker', () => {
  const fail = (breaker: Breaker, n: number, at: number) => {
    for (let i = 0; i < n; i++) breaker.note(true, at)
  }

  it('opens when nearly everything fails, and lets one through at a time to see', () => {
    const breaker = new Breaker(0.8)
    fail(breaker, 19, 0)
    expect(breaker.ask(0)).toBe(0)
    fail(breaker, 1, 0)
    expect(breaker.ask(0)).toBe(1000)
    expect(breaker.ask(1000)).toBe(0)
    expect(breaker.ask(1000)).toBe(1000)
    breaker.note(false, 1001)
    expect([breaker.ask(1001), breaker.state]).toEqual([0, 'closed'])
  })

  it('waits longer each time that the probe fails', () => {
    const breaker = new Breaker(0.8)
    fail(breaker, 20, 0)
    let at = 0
    const pauses = [1, 2, 3, 4, 5, 6, 7].map(() => {
      const pause = breaker.ask(at)
      at += pause
      expect(breaker.ask(at)).toBe(0)
      breaker.note(true, at)
      return pause
    })
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  })

  it('does not open for few failures among many requests', () => {
    const breaker = new Breaker(0.8)
    for (let i = 0; i < 1000; i++) breaker.note(i % 3 === 0, i)
    expect(breaker.state).toBe('closed')
    fail(breaker, 5000, 5)
    expect(breaker.state).toBe('open')
    expect(new Breaker(Number.POSITIVE_INFINITY).ask(0)).toBe(0)
  })
})

describe('checks', () => {
  const check = { path: '/', rise: 2, fall: 3 }
  const play = (...problems: (string | null)[]) => {
    let health: ReturnType<typeof nextHealth> | undefined
    return problems.map((problem) => {
      health = nextHealth(health, problem, check, 0)
      return health.isHealthy
    })
  }

  it('make an origin ill after so many failures in a row, and well after so many successes', () => {
    expect(play(null, 'x', 'x', null, 'x', 'x', 'x', null, 'x', null, null)).toEqual([
      true,
      true,
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      true,
    ])
  })

  it('believe the first one', () => {
    expect(play('x', null, null)).toEqual([false, false, true])
  })
})
