import { createClient, type RealtimeChannel, type SupabaseClient } from '@supabase/supabase-js'
import { SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { publishableKey, secretKey, startTestServer, type TestServer } from '../support/local-server.ts'

const jwtSecret = 'a-secret-of-the-tests-that-is-long-enough'

let server: TestServer
let writer: SupabaseClient
beforeAll(async () => {
  server = await startTestServer({ variables: { ATOLL_JWT_SECRET: jwtSecret } })
  writer = createClient(server.address, secretKey)
})
afterAll(() => server.stop())

const clients: SupabaseClient[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.removeAllChannels()))
})

const signed = (claims: Record<string, unknown>) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwtSecret))

function connect(token: string = publishableKey): SupabaseClient {
  const isKey = token.startsWith('sb_')
  const client = createClient(server.address, isKey ? token : publishableKey, {
    ...(isKey ? {} : { accessToken: async () => token }),
  })
  clients.push(client)
  return client
}

const eventually = (look: () => void) => vi.waitFor(look, { timeout: 15_000, interval: 20 })

interface Heard {
  readonly changes: Record<string, unknown>[]
  readonly system: Record<string, unknown>[]
  readonly channel: RealtimeChannel
}

/** Subscribes, and waits until the server says that changes are told from now on, or why not. */
async function follow(client: SupabaseClient, ...wanted: Record<string, unknown>[]): Promise<Heard> {
  const heard: Heard = { changes: [], system: [], channel: client.channel(crypto.randomUUID()) }
  for (const filter of wanted) {
    const asked = { event: '*', schema: 'public', ...filter } as { event: '*'; schema: string }
    heard.channel.on('postgres_changes', asked, (change) => heard.changes.push({ ...change }))
  }
  heard.channel.on('system', {}, (message) => heard.system.push(message))
  await client.realtime.setAuth()
  const status = await new Promise((resolve) =>
    heard.channel.subscribe((state, error) => resolve(error?.message ?? state)),
  )
  expect(status).toBe('SUBSCRIBED')
  await eventually(() => expect(heard.system).not.toEqual([]))
  return heard
}

const insert = async (table: string, row: Record<string, unknown>) => {
  const { error, data } = await writer.from(table).insert(row).select().single()
  expect(error).toBeNull()
  return data as Record<string, unknown>
}

const update = async (table: string, id: unknown, values: Record<string, unknown>) => {
  expect((await writer.from(table).update(values).eq('id', id)).error).toBeNull()
}

describe('changes of rows', () => {
  it('are told with their values, keys and times to those who follow a table', async () => {
    const heard = await follow(connect(), { event: '*', table: 'artists' })
    expect(heard.system).toEqual([
      {
        extension: 'postgres_changes',
        status: 'ok',
        message: 'Subscribed to PostgreSQL',
        channel: heard.channel.subTopic,
      },
    ])
    const before = Date.now()
    const { id } = await insert('artists', { name: 'Ålesund Trio' })
    await writer.from('artists').update({ name: 'Ålesund Quartet' }).eq('id', id)
    await eventually(() => expect(heard.changes).toHaveLength(2))
    await writer.from('artists').delete().eq('id', id)
    await eventually(() => expect(heard.changes).toHaveLength(3))
    expect(
      heard.changes.map(({ eventType, new: now, old, errors }) => [
        eventType,
        (now as { name?: string }).name,
        old,
        errors,
      ]),
    ).toEqual([
      ['INSERT', expect.stringMatching(/^Ålesund/), {}, null],
      ['UPDATE', 'Ålesund Quartet', { id }, null],
      ['DELETE', undefined, { id }, null],
    ])
    for (const { commit_timestamp: at, schema, table } of heard.changes) {
      expect([schema, table]).toEqual(['public', 'artists'])
      expect(Math.abs(Date.parse(at as string) - before)).toBeLessThan(60_000)
    }
  })

  it('are told for the events, filters and columns that are asked for, several of one channel', async () => {
    const heard = await follow(
      connect(),
      { event: 'INSERT', table: 'artists', filter: 'name=eq.Wanted' },
      { event: 'UPDATE', table: 'artists', filter: 'name=in.(Wanted more,"Other, one")', select: ['id'] },
      { event: 'INSERT', table: 'albums', filter: 'title=neq.Wanted,artist_id=lte.3' },
    )
    const one = await insert('artists', { name: 'Wanted' })
    const unwanted = await insert('artists', { name: 'Unwanted' })
    const [first, , third] = [
      await insert('albums', { title: 'Kept', artist_id: 3 }),
      await insert('albums', { title: 'Wanted', artist_id: 2 }),
      await insert('albums', { title: 'Last', artist_id: 1 }),
      await insert('albums', { title: 'Far', artist_id: 4 }),
    ]
    await eventually(() => expect(heard.changes).toHaveLength(3))
    await update('artists', unwanted.id, { name: 'Wanted less' })
    await update('artists', one.id, { name: 'Other, one' })
    await eventually(() => expect(heard.changes).toHaveLength(4))
    expect(heard.changes.map((change) => change.new)).toEqual([one, first, third, { id: one.id }])
  })

  it('are told of all shards, in the order of each row', async () => {
    const service = connect(secretKey)
    const heard = await follow(service, { event: '*', table: 'customers' })
    const [a, b] = [await insert('customers', customer('a')), await insert('customers', customer('b'))]
    for (const city of ['Oslo', 'Lima', 'Rome']) {
      for (const { id } of [a, b]) await update('customers', id, { city })
    }
    await eventually(() => expect(heard.changes).toHaveLength(8))
    for (const { id } of [a, b]) {
      const own = heard.changes.filter((change) => (change.new as { id: unknown }).id === id)
      expect(own.map(({ eventType }) => eventType)).toEqual(['INSERT', 'UPDATE', 'UPDATE', 'UPDATE'])
      expect(own.at(-1)?.new).toMatchObject({ city: 'Rome' })
    }
  })

  it('that nobody may be told of are said to be none', async () => {
    for (const [token, table] of [
      [publishableKey, 'customers'],
      [publishableKey, 'nowhere'],
      [secretKey, 'genres'],
    ] as const) {
      const { system } = await follow(connect(token), { event: '*', table })
      expect(system).toEqual([
        expect.objectContaining({
          status: 'error',
          message: `Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [event: *, schema: public, table: ${table}, filters: []]`,
        }),
      ])
    }
    const { system } = await follow(connect(), { event: '*', table: 'artists', filter: 'secret=eq.1' })
    expect(system[0]?.message).toMatch('invalid column for filter secret')
  })
})

const customer = (name: string) => ({
  first_name: name,
  last_name: 'of Realtime',
  email: `${name}-${crypto.randomUUID()}@example.com`,
})

describe('rights', () => {
  it('are those of the row and the caller, also when rows go', async () => {
    const mine = await insert('customers', customer('mine'))
    const other = await insert('customers', customer('other'))
    const me = await follow(connect(await signed({ role: 'authenticated', sub: String(mine.id) })), {
      event: '*',
      table: 'invoices',
    })
    const all = await follow(connect(secretKey), { event: '*', table: 'invoices' })
    const invoice = { invoice_date: '2026-01-02', total: 3 }
    const rows = [
      await insert('invoices', { ...invoice, customer_id: other.id }),
      await insert('invoices', { ...invoice, customer_id: mine.id }),
    ]
    await eventually(() => expect(all.changes).toHaveLength(2))
    for (const { id } of rows) await writer.from('invoices').delete().eq('id', id)
    await eventually(() => {
      expect(all.changes).toHaveLength(4)
      expect(me.changes).toHaveLength(2)
    })
    expect(me.changes.map(({ eventType, new: now, old }) => [eventType, now, old])).toEqual([
      ['INSERT', rows[1], {}],
      ['DELETE', {}, { id: rows[1]?.id }],
    ])
  })

  it('follow a token that is replaced', async () => {
    const [a, b] = [
      await insert('customers', customer('first')),
      await insert('customers', customer('second')),
    ]
    let token = await signed({ role: 'authenticated', sub: String(a.id) })
    const client = createClient(server.address, publishableKey, { accessToken: async () => token })
    clients.push(client)
    const heard = await follow(client, { event: 'UPDATE', table: 'customers' })
    const change = async (city: string) => {
      for (const { id } of [a, b]) await update('customers', id, { city })
    }
    await change('Paris')
    await eventually(() => expect(heard.changes).toHaveLength(1))
    token = await signed({ role: 'authenticated', sub: String(b.id) })
    await client.realtime.setAuth()
    await change('Delhi')
    await eventually(() => expect(heard.changes).toHaveLength(2))
    expect(heard.changes.map((one) => (one.new as { id: unknown }).id)).toEqual([a.id, b.id])
  })

  it('leave out columns that the role does not see', async () => {
    const sub = '5'
    const support = await follow(connect(await signed({ role: 'support', sub })), {
      event: '*',
      table: 'invoice_items',
    })
    expect(support.system[0]?.status).toBe('ok')
    const employee = await follow(connect(await signed({ role: 'support', sub })), {
      event: '*',
      table: 'employees',
    })
    expect(employee.system[0]?.status).toBe('error')
  })
})

describe('positions', () => {
  it('let one who comes back go on where it left off', async () => {
    const [first, second] = [connect(), connect()]
    const begun = await follow(first, { event: '*', table: 'artists', since: null })
    await insert('artists', { name: 'seen' })
    await eventually(() => expect(begun.changes).toHaveLength(1))
    await eventually(() => expect(begun.system.filter(({ position }) => position)).toHaveLength(2))
    const since = begun.system.at(-1)?.position
    await first.removeAllChannels()
    const missed = [
      await insert('artists', { name: 'missed 1' }),
      await insert('artists', { name: 'missed 2' }),
    ]
    const back = await follow(second, { event: '*', table: 'artists', since })
    await eventually(() => expect(back.changes.map((change) => change.new)).toEqual(missed))
    const next = await insert('artists', { name: 'next' })
    await eventually(() => expect(back.changes.map((change) => change.new)).toEqual([...missed, next]))
  })

  it('that are no longer known are answered by telling to read anew', async () => {
    const { system } = await follow(connect(), { event: '*', table: 'artists', since: 'no position' })
    expect(system[0]).toMatchObject({ status: 'error', message: 'Changes were missed: read the rows anew' })
  })
})
