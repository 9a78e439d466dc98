import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CacheDirectives, Filled } from '../../functions/cache/cache-query.ts'
import { ConsistentCache } from '../../functions/cache/consistent-cache.ts'
import { FirstLevel } from '../../functions/cache/first-level.ts'
import { makeGeneration } from '../../functions/cache/generation.ts'
import { MemoryStore } from '../../functions/cache/memory-store.ts'

const none: CacheDirectives = { noCache: false, noStore: false, maxAgeMs: null, onlyIfCached: false }

/** A cache over a store in memory, and a database that counts its reads. */
function world(tookMs = 0) {
  const store = new MemoryStore(1_000_000)
  const cache = new ConsistentCache(store, new FirstLevel(100_000), {
    prefix: 'p',
    maxEntryLength: 50,
    leaseMs: 100,
    judges: true,
  })
  const later: Promise<unknown>[] = []
  let reads = 0
  let body = 'one'
  const read = async (): Promise<Filled> => {
    reads++
    const answer = { rows: 1, total: null, body, tag: 'x' }
    if (tookMs > 0) await new Promise((done) => setTimeout(done, tookMs))
    return { answer, bookmarks: new Map([['DB', '5']]), whole: true }
  }
  return {
    ask: async (directives = none, maxStaleMs = 0, seen = new Map<string, string>()) => {
      const query = {
        key: 'k',
        shape: 's',
        tags: ['t@DB'],
        ttlMs: 10_000,
        maxStaleMs,
        seen,
        who: null,
        directives,
        later: (work: Promise<unknown>) => void later.push(work),
      }
      const served = await cache.get(query, read)
      return served && { body: served.answer.body, from: served.from, stored: served.stored }
    },
    write: async (next: string) => {
      body = next
      await store.renew([{ key: 'p:g:t@DB', generation: makeGeneration(new Map([['DB', '6']]), 1) }])
    },
    wrote: () => cache.wrote(['t@DB']),
    done: () => Promise.all(later.splice(0)),
    reads: () => reads,
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('the cache of one isolate', () => {
  it('reads once, serves until something changes, and reads again when its time is over', async () => {
    const { ask, write, reads } = world()
    expect(await ask()).toEqual({ body: 'one', from: 'database', stored: true })
    expect(await ask()).toEqual({ body: 'one', from: 'first-level', stored: true })
    await write('two')
    expect(await ask()).toMatchObject({ body: 'two', from: 'database' })
    vi.advanceTimersByTime(10_001)
    expect(await ask()).toMatchObject({ from: 'database' })
    expect(reads()).toBe(3)
  })

  it('serves nothing that is behind what a session has seen', async () => {
    const { ask } = world()
    await ask()
    expect(await ask(none, 0, new Map([['DB', '5']]))).toMatchObject({ from: 'first-level' })
    expect(await ask(none, 0, new Map([['SHARD_1', '9']]))).toMatchObject({ from: 'first-level' })
    expect(await ask(none, 0, new Map([['DB', '6']]))).toMatchObject({ from: 'database' })
  })

  it('serves what a table allows while it is read anew, but not to who has written', async () => {
    const { ask, write, wrote, done, reads } = world()
    await ask(none, 1000)
    await write('two')
    vi.advanceTimersByTime(500)
    expect(await ask(none, 1000)).toMatchObject({ body: 'one', from: 'first-level' })
    wrote()
    expect(await ask(none, 1000)).toMatchObject({ body: 'two', from: 'database' })
    await write('three')
    vi.advanceTimersByTime(1001)
    expect(await ask(none, 1000)).toMatchObject({ body: 'three' })
    await done()
    expect(reads()).toBe(3)
  })

  it('reads anew before the time is over, the likelier the longer that takes', async () => {
    const { ask, done, reads } = world(400)
    const first = ask()
    await vi.advanceTimersByTimeAsync(400)
    await first
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    vi.advanceTimersByTime(7000)
    expect(await ask()).toMatchObject({ from: 'first-level' })
    expect(reads()).toBe(1)
    // A tenth of a chance looks further ahead: 400 ms times 2.3.
    vi.spyOn(Math, 'random').mockReturnValue(0.000001)
    expect(await ask()).toMatchObject({ from: 'first-level' })
    await vi.advanceTimersByTimeAsync(400)
    await done()
    expect(reads()).toBe(2)
  })

  it('keeps nothing that is too large, or that nobody may keep', async () => {
    const { ask, write, reads } = world()
    expect(await ask({ ...none, noCache: true, noStore: true })).toMatchObject({ stored: false })
    expect(await ask({ ...none, onlyIfCached: true })).toBe(null)
    await write('x'.repeat(51))
    expect(await ask()).toMatchObject({ stored: false })
    expect(await ask()).toMatchObject({ from: 'database' })
    expect(reads()).toBe(3)
  })

  it('reads once for all who ask at the same time, and for none of those who come after a write', async () => {
    const { ask, write, reads } = world(50)
    const first = Array.from({ length: 100 }, () => ask())
    await vi.advanceTimersByTimeAsync(10)
    await write('two')
    const after = ask()
    await vi.advanceTimersByTimeAsync(500)
    // Who waited and then finds things changed shares what is read next.
    const bodies = new Set((await Promise.all(first)).map((served) => served?.body))
    expect([...bodies].sort()).toEqual(['one', 'two'])
    expect(await after).toMatchObject({ body: 'two' })
    expect(reads()).toBe(2)
  })
})
