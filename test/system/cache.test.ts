import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { evenRanges, ownerOf } from '../../db/slots/shard-map.ts'
import { keySlot } from '../../db/slots/slots.ts'
import { type Isolates, startIsolates } from '../support/isolates.ts'
import { publishableKey } from '../support/local-server.ts'
import { type RedisBridge, startRedisBridge } from '../support/redis-bridge.ts'
import { refusals } from '../support/redis-refusals.ts'
import { findToolNamed } from '../support/system-tools.ts'

const jwtSecret = 'a-secret-of-the-cache-tests-that-is-long-enough'

// Without Redis this is left out, which `npm test` says; in CI the step before has failed already.
describe.runIf(findToolNamed('Redis') !== null || process.env.CI)('isolates that share a cache', () => {
  let bridge: RedisBridge
  let isolates: Isolates
  /** Kinds of events that say whether the store is believed. */
  const trust: string[] = []
  const onLog = (text: string) => {
    const [, kind] = /"kind":"(cache-\w+)"/.exec(text) ?? []
    if (kind !== undefined) trust.push(kind)
  }
  beforeAll(async () => {
    bridge = await startRedisBridge()
    isolates = await startIsolates(
      3,
      {
        UPSTASH_REDIS_REST_URL: bridge.url,
        UPSTASH_REDIS_REST_TOKEN: bridge.token,
        ATOLL_JWT_SECRET: jwtSecret,
        ATOLL_PUBLISHABLE_KEY: publishableKey,
        // Less than the slow store takes, and more than a busy machine does.
        CACHE_TIMEOUT_MS: '250',
      },
      { onLog },
    )
  }, 60_000)
  afterAll(async () => {
    await isolates?.stop()
    await bridge?.stop()
  })
  beforeEach(async () => {
    bridge.fault = {}
    // An isolate's first request reads the shard map.
    for (const isolate of [0, 1, 2]) await (await isolates.ask(isolate, 'customers?limit=1')).text()
    await bridge.client.flushall()
  })

  const json = { 'Content-Type': 'application/json' }
  const patch = (isolate: number, path: string, body: unknown, headers = {}) =>
    isolates.ask(isolate, path, {
      method: 'PATCH',
      headers: { ...json, ...headers },
      body: JSON.stringify(body),
    })
  const statusOf = (response: Response) => response.headers.get('cache-status')?.replace(/; ttl=\d+/, '')

  it('serve what another has read, and say so', async () => {
    const path = 'customers?id=eq.7&select=city'
    const first = await isolates.ask(0, path)
    const body = await first.text()
    expect([first.status, statusOf(first), first.headers.get('age')]).toEqual([
      200,
      'atoll; fwd=uri-miss; stored',
      null,
    ])
    expect(first.headers.get('etag')).toMatch(/^W\//)
    await new Promise((done) => setTimeout(done, 100))
    const again = await isolates.ask(0, path)
    expect([statusOf(again), again.headers.get('age')]).toEqual(['atoll; hit; detail=first-level', '0'])
    const before = await isolates.calls(1)
    const other = await isolates.ask(1, path)
    expect([statusOf(other), other.headers.get('etag')]).toEqual([
      'atoll; hit; detail=redis',
      first.headers.get('etag'),
    ])
    expect(await other.text()).toBe(body)
    expect((await isolates.calls(1)) - before).toBe(0)
    const unchanged = await isolates.ask(2, path, {
      headers: { 'If-None-Match': first.headers.get('etag') as string, 'Cache-Control': 'max-age=60' },
    })
    expect([unchanged.status, statusOf(unchanged)]).toEqual([304, 'atoll; hit; detail=redis'])
  })

  it('see a write at once, and keep what it has not touched', async () => {
    const seven = 'customers?id=eq.7&select=fax,invoices(id)'
    const eight = 'customers?id=eq.8&select=fax'
    for (const isolate of [0, 1, 2])
      for (const path of [seven, eight]) await (await isolates.ask(isolate, path)).text()
    await new Promise((done) => setTimeout(done, 100))
    for (let i = 0; i < 10; i++) {
      expect((await patch(i % 3, 'customers?id=eq.7', { fax: `fax ${i}` })).status).toBe(204)
      for (const isolate of [0, 1, 2]) {
        const [row] = (await (await isolates.ask(isolate, seven)).json()) as { fax: string }[]
        expect(row?.fax).toBe(`fax ${i}`)
      }
    }
    const kept = await isolates.ask(1, eight)
    expect(statusOf(kept)).toMatch('atoll; hit')
    // A child row is part of the answer, too.
    const before =
      ((await (await isolates.ask(2, seven)).json()) as { invoices: unknown[] }[])[0]?.invoices.length ?? 0
    const invoice = { customer_id: 7, invoice_date: '2026-01-01 00:00:00', total: 1 }
    await isolates.ask(0, 'invoices', { method: 'POST', headers: json, body: JSON.stringify(invoice) })
    const after = (await (await isolates.ask(2, seven)).json()) as { invoices: unknown[] }[]
    expect(after[0]?.invoices).toHaveLength(before + 1)
  })

  it('see a reference table that changed, within the second that it allows; who wrote, at once', async () => {
    const path = 'genres?id=eq.1&select=name'
    const nameOf = async (response: Response) => ((await response.json()) as { name: string }[])[0]?.name
    const old = await nameOf(await isolates.ask(1, path))
    const token = (await isolates.ask(1, path, { headers: { 'Atoll-Session': 'new' } })).headers.get(
      'atoll-session',
    )
    const written = await patch(
      0,
      'genres?id=eq.1',
      { name: 'Changed' },
      { 'Atoll-Session': token as string },
    )
    const session = { headers: { 'Atoll-Session': written.headers.get('atoll-session') as string } }
    expect(await nameOf(await isolates.ask(1, path, session))).toBe('Changed')
    await new Promise((done) => setTimeout(done, 1100))
    expect(await nameOf(await isolates.ask(2, path))).toBe('Changed')
    // An embedded copy on a shard is another reader of the same table.
    await patch(1, 'genres?id=eq.1', { name: old })
    await new Promise((done) => setTimeout(done, 1100))
    expect(await nameOf(await isolates.ask(0, path))).toBe(old)
  })

  it('remember for each other what a signed-in caller has written', async () => {
    const token = await new SignJWT({ role: 'authenticated', sub: '17' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(jwtSecret))
    const headers = { Authorization: `Bearer ${token}`, apikey: publishableKey }
    const ask = (isolate: number) => isolates.ask(isolate, 'customers?select=id,fax', { headers })
    expect(await (await ask(1)).json()).toMatchObject([{ id: 17 }])
    await new Promise((done) => setTimeout(done, 100))
    expect(statusOf(await ask(1))).toMatch('hit')
    expect((await patch(0, 'customers?id=eq.17', { fax: 'mine' }, headers)).status).toBe(204)
    const [kept] = await bridge.client.keys('atoll:w:*17')
    const known = JSON.parse((await bridge.client.get(kept as string)) ?? '[]')[2] as Record<string, string>
    // One database, and the map by which it was found.
    expect(Object.keys(known)).toHaveLength(2)
    const [database] = Object.keys(known).filter((name) => name !== 'map')
    expect(await (await ask(1)).json()).toEqual([{ id: 17, fax: 'mine' }])
    await new Promise((done) => setTimeout(done, 100))
    expect(statusOf(await ask(1))).toMatch('hit')
    // Had they written further than the entry was read, it would not be theirs.
    const later = { ...known, [database as string]: 'f'.repeat(50) }
    await bridge.client.set(kept as string, JSON.stringify(['x', 0, later, 0]))
    expect(statusOf(await ask(2))).not.toMatch('hit')
  })

  it('hear of every table that an answer is made from: embeds beside a policy, and policies of rows that lie elsewhere', async () => {
    const found = await isolates.ask(
      0,
      'customers?support_rep_id=not.is.null&select=id,rep:support_rep_id&limit=1',
    )
    const [mine] = (await found.json()) as { id: number; rep: number }[]
    const token = await new SignJWT({ role: 'support', sub: String(mine?.rep) })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(jwtSecret))
    const headers = { Authorization: `Bearer ${token}`, apikey: publishableKey }
    const asked = async (path: string) =>
      (await (await isolates.ask(1, path, { headers })).json()) as Record<string, unknown[]>[]
    const own = `customers?id=eq.${mine?.id}&select=id,invoices(id)`
    const before = (await asked(own))[0]?.invoices?.length ?? 0
    const invoice = { customer_id: mine?.id, invoice_date: '2026-01-01 00:00:00', total: 1 }
    const made = await isolates.ask(0, 'invoices', {
      method: 'POST',
      headers: json,
      body: JSON.stringify(invoice),
    })
    expect(made.status).toBe(201)
    expect((await asked(own))[0]?.invoices).toHaveLength(before + 1)
    // Items are gathered from all shards; which of them count, the policy reads off customers.
    const [item] = (await asked(
      `invoice_items?customer_id=eq.${mine?.id}&select=track_id&limit=1`,
    )) as unknown as { track_id: number }[]
    const track = `tracks?id=eq.${item?.track_id}&select=id,invoice_items(customer_id)`
    const customersOf = async () =>
      (await asked(track))[0]?.invoice_items?.map((row) => (row as { customer_id: number }).customer_id)
    expect(await customersOf()).toContain(mine?.id)
    expect(
      (await patch(0, `customers?id=eq.${mine?.id}`, { support_rep_id: mine?.rep === 4 ? 5 : 4 })).status,
    ).toBe(204)
    await new Promise((done) => setTimeout(done, 50))
    expect(await customersOf()).not.toContain(mine?.id)
  })

  it('do what Cache-Control asks', async () => {
    const ask = (control: string) =>
      isolates.ask(0, 'customers?id=eq.9&select=id', { headers: { 'Cache-Control': control } })
    const none = await ask('only-if-cached')
    expect([none.status, ((await none.json()) as { code: string }).code]).toEqual([504, 'CACHE001'])
    expect(statusOf(await ask('no-store'))).toBe('atoll; fwd=request')
    expect((await ask('only-if-cached')).status).toBe(504)
    expect(statusOf(await ask('no-cache'))).toBe('atoll; fwd=request; stored')
    expect(statusOf(await ask('only-if-cached'))).toMatch('hit')
    expect(statusOf(await ask('max-age=60'))).toMatch('hit')
    await new Promise((done) => setTimeout(done, 20))
    expect(statusOf(await ask('max-age=0'))).toBe('atoll; fwd=stale; stored')
  })

  it.each([
    ['down', { down: 'error' }],
    ['gone', { down: 'hang-up' }],
    ['slow', { delayMs: 300 }],
    ['full', { full: true }],
    ['out of its mind', { nonsense: true }],
  ] as const)('answer rightly while the store is %s, and after it', async (_, fault) => {
    const path = 'customers?id=eq.13&select=fax'
    const faxOf = async (isolate: number) =>
      ((await (await isolates.ask(isolate, path)).json()) as { fax: string }[])[0]?.fax
    await faxOf(0)
    await faxOf(1)
    bridge.fault = fault
    for (let i = 0; i < 5; i++) {
      const value = `${JSON.stringify(fault)} ${i}`
      expect((await patch(i % 3, 'customers?id=eq.13', { fax: value })).status).toBe(204)
      for (const isolate of [0, 1, 2]) expect(await faxOf(isolate)).toBe(value)
    }
    // What was not delivered, the relay delivers once the store is back: in a few seconds everybody is right again.
    bridge.fault = {}
    const last = `${JSON.stringify(fault)} 4`
    const deadline = Date.now() + 8000
    for (;;) {
      const seen = await Promise.all([0, 1, 2].map(faxOf))
      if (seen.every((fax) => fax === last)) break
      expect(Date.now()).toBeLessThan(deadline)
      await new Promise((done) => setTimeout(done, 200))
    }
  })

  it.each(Object.entries(refusals))(
    'show each write at once while Redis answers reads and refuses writes: %s',
    async (word, refusal) => {
      const faxOf = async (isolate: number) =>
        (
          (await (await isolates.ask(isolate, 'customers?id=eq.16&select=fax')).json()) as { fax: string }[]
        )[0]?.fax
      const allShow = async (value: string) => {
        for (const isolate of [0, 1, 2]) expect(await faxOf(isolate)).toBe(value)
      }
      /** Reads until one of the Workers says so. */
      const told = async (kind: string, value: string) => {
        const deadline = Date.now() + 30_000
        while (trust.at(-1) !== kind) {
          expect(Date.now(), kind).toBeLessThan(deadline)
          await allShow(value)
          await new Promise((done) => setTimeout(done, 50))
        }
      }
      /** The store is believed: what one has read, another finds there. */
      const isBelieved = async () => {
        const path = 'customers?id=eq.17&select=fax'
        const deadline = Date.now() + 30_000
        for (let last = ''; !last.includes('hit'); last = statusOf(await isolates.ask(2, path)) ?? '') {
          expect(Date.now(), last).toBeLessThan(deadline)
          await (await isolates.ask(1, path)).text()
          await new Promise((done) => setTimeout(done, 50))
        }
      }
      await isBelieved()
      for (const isolate of [0, 1, 2]) await faxOf(isolate)
      trust.length = 0
      await refusal.begin(bridge.client)
      try {
        await expect(bridge.client.set('x', 'y')).rejects.toThrow(word)
        expect(await bridge.client.get('x')).toBe(null)
        for (let i = 0; i < 5; i++) {
          const value = `${word} ${i}`
          expect((await patch(i % 3, 'customers?id=eq.16', { fax: value })).status).toBe(204)
          await allShow(value)
        }
        await told('cache-distrusted', `${word} 4`)
        expect((await patch(0, 'customers?id=eq.16', { fax: word })).status).toBe(204)
        await allShow(word)
      } finally {
        await refusal.end(bridge.client)
      }
      await told('cache-trusted', word)
      expect(trust[0]).toBe('cache-distrusted')
      await isBelieved()
      await allShow(word)
    },
  )

  describe('have a relay that', () => {
    /** Any delivery that fails wakes it. */
    const wake = async () => {
      bridge.fault = { down: 'error' }
      await patch(0, 'customers?id=eq.15', { fax: 'x' })
      bridge.fault = {}
    }
    const until = async (isDone: () => Promise<boolean>) => {
      const deadline = Date.now() + 10_000
      while (!(await isDone())) {
        expect(Date.now()).toBeLessThan(deadline)
        await new Promise((done) => setTimeout(done, 200))
      }
    }

    it('delivers what a writer that died has left in the change log', async () => {
      const faxOf = async (isolate: number) => {
        const rows = await (await isolates.ask(isolate, 'customers?id=eq.14&select=fax')).json()
        return (rows as { fax: string }[])[0]?.fax
      }
      await Promise.all([0, 1, 2].map(faxOf))
      for (const name of ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']) {
        await (await isolates.database(name))
          .prepare("UPDATE customers SET fax = 'behind all backs' WHERE id = 14")
          .run()
      }
      await wake()
      await until(async () =>
        (await Promise.all([0, 1, 2].map(faxOf))).every((fax) => fax === 'behind all backs'),
      )
    })

    it('brings up copies of reference tables that a shard has missed', async () => {
      await (await isolates.database('DB')).prepare("UPDATE genres SET name = 'Missed' WHERE id = 2").run()
      await wake()
      await until(async () => {
        const names = await Promise.all(
          ['SHARD_1', 'SHARD_2', 'SHARD_3'].map(async (name) =>
            (await isolates.database(name)).prepare('SELECT name FROM genres WHERE id = 2').first('name'),
          ),
        )
        return names.every((name) => name === 'Missed')
      })
    })

    it('takes away reservations that no row uses', async () => {
      const map = { epoch: 1, ranges: evenRanges(['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']), epochs: new Map() }
      const database = await isolates.database(ownerOf(map, keySlot('orphan@x')))
      await database
        .prepare("INSERT INTO _atoll_unique VALUES ('customers.email', 'orphan@x', 0, 9000, 'dead', 0)")
        .run()
      await wake()
      await until(
        async () =>
          (await database.prepare("SELECT 1 FROM _atoll_unique WHERE value = 'orphan@x'").first()) === null,
      )
    })
  })
})

describe.runIf(findToolNamed('Redis') !== null || process.env.CI)(
  'a thousand readers of what is in no cache',
  () => {
    let bridge: RedisBridge
    let isolates: Isolates
    beforeAll(async () => {
      bridge = await startRedisBridge()
      // A thousand requests keep this machine busy for longer than a store is given otherwise.
      isolates = await startIsolates(3, {
        UPSTASH_REDIS_REST_URL: bridge.url,
        UPSTASH_REDIS_REST_TOKEN: bridge.token,
        CACHE_TIMEOUT_MS: '20000',
        // And trust that runs out while it is busy has the databases asked around the store, again and again.
        CACHE_TRUST_MS: '60000',
      })
    }, 60_000)
    afterAll(async () => {
      await isolates?.stop()
      await bridge?.stop()
    })

    const callsMade = async () => {
      const calls = await Promise.all([0, 1, 2].map((isolate) => isolates.calls(isolate)))
      return calls.reduce((sum, made) => sum + made, 0)
    }

    it('ask the database once in an isolate, and a handful of times in several', async () => {
      for (const isolate of [0, 1, 2]) await (await isolates.ask(isolate, 'customers?limit=1')).text()
      const before = await callsMade()
      const ask = async (isolate: number, id: number) =>
        (await isolates.ask(isolate, `customers?id=eq.${id}`)).text()
      const bodies = await Promise.all(Array.from({ length: 1000 }, () => ask(0, 11)))
      expect(new Set(bodies).size).toBe(1)
      expect((await callsMade()) - before).toBe(1)
      const spread = await Promise.all(Array.from({ length: 600 }, (_, i) => ask(i % 3, 12)))
      expect(new Set(spread).size).toBe(1)
      expect((await callsMade()) - before - 1).toBeLessThanOrEqual(5)
    })
  },
)
