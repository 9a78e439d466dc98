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

describe('frames', () => {
  /** A socket without a client, and all that came over it. */
  async function open(vsn: Version) {
    const address = `${server.address.replace('http', 'ws')}/realtime/v1/websocket?apikey=${publishableKey}&vsn=${vsn}`
    const socket = new WebSocket(address)
    const came: unknown[] = []
    socket.addEventListener('message', ({ data }) => came.push(JSON.parse(data as string)))
    await new Promise((resolve) => socket.addEventListener('open', resolve))
    const closed = new Promise<number>((resolve) =>
      socket.addEventListener('close', ({ code }) => resolve(code)),
    )
    return { socket, came, closed }
  }

  it('are answered as the protocol says, in both versions', async () => {
    const { socket, came, closed } = await open('2.0.0')
    socket.send('[null,"1","phoenix","heartbeat",{}]')
    socket.send('["2","3","realtime:nobody","broadcast",{"event":"x"}]')
    socket.send('["4","4","realtime:","phx_join",{}]')
    socket.send('["5","5","realtime:raw","phx_join",{"config":{"presence":{"enabled":false}}}]')
    socket.send('["5","6","realtime:raw","phx_leave",{}]')
    await eventually(() =>
      expect(came).toEqual([
        [null, '1', 'phoenix', 'phx_reply', { status: 'ok', response: {} }],
        [
          '2',
          '3',
          'realtime:nobody',
          'phx_reply',
          { status: 'error', response: { reason: 'unmatched topic' } },
        ],
        [
          '4',
          '4',
          'realtime:',
          'phx_reply',
          { status: 'error', response: { reason: 'TopicNameRequired: You must provide a topic name' } },
        ],
        ['5', '5', 'realtime:raw', 'phx_reply', { status: 'ok', response: { postgres_changes: [] } }],
        ['5', '6', 'realtime:raw', 'phx_reply', { status: 'ok', response: {} }],
        ['5', '5', 'realtime:raw', 'phx_close', {}],
      ]),
    )
    socket.close(1000)
    expect(await closed).toBe(1000)

    const older = await open('1.0.0')
    older.socket.send('{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}')
    await eventually(() =>
      expect(older.came).toEqual([
        {
          topic: 'phoenix',
          event: 'phx_reply',
          payload: { status: 'ok', response: {} },
          ref: '1',
          join_ref: null,
        },
      ]),
    )
    older.socket.send('no frame')
    expect(await older.closed).toBe(1003)
  })

  it('that are too many end a channel', async () => {
    const { socket, came } = await open('2.0.0')
    socket.send('["1","1","realtime:flood","phx_join",{"config":{"presence":{"enabled":false}}}]')
    await eventually(() => expect(came).toHaveLength(1))
    // Within two seconds of the clock, one has more than half of them.
    for (let n = 0; n < 400; n++) socket.send('["1","2","realtime:flood","broadcast",{"event":"x"}]')
    await eventually(() =>
      expect(came.slice(1, 3)).toEqual([
        [
          '1',
          null,
          'realtime:flood',
          'system',
          expect.objectContaining({ status: 'error', message: 'Too many messages per second' }),
        ],
        ['1', '1', 'realtime:flood', 'phx_close', {}],
      ]),
    )
    socket.close()
  })

  it('need a key of this project, a version and a WebSocket', async () => {
    const ask = (query: string, headers = {}) =>
      fetch(`${server.address}/realtime/v1/websocket?${query}`, { headers })
    expect((await ask('apikey=sb_publishable_other')).status).toBe(401)
    expect((await ask(`apikey=${publishableKey}`)).status).toBe(426)
  })
})
