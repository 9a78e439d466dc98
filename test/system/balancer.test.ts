import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { type Balanced, startBalanced } from '../support/balanced-server.ts'
import { publishableKey } from '../support/local-server.ts'

const jwtSecret = 'a-secret-of-the-balancer-tests-that-is-long-enough'

let balanced: Balanced
beforeAll(async () => {
  balanced = await startBalanced({ ATOLL_JWT_SECRET: jwtSecret })
}, 60_000)
afterAll(() => balanced?.stop())
beforeEach(async () => {
  for (const origin of Object.values(balanced.origins)) await origin.script({})
})

const times = async (n: number, work: (i: number) => Promise<string>) => {
  const counts: Record<string, number> = {}
  for (let i = 0; i < n; i++) {
    const key = await work(i)
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}
/** Miniflare would compress what goes to those who take it. */
const asItIs = { headers: { 'Accept-Encoding': 'identity' } }
const echo = async (path: string, init?: RequestInit) => {
  const answer = await balanced.ask(path, init)
  return (await answer.json()) as {
    origin: string
    url: string
    method: string
    bytes: number
    headers: Record<string, string>
  }
}

describe('what is declared', () => {
  it('is proxied, and nothing else', async () => {
    expect((await echo('/single/echo/x?y=1')).url).toBe('/echo/x?y=1')
    expect((await echo('/kept/echo')).url).toBe('/kept/echo')
    expect((await echo('/exact')).url).toBe('/exact')
    for (const path of ['/exact/more', '/nothing', '/hosted/x', '/http://127.0.0.1/', '/singles/x'])
      expect((await balanced.ask(path)).status).toBe(404)
    expect(await (await balanced.ask('/unset/x')).json()).toMatchObject({ code: 'PROXY013' })
    expect(
      (await balanced.ask('/rest/v1/genres?limit=1', { headers: { apikey: publishableKey } })).status,
    ).toBe(200)
  })

  it('is proxied for its hosts and methods', async () => {
    const hosted = await balanced.raw('GET /hosted/echo HTTP/1.1\r\nHost: shop.example.com\r\n\r\n')
    expect(hosted).toContain('"x-forwarded-host":"shop.example.com"')
    const refused = await balanced.ask('/reads/echo', { method: 'POST', body: 'x' })
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  it('goes to the declared origin whatever the request says of hosts and paths', async () => {
    for (const head of [
      'GET http://evil.test/single/echo HTTP/1.1\r\nHost: evil.test',
      'GET /single/echo HTTP/1.1\r\nHost: evil.test:80\r\nX-Forwarded-Host: evil.test\r\nX-Original-URL: /admin',
      'GET /single//evil.test/echo HTTP/1.1\r\nHost: x',
      'GET /single/@evil.test/echo HTTP/1.1\r\nHost: x',
      'GET /single/http://evil.test/echo HTTP/1.1\r\nHost: x',
      'GET /single/../single/echo HTTP/1.1\r\nHost: x',
    ])
      expect(await balanced.raw(`${head}\r\n\r\n`), head).toContain('"origin":"a"')
    for (const path of ['/single/..%2f..%2fadmin', '/single/%5c..%5cx', '/single/..;/x'])
      expect(await balanced.raw(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/^HTTP\/1.1 400 /)
    expect(await balanced.raw('GET /single/%2e%2e/rest/v1/genres HTTP/1.1\r\nHost: x\r\n\r\n')).not.toContain(
      '"origin"',
    )
    expect((await echo('/slashes/echo/a%2fb')).url).toBe('/slashes/echo/a%2fb')
  })

  it('reaches origins as one request each: none is smuggled in the body of another', async () => {
    const { a } = balanced.origins
    await a.count()
    const hidden = '0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n'
    for (const headers of [
      `Content-Length: ${hidden.length}\r\nTransfer-Encoding: chunked`,
      `Transfer-Encoding: chunked\r\nContent-Length: ${hidden.length}`,
      `Content-Length: ${hidden.length}\r\nTransfer-Encoding : chunked`,
      `Content-Length: ${hidden.length}\r\nContent-Length: 5`,
      `Content-Length: ${hidden.length}\r\nTransfer-Encoding: xchunked`,
    ])
      await balanced.raw(
        `POST /single/echo HTTP/1.1\r\nHost: x\r\n${headers}\r\nConnection: close\r\n\r\n${hidden}`,
      )
    const before = await a.count()
    // What came through came under the route's own path.
    expect(before).toBeLessThanOrEqual(5)
    const answer = await balanced.raw(
      `POST /single/echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    )
    expect(answer).toContain(`"bytes":${hidden.length}`)
    expect(await a.count()).toBe(1)
  })

  it('is not served twice: a request that has come through here is refused', async () => {
    expect((await balanced.ask('/single/echo', { headers: { 'CDN-Loop': 'atoll' } })).status).toBe(508)
  })
})

describe('on the way', () => {
  it('headers are changed as the route says', async () => {
    const answer = await balanced.ask('/dressed/echo', { headers: { 'X-Secret': '1' } })
    const { headers } = (await answer.json()) as { headers: Record<string, string> }
    expect([headers['x-from'], headers['x-secret']]).toEqual(['atoll', undefined])
    expect([answer.headers.get('x-frame-options'), answer.headers.get('x-origin')]).toEqual(['DENY', null])
  })

  it('origins are told of members who they are, and nobody else comes in', async () => {
    const token = await new SignJWT({ role: 'authenticated', sub: 'Zoë' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(jwtSecret))
    const headers = { apikey: publishableKey, 'Atoll-Subject': 'somebody', 'X-User': '2' }
    expect((await balanced.ask('/members/echo', { headers })).status).toBe(401)
    const said = await echo('/members/echo', { headers: { ...headers, authorization: `Bearer ${token}` } })
    expect(said.headers).toMatchObject({
      'atoll-role': 'authenticated',
      'atoll-subject': encodeURIComponent('Zoë'),
    })
    expect(said.headers.apikey).toBeUndefined()
  })

  it('a secret goes only to the origin that it is declared for', async () => {
    const tokens = new Map<string, string | undefined>()
    for (let i = 0; i < 40; i++) {
      const { origin, headers } = await echo('/telling/echo', {
        headers: { 'X-User': `user ${i}`, cookie: 'c=1' },
      })
      tokens.set(origin, headers['x-token'])
      expect(headers.cookie).toBe('c=1')
    }
    expect(Object.fromEntries(tokens)).toEqual({ a: 'told to a only', b: undefined })
    expect((await echo('/single/echo', { headers: { cookie: 'c=1' } })).headers.cookie).toBeUndefined()
  })

  it('redirects come back with addresses that the outside knows', async () => {
    const { a } = balanced.origins
    const locations = await Promise.all(
      [`${a.url}/login`, '/login', 'https://other.test/x'].map(async (to) =>
        (await balanced.ask(`/single/redirect?to=${encodeURIComponent(to)}`)).headers.get('location'),
      ),
    )
    expect(locations).toEqual([
      `${balanced.server.address}/single/login`,
      `${balanced.server.address}/single/login`,
      'https://other.test/x',
    ])
  })

  it('Server-Timing says which origin served, and how long it took', async () => {
    await balanced.origins.a.script({ delayMs: 50 })
    const timing = (await balanced.ask('/single/echo')).headers.get('server-timing') ?? ''
    expect(timing).toMatch(/^origin;desc="a";dur=[\d.]+, balancer;desc="tries=1";dur=[\d.]+$/)
    expect(Number(/dur=([\d.]+)/.exec(timing)?.[1])).toBeGreaterThan(45)
  })

  it('large bodies stream both ways, no faster than they are taken', async () => {
    const { a } = balanced.origins
    const total = 150_000_000
    const before = await a.written()
    const answer = await balanced.ask(`/single/bytes/${total}`, asItIs)
    await new Promise((done) => setTimeout(done, 1000))
    const ahead = (await a.written()) - before
    expect(ahead).toBeLessThan(total / 3)
    let bytes = 0
    for await (const chunk of answer.body ?? []) bytes += chunk.byteLength
    expect(bytes).toBe(total)
    const block = new Uint8Array(1_000_000)
    let sent = 0
    const body = new ReadableStream({
      pull(controller) {
        if (sent++ === 30) controller.close()
        else controller.enqueue(block)
      },
    })
    const upload = await echo('/single/echo', { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(upload.bytes).toBe(30_000_000)
  })

  it('answers begin before they end', async () => {
    const answer = await balanced.ask('/single/drip/6', asItIs)
    const start = Date.now()
    const first = (await answer.body?.getReader().read())?.value
    expect(new TextDecoder().decode(first)).toContain('line 0')
    expect(Date.now() - start).toBeLessThan(200)
    await answer.body?.cancel().catch(() => undefined)
  })

  it('WebSockets go through, with their protocols', async () => {
    const socket = new WebSocket(`${balanced.server.address.replace('http', 'ws')}/single/chat?x=1`, [
      'chat.v2',
    ])
    const messages: string[] = []
    socket.on('message', (data) => messages.push(String(data)))
    await new Promise((done) => socket.once('open', done))
    socket.send('hello')
    await expect.poll(() => messages).toEqual(['a /chat?x=1', 'hello'])
    expect(socket.protocol).toBe('chat.v2')
    socket.close()
  })

  it('bodies beyond the limits are refused, with and without a length', async () => {
    expect((await balanced.ask('/small/echo', { method: 'POST', body: 'x'.repeat(1000) })).status).toBe(200)
    expect((await balanced.ask('/small/echo', { method: 'POST', body: 'x'.repeat(1001) })).status).toBe(413)
    const stream = new Blob(['x'.repeat(5000)]).stream()
    const long = await balanced.ask('/small/echo', {
      method: 'POST',
      body: stream,
      duplex: 'half',
    } as RequestInit)
    expect(long.status).toBe(413)
    expect((await balanced.ask('/small/bytes/2000')).status).toBe(200)
    await expect(balanced.ask('/small/bytes/200000').then((answer) => answer.text())).rejects.toThrow()
  })
})

describe('strategies', () => {
  it('spread over equal origins: round robin exactly', async () => {
    expect(await times(80, () => balanced.whoAnswers('/round-robin/x'))).toEqual({
      a: 20,
      b: 20,
      c: 20,
      d: 20,
    })
  })

  it.each(['least-request', 'random'])('%s asks every origin', async (pool) => {
    const counts = await times(200, () => balanced.whoAnswers(`/${pool}/x`))
    for (const name of 'abcd') expect(counts[name]).toBeGreaterThan(20)
  })

  it.each(['least-request', 'peak-ewma'])('%s sends little to one that is slow', async (pool) => {
    await balanced.origins.d.script({ delayMs: 400 })
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        for (let i = 0; i < 12; i++) await balanced.whoAnswers(`/${pool}/x`)
      }),
    )
    await balanced.origins.d.count()
    const asked = await Promise.all(
      Array.from({ length: 12 }, async () => times(12, () => balanced.whoAnswers(`/${pool}/x`))),
    )
    const slow = asked.reduce((sum, counts) => sum + (counts.d ?? 0), 0)
    expect(slow).toBeLessThan(144 / 8)
  })

  it('consistent hashing keeps a caller at one origin, and moves the others only when it leaves', async () => {
    const who = (i: number) => balanced.whoAnswers('/hashed/x', { headers: { 'X-User': `user ${i}` } })
    const users = Array.from({ length: 40 }, (_, i) => i)
    // One after another: of many at once, bounded loads pass some on.
    const ask = async () => {
      const homes: string[] = []
      for (const i of users) homes.push(await who(i))
      return homes
    }
    const before = await ask()
    expect(await ask()).toEqual(before)
    expect(new Set(before).size).toBe(4)
    await balanced.api('/pools/hashed/origins/b', { method: 'PATCH', body: '{"mode":"disabled"}' })
    await expect.poll(async () => (await ask()).includes('b'), { timeout: 10_000 }).toBe(false)
    const after = await ask()
    const moved = users.filter((i) => before[i] !== 'b' && after[i] !== before[i])
    expect(moved.length).toBeLessThanOrEqual(2)
  })

  it('a backup is asked when those before it are ill, and not before', async () => {
    expect(await times(10, () => balanced.whoAnswers('/backup/x'))).toEqual({ a: 10 })
    await balanced.origins.a.script({ fault: 'hang-up' })
    expect(await times(10, () => balanced.whoAnswers('/backup/x'))).toEqual({ b: 10 })
  })
})

describe('operators', () => {
  it('change weights while it runs, within seconds', async () => {
    const change = await balanced.api('/pools/round-robin/origins/a', {
      method: 'PATCH',
      body: '{"weight":3}',
    })
    expect(await change.json()).toMatchObject({ name: 'a', weight: 3, declaredWeight: 1, state: 'up' })
    await balanced.api('/pools/round-robin/origins/b', { method: 'PATCH', body: '{"mode":"draining"}' })
    await expect
      .poll(() => times(20, () => balanced.whoAnswers('/round-robin/x')), { timeout: 10_000 })
      .toEqual({ a: 12, c: 4, d: 4 })
    await balanced.api('/pools/round-robin/origins/a', { method: 'PATCH', body: '{"weight":null}' })
    await balanced.api('/pools/round-robin/origins/b', { method: 'PATCH', body: '{"mode":"active"}' })
    await expect
      .poll(async () => (await times(20, () => balanced.whoAnswers('/round-robin/x'))).b, { timeout: 10_000 })
      .toBe(5)
  })

  it('see each origin as the isolates do', async () => {
    await times(30, () => balanced.whoAnswers('/peak-ewma/x'))
    const view = async () =>
      (await (await balanced.api('/pools/peak-ewma')).json()) as {
        isolates: number
        origins: { name: string; requestsPerSecond: number; latencyMs: number | null; state: string }[]
      }
    await expect
      .poll(
        async () => {
          await balanced.whoAnswers('/peak-ewma/x')
          const { origins } = await view()
          return origins.some(
            ({ requestsPerSecond, latencyMs }) => requestsPerSecond > 0 && latencyMs !== null,
          )
        },
        { timeout: 10_000, interval: 300 },
      )
      .toBe(true)
    expect((await view()).isolates).toBe(1)
    expect(((await (await balanced.api('/pools')).json()) as unknown[]).length).toBeGreaterThan(10)
  })

  it('are known by the secret key, and told what is wrong', async () => {
    const patch = (path: string, body: string, headers = {}) =>
      balanced.api(path, { method: 'PATCH', body, headers })
    expect((await patch('/pools/single/origins/a', '{}', { apikey: publishableKey })).status).toBe(401)
    expect((await patch('/pools/none/origins/a', '{}')).status).toBe(404)
    expect((await patch('/pools/single/origins/z', '{}')).status).toBe(404)
    for (const body of ['{"weight":-1}', '{"weight":"1"}', '{"mode":"off"}', '{"x":1}', 'x', ''])
      expect((await patch('/pools/single/origins/a', body)).status, body).toBe(400)
  })

  it('keep callers at their origin by a cookie that nobody else can make', async () => {
    const first = await balanced.ask('/sticky/x')
    const home = first.headers.get('x-origin')
    const cookie = first.headers.getSetCookie()[0]?.split(';')[0] as string
    expect(first.headers.getSetCookie()[0]).toMatch(/; HttpOnly; SameSite=Lax/)
    for (let i = 0; i < 8; i++) {
      const again = await balanced.ask('/sticky/echo', { headers: { cookie } })
      expect([again.headers.get('x-origin'), again.headers.getSetCookie()]).toEqual([home, []])
    }
    const other = ['a', 'b', 'c', 'd'].find((name) => name !== home) as string
    const forged = cookie.replace(/=[^.]*/, `=${Buffer.from(other).toString('base64url')}`)
    const answers = await times(8, () => balanced.whoAnswers('/sticky/x', { headers: { cookie: forged } }))
    expect(Object.keys(answers).length).toBeGreaterThan(1)
    // An origin that drains goes on serving those that it has.
    await balanced.api(`/pools/sticky/origins/${home}`, { method: 'PATCH', body: '{"mode":"draining"}' })
    await expect
      .poll(async () => home !== null && home in (await times(6, () => balanced.whoAnswers('/sticky/x'))), {
        timeout: 10_000,
      })
      .toBe(false)
    expect(await balanced.whoAnswers('/sticky/x', { headers: { cookie } })).toBe(home)
    await balanced.api(`/pools/sticky/origins/${home}`, { method: 'PATCH', body: '{"mode":"disabled"}' })
    await expect
      .poll(() => balanced.whoAnswers('/sticky/x', { headers: { cookie } }), { timeout: 10_000 })
      .not.toBe(home)
  })
})

describe('a route with a rate limit', () => {
  it('refuses a caller who asks too often, and nobody else', async () => {
    const limited = await startBalanced({ ATOLL_RATE_LIMITS: 'on' })
    try {
      const statusOf = async (user: string) => {
        const answer = await limited.ask('/limited/x', { headers: { 'X-User': user } })
        await answer.arrayBuffer()
        return [answer.status, answer.headers.get('retry-after')]
      }
      let refused: unknown[] | undefined
      // As wrangler.toml has it: 1,200 a minute.
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          for (let i = 0; i < 160 && !refused; i++) {
            const answer = await statusOf('eager')
            if (answer[0] !== 200) refused = answer
          }
        }),
      )
      expect(refused).toEqual([429, '60'])
      expect(await statusOf('patient')).toEqual([200, null])
    } finally {
      await limited.stop()
    }
  }, 60_000)
})
