import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { CacheDirectives, Filled } from '../../functions/cache/cache-query.ts'
import { ConsistentCache } from '../../functions/cache/consistent-cache.ts'
import { FirstLevel } from '../../functions/cache/first-level.ts'
import { MemoryStore } from '../../functions/cache/memory-store.ts'

const none: CacheDirectives = { noCache: false, noStore: false, maxAgeMs: null, onlyIfCached: false }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  // The platform's digest takes real time, which is none of this world's.
  vi.spyOn(crypto.subtle, 'digest').mockResolvedValue(new ArrayBuffer(32))
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** Two isolates before one store that is no isolate's own, and a database that takes its time. */
function world(body: string, tookMs: number) {
  const shared = new MemoryStore(1_000_000)
  let calls = 0
  const store = Object.assign(Object.create(shared) as MemoryStore, {
    isLocal: false,
    read: (keys: readonly string[]) => {
      calls++
      return shared.read(keys)
    },
    begin: shared.begin.bind(shared),
    fill: shared.fill.bind(shared),
    mayHaveForgotten: () => false,
  })
  const options = { prefix: 'p', maxEntryLength: 50, leaseMs: 1000, judges: true }
  const caches = [0, 1].map(() => new ConsistentCache(store, new FirstLevel(0), options))
  let reads = 0
  const read = async (): Promise<Filled> => {
    reads++
    await new Promise((done) => setTimeout(done, tookMs))
    return { answer: { rows: 1, total: null, body, tag: 'x' }, bookmarks: new Map(), whole: true }
  }
  const query = {
    key: 'k',
    shape: 's',
    tags: ['t'],
    ttlMs: 10_000,
    maxStaleMs: 0,
    seen: new Map(),
    who: null,
  }
  return {
    /** How long an isolate's read took, in milliseconds. */
    ask: async (isolate: number) => {
      const begun = Date.now()
      const later = (work: Promise<unknown>) => void work.catch(() => null)
      await caches[isolate]?.get({ ...query, directives: none, later }, read)
      return Date.now() - begun
    },
    calls: () => calls,
    reads: () => reads,
  }
}

async function after<T>(promise: Promise<T>): Promise<T> {
  let isOver = false
  const result = promise.finally(() => {
    isOver = true
  })
  while (!isOver) {
    await vi.advanceTimersByTimeAsync(1)
  }
  return result
}

it('waits for what another isolate reads, and reads it once', async () => {
  const { ask, reads } = world('short', 50)
  const [first, second] = await after(Promise.all([ask(0), ask(1)]))
  expect(first).toBeLessThan(60)
  expect(second).toBeLessThan(90)
  expect(reads()).toBe(1)
})

it('waits no longer than another reads what is not kept then, and the next time for nobody', async () => {
  const { ask, calls } = world('x'.repeat(51), 50)
  const [, second] = await after(Promise.all([ask(0), ask(1)]))
  expect(second).toBeLessThan(140)
  const before = calls()
  for (const took of await after(Promise.all([ask(0), ask(1), ask(0), ask(1)])))
    expect(took).toBeLessThan(120)
  // What is known to be too large is not looked for, either.
  expect(calls()).toBe(before)
})
