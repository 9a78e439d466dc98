import { createClient, type RealtimeChannel, type SupabaseClient } from '@supabase/supabase-js'
import { SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { publishableKey, secretKey, startTestServer, type TestServer } from '../support/local-server.ts'

const jwtSecret = 'a-secret-of-the-tests-that-is-long-enough'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ variables: { ATOLL_JWT_SECRET: jwtSecret } })
})
afterAll(() => server.stop())

const clients: SupabaseClient[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.removeAllChannels()))
})

type Version = '1.0.0' | '2.0.0'

function connect(token: string = publishableKey, vsn: Version = '2.0.0'): SupabaseClient {
  const isKey = token.startsWith('sb_')
  const client = createClient(server.address, isKey ? token : publishableKey, {
    ...(isKey ? {} : { accessToken: async () => token }),
    realtime: { vsn },
  })
  clients.push(client)
  return client
}

const signed = (claims: Record<string, unknown>, expires = '1h') =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(jwtSecret))

/** Joins with the client's token, and says what became of it. */
async function join(channel: RealtimeChannel): Promise<string> {
  await channel.socket.setAuth()
  return new Promise((resolve) => {
    channel.subscribe((status, error) => resolve(error ? `${status}: ${error.message}` : status))
  })
}

const eventually = (look: () => void) => vi.waitFor(look, { timeout: 15_000, interval: 20 })

describe('broadcast', () => {
  for (const [from, to] of [
    ['2.0.0', '2.0.0'],
    ['2.0.0', '1.0.0'],
    ['1.0.0', '2.0.0'],
    ['1.0.0', '1.0.0'],
  ] as const) {
    it(`reaches others of the topic, from version ${from} to ${to}`, async () => {
      const heard: unknown[] = []
      const [speaker, listener] = [connect(publishableKey, from), connect(publishableKey, to)]
      const own = speaker.channel('room', { config: { broadcast: { ack: true } } })
      const theirs = listener
        .channel('room')
        .on('broadcast', { event: 'hello' }, (message) => heard.push(message))
      own.on('broadcast', { event: '*' }, () => heard.push('own'))
      expect([await join(own), await join(theirs)]).toEqual(['SUBSCRIBED', 'SUBSCRIBED'])
      const sent = { type: 'broadcast', event: 'hello', payload: { from: 'Åse', n: [1, null] } } as const
      expect(await own.send({ type: 'broadcast', event: 'other', payload: {} })).toBe('ok')
      expect(await own.send(sent)).toBe('ok')
      await eventually(() => expect(heard).toEqual([sent]))
    })
  }

  it('comes back to who asks for it, and goes to no other topic', async () => {
    const heard: string[] = []
    const client = connect()
    const own = client.channel('self', { config: { broadcast: { self: true, ack: true } } })
    const other = client.channel('self-other').on('broadcast', { event: '*' }, () => heard.push('other'))
    own.on('broadcast', { event: '*' }, ({ event }) => heard.push(event))
    await join(own)
    await join(other)
    await own.send({ type: 'broadcast', event: 'one', payload: {} })
    await eventually(() => expect(heard).toEqual(['one']))
  })

  it('carries bytes to those who can take them', async () => {
    const heard: unknown[] = []
    const [speaker, listener, older] = [connect(), connect(), connect(publishableKey, '1.0.0')]
    const own = speaker.channel('bytes', { config: { broadcast: { ack: true } } })
    await join(own)
    await join(
      listener.channel('bytes').on('broadcast', { event: '*' }, ({ payload }) => heard.push(payload)),
    )
    await join(older.channel('bytes').on('broadcast', { event: '*' }, () => heard.push('older')))
    await own.send({ type: 'broadcast', event: 'raw', payload: Uint8Array.from([0, 255, 7]).buffer })
    await own.send({ type: 'broadcast', event: 'text', payload: { end: true } })
    await eventually(() => expect(heard).toHaveLength(3))
    expect([...new Uint8Array(heard.find((one) => one instanceof ArrayBuffer) as ArrayBuffer)]).toEqual([
      0, 255, 7,
    ])
    expect(heard).toContain('older')
  })

  it('is sent over HTTP, one or many', async () => {
    const heard: unknown[] = []
    const listener = connect()
    const channel = listener
      .channel('news')
      .on('broadcast', { event: '*' }, ({ event, payload }) => heard.push([event, payload]))
    await join(channel)
    const sender = connect().channel('news')
    expect(await sender.httpSend('first', { n: 1 })).toEqual({ success: true })
    const messages = [2, 3].map((n) => ({ topic: 'news', event: 'more', payload: { n } }))
    const answer = await fetch(`${server.address}/realtime/v1/api/broadcast`, {
      method: 'POST',
      headers: { apikey: publishableKey, 'Content-Type': 'application/json' },
      body: JSON.stringify({ messages }),
    })
    expect(answer.status).toBe(202)
    await eventually(() =>
      expect(heard).toEqual([
        ['first', { n: 1 }],
        ['more', { n: 2 }],
        ['more', { n: 3 }],
      ]),
    )
    const refused = await fetch(`${server.address}/realtime/v1/api/broadcast`, {
      method: 'POST',
      headers: { apikey: publishableKey, 'Content-Type': 'application/json' },
      body: '{"messages":[{"topic":"news"}]}',
    })
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([422, 'REAL004'])
  })

  it('is sent by the app, at once and with a write', async () => {
    const heard: unknown[] = []
    const listener = connect()
      .channel('news')
      .on('broadcast', { event: '*' }, ({ event, payload }) => heard.push([event, payload.name]))
    await join(listener)
    const headers = { apikey: secretKey }
    const answer = await fetch(`${server.address}/functions/v1/announce/Anna`, { method: 'POST', headers })
    expect(answer.status).toBe(204)
    await eventually(() =>
      expect(heard).toEqual([
        ['at once', 'Anna'],
        ['with a write', 'Anna'],
      ]),
    )
  })

  it('is refused when it is too large', async () => {
    const own = connect().channel('large', { config: { broadcast: { ack: true } } })
    await join(own)
    expect(
      await own.send({ type: 'broadcast', event: 'large', payload: { text: 'x'.repeat(300_000) } }),
    ).toBe('error')
  })
})

describe('presence', () => {
  it('tells who is there, who comes and who goes', async () => {
    const [ada, bob] = [connect(), connect(publishableKey, '1.0.0')]
    const events: unknown[] = []
    const hers = ada.channel('lobby', { config: { presence: { key: 'ada' } } })
    hers
      .on('presence', { event: 'join' }, ({ key, newPresences }) =>
        events.push(['join', key, newPresences.map(({ mood }) => mood)]),
      )
      .on('presence', { event: 'leave' }, ({ key, leftPresences }) =>
        events.push(['leave', key, leftPresences.map(({ mood }) => mood)]),
      )
    const his = bob.channel('lobby', { config: { presence: { key: 'bob', enabled: true } } })
    await join(hers)
    expect(await hers.track({ mood: 'calm' })).toBe('ok')
    await join(his)
    await eventually(() => expect(Object.keys(his.presenceState())).toEqual(['ada']))
    await his.track({ mood: 'glad' })
    await his.track({ mood: 'sad' })
    await eventually(() =>
      expect(hers.presenceState<{ mood: string }>().bob?.map(({ mood }) => mood)).toEqual(['sad']),
    )
    await his.untrack()
    await eventually(() => expect(hers.presenceState().bob).toBeUndefined())
    await his.track({ mood: 'back' })
    await eventually(() => expect(events.at(-1)).toEqual(['join', 'bob', ['back']]))
    await bob.realtime.disconnect()
    await eventually(() => expect(events.at(-1)).toEqual(['leave', 'bob', ['back']]))
    expect(Object.keys(hers.presenceState())).toEqual(['ada'])
  })
})

describe('private channels', () => {
  const config = { private: true, broadcast: { ack: true } }

  it('are for those whom the app lets in, by the name of the topic', async () => {
    const seven = connect(await signed({ role: 'authenticated', sub: '7' }))
    expect(await join(seven.channel('customer:7', { config }))).toBe('SUBSCRIBED')
    const why = 'CHANNEL_ERROR: Unauthorized: You do not have permissions to read from this Channel topic:'
    expect(await join(seven.channel('customer:8', { config }))).toBe(`${why} customer:8`)
    expect(await join(seven.channel('nowhere', { config }))).toBe(`${why} nowhere`)
    expect(await join(connect().channel('customer:7', { config }))).toBe(`${why} customer:7`)
    expect(await join(connect(secretKey).channel('nowhere', { config }))).toBe('SUBSCRIBED')
  })

  it('ask the database where a condition does', async () => {
    const steve = connect(await signed({ role: 'support', sub: '5' }))
    expect(await join(steve.channel('office:Sales Support Agent', { config }))).toBe('SUBSCRIBED')
    expect(await join(steve.channel('office:General Manager', { config }))).toMatch(
      /^CHANNEL_ERROR: Unauthorized/,
    )
  })

  it('hear only those who may send, and are apart from the public ones of their name', async () => {
    const heard: string[] = []
    const support = connect(await signed({ role: 'support', sub: '5' }))
    const customer = connect(await signed({ role: 'authenticated', sub: '7' }))
    const outside = connect().channel('customer:7', { config: { broadcast: { ack: true } } })
    const theirs = customer
      .channel('customer:7', { config })
      .on('broadcast', { event: '*' }, ({ event }) => heard.push(`customer ${event}`))
    const ours = support
      .channel('customer:7', { config })
      .on('broadcast', { event: '*' }, ({ event }) => heard.push(`support ${event}`))
    for (const channel of [outside, theirs, ours]) expect(await join(channel)).toBe('SUBSCRIBED')
    await outside.send({ type: 'broadcast', event: 'from outside', payload: {} })
    // It is not answered; what comes behind it is.
    await theirs.httpSend('not allowed', {}).then(
      () => expect.unreachable(),
      (error: Error) => expect(error.message).toMatch('You do not have permissions to send'),
    )
    await ours.send({ type: 'broadcast', event: 'allowed', payload: {} })
    await eventually(() => expect(heard).toEqual(['customer allowed']))
  })
})

describe('tokens', () => {
  it('that are none of ours are refused', async () => {
    const foreign = await new SignJWT({ role: 'authenticated', sub: '7' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode('another-secret-that-is-long-enough-too'))
    expect(await join(connect(foreign).channel('any'))).toBe(
      'CHANNEL_ERROR: JwtSignatureError: Failed to validate JWT signature',
    )
    expect(await join(connect(await signed({ role: 'authenticated' }, '-1h')).channel('any'))).toBe(
      'CHANNEL_ERROR: InvalidJWTToken: Token has expired',
    )
  })

  it('that are replaced take their rights along at once', async () => {
    let token = await signed({ role: 'authenticated', sub: '7' })
    const client = createClient(server.address, publishableKey, { accessToken: async () => token })
    clients.push(client)
    const told: unknown[] = []
    const channel = client.channel('customer:7', { config: { private: true } })
    channel.on('system', {}, (message) => told.push(message))
    const states: string[] = []
    await client.realtime.setAuth()
    channel.subscribe((status) => states.push(status))
    await eventually(() => expect(states).toEqual(['SUBSCRIBED']))
    token = await signed({ role: 'authenticated', sub: '8' })
    await client.realtime.setAuth()
    await eventually(() => expect(states).toEqual(['SUBSCRIBED', 'CLOSED']))
    expect(told).toEqual([
      {
        extension: 'system',
        status: 'error',
        message: 'You no longer have permission to read from this Channel topic: customer:7',
        channel: 'customer:7',
      },
    ])
  })
})
