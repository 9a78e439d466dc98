import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import type { CacheEntry } from '../../functions/cache/cache-entry.ts'
import { FirstLevel } from '../../functions/cache/first-level.ts'
import { generationText, makeGeneration } from '../../functions/cache/generation.ts'
import { MemoryStore } from '../../functions/cache/memory-store.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

function heapUsed(): number {
  for (let i = 0; i < 4; i++) gc()
  return process.memoryUsage().heapUsed
}

/** Texts of their own, as they come out of a store or a request. */
const fresh = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

function entryOf(i: number, text: string): CacheEntry {
  const [body, tag, generations, bookmark] = fresh([
    JSON.stringify([{ id: i, text }]),
    `W/"${i}abcdefgh"`,
    Array.from({ length: 3 }, () => crypto.randomUUID()),
    `00000000-00000041-00000000-${String(i).padStart(32, '0')}`,
  ] as const)
  const bookmarks = new Map([['DB', bookmark]])
  return {
    answer: { rows: 1, total: null, body, tag },
    generations,
    bookmarks,
    at: Date.now() + i,
    until: Date.now() + i + 0.5,
    tookMs: i,
  }
}

// What others let go of in that moment counts as well: another look finds what is true.
describe('bytes that are counted are those of the heap', { retry: 5 }, () => {
  it.each([
    ['small answers', 4000, 'x'.repeat(100)],
    ['small answers with a wide character', 4000, `中${'x'.repeat(100)}`],
    ['pages', 500, 'é'.repeat(8000)],
    ['pages with wide characters', 500, '中x'.repeat(4000)],
  ])('in the first level: %s', (_, count, text) => {
    const first = new FirstLevel(1_000_000_000)
    const before = heapUsed()
    for (let i = 0; i < count; i++)
      first.put(fresh(`["public","tracks","array",[["id"],0,"eq",0]]["anon",["${i}"]]`), entryOf(i, text), 0)
    const ratio = (heapUsed() - before) / first.bytes
    expect(first.entries).toBe(count)
    expect(ratio).toBeGreaterThan(0.7)
    expect(ratio).toBeLessThan(1.25)
  })

  it('in the store in memory: generations', async () => {
    const store = new MemoryStore(1_000_000)
    const before = heapUsed()
    for (let i = 0; i < 10_000; i++) {
      const value = fresh(generationText(makeGeneration(new Map([['DB', `0000-${i}`]]), i)))
      await store.begin([{ key: fresh(`atoll:g:tracks/[${i}]@DB`), value, ttlMs: 1_000_000 }], null)
    }
    const ratio = (heapUsed() - before) / store.bytes
    expect(store.entries).toBe(10_000)
    expect(ratio).toBeGreaterThan(0.6)
    expect(ratio).toBeLessThan(1.25)
  })
})
