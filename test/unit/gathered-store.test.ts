import { expect, it } from 'vitest'
import type { CacheStore } from '../../functions/cache/cache-store.ts'
import { GatheredStore } from '../../functions/cache/gathered-store.ts'
import { seededRandom } from '../support/seeded-random.ts'

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))

/** A store whose values are the number of its last write, so that it shows when something was read. */
function countingStore(answer: (call: number) => Promise<void> = () => pause(5)) {
  const calls: (readonly string[])[] = []
  const state = { version: 0 }
  const store = {
    name: 'counting',
    maxTtlMs: 1000,
    isLocal: false,
    mayHaveForgotten: () => true,
    read: async (keys: readonly string[]) => {
      calls.push(keys)
      const { length } = calls
      await answer(length)
      const { version } = state
      await pause(2)
      return keys.map((key) => (key === 'missing' ? null : `${key} ${version}`))
    },
    begin: async () => ({ values: [], leased: false }),
    fill: async () => undefined,
    renew: async () => undefined,
  } satisfies CacheStore
  return { store, calls, state }
}

it('sends each read at once while few are under way', async () => {
  const { store, calls } = countingStore()
  const gathered = new GatheredStore(store, 500, 4)
  const all = await Promise.all(['a', 'b', 'c', 'd'].map((key) => gathered.read([key, 'missing'])))
  expect(all).toEqual(['a', 'b', 'c', 'd'].map((key) => [`${key} 0`, null]))
  expect(calls).toHaveLength(4)
  expect(await gathered.read([])).toEqual([])
})

it('reads together what waits, in few calls, each key once', async () => {
  const { store, calls } = countingStore()
  const gathered = new GatheredStore(store, 500, 2)
  const all = await Promise.all(
    Array.from({ length: 100 }, (_, i) => gathered.read([`key ${i % 10}`, `own ${i}`])),
  )
  expect(all).toEqual(Array.from({ length: 100 }, (_, i) => [`key ${i % 10} 0`, `own ${i} 0`]))
  expect(calls.length).toBeLessThan(8)
  for (const keys of calls) expect(new Set(keys).size).toBe(keys.length)
})

it('gives nobody what was read before they asked', async () => {
  const random = seededRandom(1)
  const { store, state } = countingStore(() => pause(random() * 10))
  const gathered = new GatheredStore(store, 2000, 2)
  const reads = Array.from({ length: 400 }, async () => {
    await pause(random() * 200)
    const before = state.version
    const [text] = await gathered.read([`key ${Math.floor(random() * 5)}`])
    expect(Number(text?.split(' ').at(-1))).toBeGreaterThanOrEqual(before)
  })
  const writes = Array.from({ length: 100 }, async () => {
    await pause(random() * 200)
    state.version++
  })
  await Promise.all([...reads, ...writes])
})

it('hands on a failure to those who share it only', async () => {
  const { store } = countingStore(async (call) => {
    await pause(5)
    if (call === 2) throw new Error('no')
  })
  const gathered = new GatheredStore(store, 500, 1)
  const settled = await Promise.allSettled(['a', 'b', 'c'].map((key) => gathered.read([key])))
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect(await gathered.read(['d'])).toEqual(['d 0'])
})

it('waits no longer than it may for a request that was ended in the middle', async () => {
  const { store } = countingStore((call) => (call === 1 ? new Promise<void>(() => undefined) : pause(1)))
  const gathered = new GatheredStore(store, 40, 1)
  void gathered.read(['a'])
  const begun = Date.now()
  const settled = await Promise.allSettled(['b', 'c'].map((key) => gathered.read([key])))
  expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(Date.now() - begun).toBeLessThan(1000)
  // Who comes later is not held up by it.
  expect(await gathered.read(['b', 'd'])).toEqual(['b 0', 'd 0'])
})

it('lets go in time of those whose keys somebody took along who is gone', async () => {
  let taken: (() => void) | undefined
  const { store, calls } = countingStore((call) => {
    if (call === 1)
      return new Promise<void>((done) => {
        taken = done
      })
    return call === 2 ? new Promise<void>(() => undefined) : pause(1)
  })
  const gathered = new GatheredStore(store, 200, 1)
  const first = gathered.read(['a'])
  await pause(5)
  // The second waits for the first, and takes the third's key along; then it is never heard of again.
  const lost = gathered.read(['b'])
  const third = gathered.read(['c'])
  taken?.()
  expect(await first).toEqual(['a 0'])
  expect((await Promise.allSettled([lost, third])).map(({ status }) => status)).toEqual([
    'rejected',
    'rejected',
  ])
  expect(calls[1]).toEqual(['b', 'c'])
  expect(await gathered.read(['c'])).toEqual(['c 0'])
})
