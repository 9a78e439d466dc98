import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Balanced, startBalanced } from '../support/balanced-server.ts'
import { publishableKey } from '../support/local-server.ts'

const jwtSecret = 'a-secret-of-the-balancer-tests-that-is-long-enough'

let balanced: Balanced
beforeAll(async () => {
  balanced = await startBalanced({ ATOLL_JWT_SECRET: jwtSecret })
}, 60_000)
afterAll(() => balanced?.stop())
beforeEach(async () => {
  for (const origin of Object.values(balanced.origins)) {
    await origin.script({})
    await origin.count()
  }
})

interface PoolView {
  readonly broken: number
  readonly origins: readonly {
    name: string
    state: string
    problem: string | null
    outstanding: number
    ejectedFor: string[]
  }[]
}
const view = async (pool: string) => (await (await balanced.api(`/pools/${pool}`)).json()) as PoolView
const stateOf = async (pool: string, name: string) =>
  (await view(pool)).origins.find((origin) => origin.name === name)?.state

/** Clients that ask at the same time until told to stop, and count the answers by origin or status. */
function clients(n: number, path: string, init?: RequestInit) {
  const counts: Record<string, number> = {}
  let isOver = false
  const work = Promise.all(
    Array.from({ length: n }, async () => {
      while (!isOver) {
        const who = await balanced.whoAnswers(path, init).catch(() => 'cut')
        counts[who] = (counts[who] ?? 0) + 1
      }
    }),
  )
  return {
    counts,
    async stop() {
      isOver = true
      await work
      return counts
    },
  }
}
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

describe('an origin that is killed', () => {
  it.each(['round-robin', 'least-request', 'peak-ewma'])(
    'fails no read of %s, and takes requests again when it is back',
    async (pool) => {
      const { b } = balanced.origins
      const reads = clients(16, `/${pool}/x`)
      await pause(500)
      await b.kill()
      // Peak EWMA leaves it alone after the first loss, before there is a second one to eject it for.
      if (pool === 'peak-ewma') await pause(1500)
      else await expect.poll(() => stateOf(pool, 'b'), { timeout: 10_000 }).toBe('ejected')
      const counts = { ...reads.counts }
      await b.restart()
      await reads.stop()
      expect(Object.keys(counts).filter((key) => !'abcd'.includes(key))).toEqual([])
      expect(counts.a).toBeGreaterThan(20)
      await expect
        .poll(async () => (await balanced.whoAnswers(`/${pool}/x`)) === 'b', {
          timeout: 20_000,
          interval: 20,
        })
        .toBe(true)
    },
    60_000,
  )

  it('fails no write when nothing was sent: a connection is tried first where none has answered lately', async () => {
    const { a } = balanced.origins
    await balanced.whoAnswers('/writes/x')
    await pause(1100)
    await a.kill()
    const answers = []
    for (let i = 0; i < 6; i++) {
      answers.push(await balanced.whoAnswers('/writes/echo', { method: 'POST', body: `order ${i}` }))
      await pause(50)
    }
    expect(answers).toEqual(['b', 'b', 'b', 'b', 'b', 'b'])
    await a.restart()
  })
})

describe('a request', () => {
  it('is repeated elsewhere when it may be, and told when it may not', async () => {
    await balanced.origins.a.script({ fault: 'hang-up' })
    await balanced.origins.b.script({ fault: 'hang-up' })
    const { a, b } = balanced.origins
    const read = await balanced.ask('/hasty/x')
    expect([read.status, read.headers.get('proxy-status')]).toEqual([
      502,
      'atoll; error=connection_terminated',
    ])
    expect([await a.count(), await b.count()]).toEqual([1, 1])
    const write = await balanced.ask('/hasty/x', { method: 'POST', body: 'x' })
    expect(write.status).toBe(502)
    expect((await a.count()) + (await b.count())).toBe(1)
    const put = await balanced.ask('/hasty/x', { method: 'PUT', body: 'small enough to be kept' })
    expect(put.status).toBe(502)
    expect([await a.count(), await b.count()]).toEqual([1, 1])
    const large = await balanced.ask('/hasty/x', { method: 'PUT', body: 'x'.repeat(100_000) })
    expect(large.status).toBe(502)
    expect((await a.count()) + (await b.count())).toBe(1)
  })

  it('is repeated after 502, 503 and 504, and else the answer is the origin’s own', async () => {
    const { a, b } = balanced.origins
    await a.script({ status: 503 })
    for (let i = 0; i < 4; i++) expect(await balanced.whoAnswers('/backup/x')).toMatch(/^[ab]$/)
    await b.script({ status: 503 })
    expect((await balanced.ask('/hasty/x')).status).toBe(503)
    await a.script({ status: 500 })
    await b.script({ status: 500 })
    await Promise.all([a.count(), b.count()])
    expect((await balanced.ask('/hasty/x')).status).toBe(500)
    expect((await a.count()) + (await b.count())).toBe(1)
  })

  it('waits no longer for an answer than it may, nor for its end', async () => {
    await balanced.origins.a.script({ fault: 'hang' })
    const start = Date.now()
    const late = await balanced.ask('/alone/x')
    expect([late.status, late.headers.get('proxy-status')]).toEqual([
      504,
      'atoll; error=http_response_timeout',
    ])
    expect(Date.now() - start).toBeLessThan(2000)
    await balanced.origins.a.script({})
    const answer = await balanced.ask('/alone/drip/100', { headers: { 'Accept-Encoding': 'identity' } })
    await expect(answer.text()).rejects.toThrow()
    expect(Date.now() - start).toBeLessThan(4000)
  })

  it('ends for its client when the origin dies in the middle of its answer, and counts against it', async () => {
    await balanced.origins.a.script({ fault: 'cut' })
    const cut = async () =>
      (await balanced.ask('/single/x', { headers: { 'Accept-Encoding': 'identity' } })).text()
    await expect(cut()).rejects.toThrow()
    await expect(cut()).rejects.toThrow()
    await expect
      .poll(
        async () => {
          await balanced
            .ask('/single/x')
            .then((answer) => answer.text())
            .catch(() => undefined)
          return (await view('single')).origins[0]?.ejectedFor.length
        },
        { timeout: 10_000, interval: 500 },
      )
      .toBeGreaterThan(0)
  })

  it('is refused at once when too much is under way, with a time to come back', async () => {
    await balanced.origins.a.script({ delayMs: 600 })
    const answers = await Promise.all(Array.from({ length: 8 }, () => balanced.ask('/narrow/x')))
    const refused = answers.filter(({ status }) => status === 503)
    expect(refused).toHaveLength(5)
    expect(refused[0]?.headers.get('retry-after')).toBe('1')
    expect(await refused[0]?.json()).toMatchObject({ code: 'PROXY005' })
    await balanced.origins.a.script({})
    expect(await balanced.whoAnswers('/narrow/x')).toBe('a')
  })

  it('is refused at once when nearly everything fails, until the pool is back', async () => {
    const { a, b } = balanced.origins
    await a.script({ status: 500 })
    await b.script({ status: 500 })
    const answers: number[] = []
    for (let i = 0; i < 30; i++) answers.push((await balanced.ask('/breaking/x')).status)
    expect(answers.slice(0, 20)).toEqual(Array(20).fill(500))
    expect(answers.slice(20)).toContain(503)
    expect((await a.count()) + (await b.count())).toBeLessThan(25)
    await a.script({})
    await b.script({})
    await expect.poll(() => balanced.whoAnswers('/breaking/x'), { timeout: 10_000 }).toMatch(/^[ab]$/)
  })

  it('that is slower than nearly all is asked of a second origin, which may answer first', async () => {
    const warm = clients(4, '/hedged/x')
    await pause(1500)
    await warm.stop()
    const { a, b } = balanced.origins
    await a.script({ delayMs: 2000 })
    const start = Date.now()
    for (let i = 0; i < 6; i++) expect(await balanced.whoAnswers('/hedged/x')).toBe('b')
    expect(Date.now() - start).toBeLessThan(4000)
    await a.count()
    await b.count()
    await balanced.ask('/hedged/x', { method: 'POST', body: 'once' })
    await pause(2200)
    expect((await a.count()) + (await b.count())).toBe(1)
  })
})

describe('an origin', () => {
  it('is not blamed for what clients do: bodies that break off or are too large, answers that nobody waits for', async () => {
    const length = 1_000_000
    for (let i = 0; i < 6; i++) {
      await balanced.raw(
        `POST /blamed/echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(100_000)}`,
        100,
      )
      await balanced.raw('PUT /blamed/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nxx', 50)
      await balanced.raw('GET /blamed/drip/50 HTTP/1.1\r\nHost: x\r\n\r\n', 150)
      const stream = new Blob(['x'.repeat(300_000)]).stream()
      const large = { method: 'POST', body: stream, duplex: 'half' } as RequestInit
      expect((await balanced.ask('/bounded/echo', large)).status).toBe(413)
      await balanced.ask('/bounded/bytes/150000', { headers: { 'Accept-Encoding': 'identity' } })
      expect(await balanced.raw('GET /blamed/a%2f..%2fb HTTP/1.1\r\nHost: x\r\n\r\n', 100)).toContain('400')
    }
    // Nothing of it is counted as under way for ever: twenty would be all that the pool takes.
    await expect.poll(() => balanced.whoAnswers('/blamed/x'), { timeout: 10_000 }).toBe('a')
    await pause(2100)
    await balanced.whoAnswers('/blamed/x')
    await expect
      .poll(async () => (await view('blamed')).origins[0], { timeout: 10_000 })
      .toMatchObject({ state: 'up', outstanding: 0, ejectedFor: [] })
  })
})

describe('retries', () => {
  it('stay within a fifth of the requests when everything fails', async () => {
    for (const origin of Object.values(balanced.origins)) await origin.script({ fault: 'hang-up' })
    const { a, b } = balanced.origins
    const reads = clients(8, '/hasty/y')
    await pause(2000)
    const counts = await reads.stop()
    const asked = Object.values(counts).reduce((sum, n) => sum + n, 0)
    const sent = (await a.count()) + (await b.count())
    expect(asked).toBeGreaterThan(100)
    expect(sent / asked).toBeLessThan(1.35)
  })
})

describe('checks', () => {
  it('take an ill origin out for all isolates, and back when it is well', async () => {
    const { c } = balanced.origins
    await balanced.whoAnswers('/checked/x')
    await expect.poll(() => stateOf('checked', 'c'), { timeout: 10_000 }).toBe('up')
    await c.script({ health: 503 })
    const asks = clients(1, '/checked/x')
    await expect.poll(() => stateOf('checked', 'c'), { timeout: 10_000 }).toBe('ill')
    expect((await view('checked')).origins.find(({ name }) => name === 'c')?.problem).toBe('it answered 503')
    await pause(2500)
    await c.count()
    await pause(500)
    expect(await c.count()).toBe(0)
    await c.script({})
    await expect.poll(() => stateOf('checked', 'c'), { timeout: 10_000 }).toBe('up')
    await expect.poll(() => c.count(), { timeout: 10_000 }).toBeGreaterThan(0)
    await asks.stop()
  })

  it('look at the body, and find an origin that is dead or hangs', async () => {
    const { a } = balanced.origins
    await balanced.ask('/expecting/x')
    await expect.poll(() => stateOf('expecting', 'a'), { timeout: 10_000 }).toBe('up')
    await a.kill()
    await expect.poll(() => stateOf('expecting', 'a'), { timeout: 10_000 }).toBe('ill')
    await a.restart()
    await expect.poll(() => stateOf('expecting', 'a'), { timeout: 10_000 }).toBe('up')
  })

  it('do not swing with an origin that flaps: reads go on elsewhere', async () => {
    await balanced.origins.d.script({ flapMs: 400 })
    const reads = clients(6, '/checked/x')
    await pause(3000)
    const counts = await reads.stop()
    expect(Object.keys(counts).filter((key) => !'abcd'.includes(key))).toEqual([])
  })
})

describe('the cache of answers', () => {
  const get = async (query: string, headers: Record<string, string> = {}) => {
    const answer = await balanced.ask(`/cache/cached/${query}`, { headers })
    return {
      status: answer.status,
      text: await answer.text(),
      how: answer.headers.get('cache-status') ?? '',
      age: answer.headers.get('age'),
      headers: answer.headers,
    }
  }
  const fresh = encodeURIComponent('public, max-age=60')
  const settled = () => pause(150)

  it('keeps what may be kept, for as long as it may', async () => {
    const first = await get(`one?cache-control=${fresh}`)
    await settled()
    const again = await get(`one?cache-control=${fresh}`)
    expect([first.how, again.how]).toEqual([
      'atoll; fwd=uri-miss; stored',
      expect.stringMatching(/^atoll; hit; ttl=\d+$/),
    ])
    expect([again.text, again.headers.get('cache-control'), again.age]).toEqual([
      first.text,
      'public, max-age=60',
      '0',
    ])
    expect(again.headers.get('atoll-policy')).toBeNull()
    const past = await get(`one?cache-control=${fresh}`, { 'Cache-Control': 'no-cache' })
    expect(past.text).not.toBe(first.text)
  })

  it.each([
    ['no-store', ''],
    ['private, max-age=60', ''],
    ['max-age=0', ''],
    ['public, max-age=60', '&set-cookie=a%3D1'],
    ['public, max-age=60', '&vary=*'],
    ['', ''],
  ])('does not keep what says %j %s', async (control, rest) => {
    const path = `not?cache-control=${encodeURIComponent(control)}${rest}`
    const first = await get(path)
    await settled()
    expect((await get(path)).text).not.toBe(first.text)
  })

  it('keeps the answers of each host apart', async () => {
    const path = `hosts?cache-control=${fresh}`
    const first = await get(path)
    await settled()
    const { port } = new URL(balanced.server.address)
    const other = await fetch(`http://localhost:${port}/cache/cached/${path}`)
    expect(await other.text()).not.toBe(first.text)
    expect((await get(path)).text).toBe(first.text)
  })

  it('asks whether what is old is still right', async () => {
    const path = `tag?cache-control=no-cache&etag=${encodeURIComponent('"v1"')}`
    const first = await get(path)
    await settled()
    const again = await get(path)
    expect([again.text, again.how]).toEqual([first.text, 'atoll; fwd=stale; fwd-status=304'])
    await settled()
    const known = await get(path, { 'If-None-Match': '"v1"' })
    expect([known.status, known.text]).toEqual([304, ''])
  })

  it('keeps an answer for each of what Vary names', async () => {
    const path = `vary?cache-control=${fresh}&vary=accept-language`
    const texts = []
    for (const language of ['de', 'fr', 'de', 'fr']) {
      texts.push((await get(path, { 'Accept-Language': language })).text)
      await settled()
    }
    expect(texts.slice(2)).toEqual(texts.slice(0, 2))
    expect(texts[0]).not.toBe(texts[1])
  })

  it('serves what is stale when the origin fails and that is allowed, and while it is renewed', async () => {
    const failing = `sie?cache-control=${encodeURIComponent('max-age=1, stale-if-error=60')}`
    const renewing = `swr?cache-control=${encodeURIComponent('max-age=1, stale-while-revalidate=60')}`
    const [first, second] = [await get(failing), await get(renewing)]
    await pause(2100)
    const stale = await get(renewing)
    expect([stale.text, stale.how]).toEqual([second.text, expect.stringContaining('stale-while-revalidate')])
    await expect.poll(async () => (await get(renewing)).text, { timeout: 5000 }).not.toBe(second.text)
    await balanced.origins.a.script({ status: 503 })
    const kept = await get(failing)
    expect([kept.text, kept.how]).toEqual([first.text, 'atoll; hit; detail=stale-if-error'])
  })

  it('keeps what members are answered for others only where the origin says so', async () => {
    const token = (sub: string) =>
      new SignJWT({ role: 'authenticated', sub })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime('1h')
        .sign(new TextEncoder().encode(jwtSecret))
    const getAs = async (sub: string, control: string) => {
      const headers = { apikey: publishableKey, authorization: `Bearer ${await token(sub)}` }
      const path = `/member-cache/cached/mine?cache-control=${encodeURIComponent(control)}`
      return (await balanced.ask(path, { headers })).text()
    }
    const first = await getAs('1', 'max-age=60')
    await settled()
    expect(await getAs('2', 'max-age=60')).not.toBe(first)
    const shared = await getAs('1', 'public, max-age=60')
    await settled()
    expect(await getAs('2', 'public, max-age=60')).toBe(shared)
    expect(
      (await balanced.ask('/member-cache/cached/mine?cache-control=public%2C%20max-age%3D60')).status,
    ).toBe(401)
  })

  it('asks once for many who come at the same time', async () => {
    const { a } = balanced.origins
    await a.script({ delayMs: 200 })
    await a.count()
    const answers = await Promise.all(Array.from({ length: 30 }, () => get(`many?cache-control=${fresh}`)))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(await a.count()).toBe(1)
    expect(answers.filter(({ how }) => how.includes('collapsed')).length).toBe(29)
  })

  it('forgets an answer when its address is written to', async () => {
    const path = `write?cache-control=${fresh}`
    const first = await get(path)
    await settled()
    await balanced.ask(`/cache/cached/${path}`, { method: 'POST', body: 'x' })
    await settled()
    expect((await get(path)).text).not.toBe(first.text)
  })
})
