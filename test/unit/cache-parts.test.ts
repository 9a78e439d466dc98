import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type CacheEntry, entryText, parseEntry } from '../../functions/cache/cache-entry.ts'
import type { CacheStore } from '../../functions/cache/cache-store.ts'
import { CircuitBreaker, StoreUnavailable } from '../../functions/cache/circuit-breaker.ts'
import { FirstLevel } from '../../functions/cache/first-level.ts'
import { MemoryStore } from '../../functions/cache/memory-store.ts'
import { readDirectives } from '../../functions/rest/answer/cache-headers.ts'

const entry = (body: string | null): CacheEntry => ({
  answer: { rows: 1, total: 7, body, tag: body === null ? null : 'W/"x"' },
  generations: ['a', 'b'],
  bookmarks: new Map([['DB', '0001']]),
  at: 1,
  until: 2,
  tookMs: 3,
})

describe('an entry as text', () => {
  it.each([
    ['short', '[{"a":"é\\n"}]'],
    ['without a body', null],
    ['long', JSON.stringify(Array.from({ length: 3000 }, (_, id) => ({ id, name: `Track ${id} ü` })))],
  ])('comes back as it was: %s', async (_, body) => {
    expect(await parseEntry(await entryText(entry(body)))).toEqual(entry(body))
  })

  it('takes less room when it is long', async () => {
    const body = JSON.stringify(Array.from({ length: 3000 }, (_, id) => ({ id, name: `Track ${id}` })))
    expect((await entryText(entry(body))).length).toBeLessThan(body.length / 2)
  })

  it('that is none is refused', async () => {
    for (const text of ['', 'nonsense', '{}', '[1,2]', '"x"', 'null'])
      await expect(parseEntry(text)).rejects.toThrow()
  })
})

describe('the first level', () => {
  it('is bounded in bytes, and the least recently used leaves first', () => {
    const first = new FirstLevel(10_000)
    for (const key of ['a', 'b', 'c', 'd']) first.put(key, entry('x'.repeat(1500)), 0)
    expect(first.get('a')).not.toBe(null)
    first.put('e', entry('x'.repeat(1500)), 0)
    expect(['a', 'b', 'c', 'd', 'e'].filter((key) => first.get(key) !== null)).toEqual(['a', 'c', 'd', 'e'])
    expect(first.bytes).toBeLessThanOrEqual(10_000)
    first.put('a', entry('y'), 0)
    first.put('huge', entry('x'.repeat(4000)), 0)
    expect([first.get('huge'), first.get('a')?.entry.answer.body]).toEqual([null, 'y'])
    for (const key of ['a', 'c', 'd', 'e']) first.delete(key)
    expect(first.bytes).toBe(0)
  })
})

describe('a circuit breaker', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('leaves a store alone that fails, probes it, and goes on when it is back', async () => {
    let calls = 0
    let broken = true
    const store = new MemoryStore(5000)
    const flaky = Object.assign(Object.create(store) as CacheStore, {
      read: async (keys: readonly string[]) => {
        calls++
        if (broken) throw new Error('down')
        return store.read(keys)
      },
    })
    const breaker = new CircuitBreaker(flaky)
    const outcome = () =>
      breaker.read(['a']).then(
        () => 'answered',
        (error) => (error instanceof StoreUnavailable ? 'left alone' : 'failed'),
      )
    expect([await outcome(), await outcome(), await outcome()]).toEqual(['failed', 'failed', 'failed'])
    // Of many that come at once, none asks; after a while one does.
    expect(new Set(await Promise.all(Array.from({ length: 100 }, outcome)))).toEqual(new Set(['left alone']))
    expect(calls).toBe(3)
    vi.advanceTimersByTime(600)
    expect(
      (await Promise.all(Array.from({ length: 100 }, outcome))).filter((said) => said === 'failed'),
    ).toHaveLength(1)
    expect(calls).toBe(4)
    // Each probe that fails waits longer for the next, a second and a half at most.
    for (let i = 0; i < 10; i++) {
      vi.advanceTimersByTime(1500)
      await outcome()
    }
    expect(calls).toBe(14)
    broken = false
    vi.advanceTimersByTime(1500)
    expect([await outcome(), await outcome()]).toEqual(['answered', 'answered'])
    broken = true
    expect([await outcome(), await outcome(), await outcome(), await outcome()]).toEqual([
      'failed',
      'failed',
      'failed',
      'left alone',
    ])
  })
})

describe('Cache-Control of a request', () => {
  it.each([
    ['', { noCache: false, noStore: false, maxAgeMs: null, onlyIfCached: false }],
    ['no-cache', { noCache: true, noStore: false, maxAgeMs: null, onlyIfCached: false }],
    ['No-Store, max-age="5"', { noCache: true, noStore: true, maxAgeMs: 5000, onlyIfCached: false }],
    ['max-age=0,only-if-cached', { noCache: false, noStore: false, maxAgeMs: 0, onlyIfCached: true }],
    ['max-age=nonsense', { noCache: false, noStore: false, maxAgeMs: 0, onlyIfCached: false }],
    ['stale-if-error, x', { noCache: false, noStore: false, maxAgeMs: null, onlyIfCached: false }],
  ])('is read: %s', (text, directives) => {
    expect(readDirectives(new Headers(text === '' ? {} : { 'Cache-Control': text }))).toEqual(directives)
  })
})
