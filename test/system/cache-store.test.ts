import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CacheStore } from '../../functions/cache/cache-store.ts'
import { appended, maxWindowLength } from '../../functions/cache/change-window.ts'
import { makeGeneration, parseGeneration } from '../../functions/cache/generation.ts'
import { MemoryStore } from '../../functions/cache/memory-store.ts'
import { RedisStore } from '../../functions/cache/redis-store.ts'
import { type RedisBridge, startRedisBridge } from '../support/redis-bridge.ts'
import { findToolNamed } from '../support/system-tools.ts'

const hasRedis = findToolNamed('Redis') !== null || Boolean(process.env.CI)
let bridge: RedisBridge
beforeAll(async () => {
  if (hasRedis) bridge = await startRedisBridge()
})
afterAll(() => bridge?.stop())

const stores: readonly (readonly [string, boolean, () => CacheStore])[] = [
  ['memory', true, () => new MemoryStore(5000)],
  ['Redis', hasRedis, () => new RedisStore(bridge.url, bridge.token, 2000)],
]

// Without Redis its part is left out, which `npm test` says; in CI the step before has failed already.
for (const [name, isHere, make] of stores) {
  describe.runIf(isHere)(`the store in ${name}`, () => {
    let store: CacheStore
    beforeEach(async () => {
      await bridge?.client.flushall()
      store = make()
    })
    const put = (key: string, value: string, ttlMs = 10_000) => store.fill({ key, value, ttlMs }, null)

    it('reads what was put, in the order of the keys, and null for the rest', async () => {
      await put('a', 'é "1" \n')
      await put('b', '')
      expect(await store.read(['b', 'none', 'a'])).toEqual(['', null, 'é "1" \n'])
      expect(await store.read([])).toEqual([])
    })

    it('keeps texts as they are, whatever they look like', async () => {
      for (const text of ['1', 'null', '[1,2]', '{"a":1}', '9007199254740993', 'OK', 'true']) {
        await put('a', text)
        expect(await store.read(['a'])).toEqual([text])
      }
    })

    it('forgets what has expired', async () => {
      await put('a', '1', 30)
      await new Promise((done) => setTimeout(done, 60))
      expect(await store.read(['a'])).toEqual([null])
    })

    it('creates what is missing once, and answers with what is there', async () => {
      await put('a', 'old')
      const begun = await store.begin(
        [
          { key: 'a', value: 'new', ttlMs: 1000 },
          { key: 'b', value: 'new', ttlMs: 1000 },
        ],
        null,
      )
      expect(begun).toEqual({ values: ['old', 'new'], leased: false })
      expect(await store.begin([], null)).toEqual({ values: [], leased: false })
    })

    it('gives a lease to one of many, until it is given back or has expired', async () => {
      const lease = (token: string, ttlMs = 1000) => ({ key: 'l', token, ttlMs })
      const asked = await Promise.all(['1', '2', '3'].map((token) => store.begin([], lease(token))))
      expect(asked.filter(({ leased }) => leased)).toHaveLength(1)
      const winner = String(asked.findIndex(({ leased }) => leased) + 1)
      await store.fill(null, lease('another'))
      expect((await store.begin([], lease('4'))).leased).toBe(false)
      await store.fill({ key: 'e', value: 'entry', ttlMs: 1000 }, lease(winner))
      expect(await store.read(['e'])).toEqual(['entry'])
      expect((await store.begin([], lease('5', 30))).leased).toBe(true)
      await new Promise((done) => setTimeout(done, 60))
      expect((await store.begin([], lease('6'))).leased).toBe(true)
      // Who comes back late does not give back what is another's.
      await store.fill(null, lease('5'))
      expect((await store.begin([], lease('7'))).leased).toBe(false)
    })

    it('replaces generations, and keeps the later bookmarks of those before', async () => {
      const id = (text: string) => parseGeneration(text).id
      const renew = async (bookmarks: Record<string, string> | null, upTo: number) => {
        const generation = makeGeneration(bookmarks && new Map(Object.entries(bookmarks)), upTo)
        await store.renew(['a', 'b'].map((key) => ({ key, generation, isKept: true as const })))
        const [a, b] = (await store.read(['a', 'b'])) as [string, string]
        expect([id(a), id(b)]).toEqual([generation.id, generation.id])
        const { bookmarks: known, upTo: position, at } = parseGeneration(a)
        expect(at).toBe(generation.at)
        return [known, position]
      }
      expect(await renew(null, 0)).toEqual([null, 0])
      expect(await renew({ DB: '0005', SHARD_1: '0001' }, 7)).toEqual([{ DB: '0005', SHARD_1: '0001' }, 7])
      expect(await renew({ DB: '0003', SHARD_2: '0009' }, 5)).toEqual([
        { DB: '0005', SHARD_1: '0001', SHARD_2: '0009' },
        7,
      ])
      expect(await renew(null, 1_795_359_210)).toEqual([
        { DB: '0005', SHARD_1: '0001', SHARD_2: '0009' },
        1_795_359_210,
      ])
    })

    it('keeps the latest changes of a generation, as a window that is bounded', async () => {
      const renew = async (step: string | null, upTo: number) => {
        const generation = { ...makeGeneration(null, upTo), step }
        await store.renew([{ key: 'a', generation, isKept: true }])
        return parseGeneration((await store.read(['a']))[0] as string)
      }
      // Nobody knows what was before the first.
      let wanted = await renew('1 1 [[["price"],"1"]]', 1)
      expect(wanted).toMatchObject({ base: null, covered: 1, steps: '' })
      for (let i = 2; i < 90; i++) {
        const step = `${i} ${i} [[["price"],"${'9'.repeat(i % 40)}"]]`
        const found = await renew(step, i)
        const { base, covered, steps } = found
        expect({ base, covered, steps }).toEqual(appended(wanted, found.id, step))
        wanted = found
      }
      expect(wanted.steps.length).toBeLessThanOrEqual(maxWindowLength)
      expect(wanted.covered).toBeGreaterThan(20)
      expect(await renew(null, 5)).toMatchObject({ base: null, covered: 89, upTo: 89, steps: '' })
    })
  })
}

describe.runIf(hasRedis)('a store behind the bridge', () => {
  beforeEach(async () => {
    bridge.fault = {}
    await bridge.client.flushall()
  })

  it('that is full lets go of what it must replace', async () => {
    const store = new RedisStore(bridge.url, bridge.token, 2000)
    await store.renew([{ key: 'a', generation: makeGeneration() }])
    bridge.fault = { full: true }
    await store.renew([{ key: 'a', generation: makeGeneration() }])
    expect(await store.read(['a'])).toEqual([null])
    await expect(store.begin([{ key: 'b', value: '1', ttlMs: 1000 }], null)).rejects.toThrow()
  })

  it.each([
    ['down', { down: 'error' }],
    ['gone', { down: 'hang-up' }],
    ['slow', { delayMs: 1300 }],
    ['out of its mind', { nonsense: true }],
  ] as const)('that is %s has failed, in time', async (_, fault) => {
    const store = new RedisStore(bridge.url, bridge.token, 100)
    bridge.fault = fault
    const begun = Date.now()
    await expect(store.read(['a', 'b'])).rejects.toThrow()
    await expect(store.renew([{ key: 'a', generation: makeGeneration() }])).rejects.toThrow()
    await expect(store.begin([{ key: 'a', value: '1', ttlMs: 1000 }], null)).rejects.toThrow()
    expect(Date.now() - begun).toBeLessThan(2000)
  })

  it('is closed to those without its token', async () => {
    const store = new RedisStore(bridge.url, 'another', 2000)
    await expect(store.read(['a'])).rejects.toThrow()
  })

  it('runs transactions, and encodes in base64 when asked', async () => {
    const ask = async (path: string, body: unknown, headers = {}) => {
      const response = await fetch(`${bridge.url}${path}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${bridge.token}`, ...headers },
        body: JSON.stringify(body),
      })
      return [response.status, await response.json()]
    }
    expect(
      await ask('/multi-exec', [
        ['SET', 'a', 'b'],
        ['GET', 'a'],
      ]),
    ).toEqual([200, [{ result: 'OK' }, { result: 'b' }]])
    expect(await ask('/', ['GET', 'a'], { 'Upstash-Encoding': 'base64' })).toEqual([
      200,
      { result: btoa('b') },
    ])
    expect(await ask('/', ['NONSENSE'])).toEqual([400, { error: expect.stringContaining('unknown command') }])
  })
})
