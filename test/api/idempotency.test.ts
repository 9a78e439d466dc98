/** Writes that are sent again: with a key each is made once and answered as it was, and without one what is not known is said. */
import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Cluster } from '../../db/cluster/cluster.ts'
import { sweepKeys } from '../../db/cluster/write-keys.ts'
import { evenRanges, ownerOf } from '../../db/slots/shard-map.ts'
import { slotOf } from '../../db/slots/slots.ts'
import type { AtollConfig } from '../../functions/areas.ts'
import { defineFunction, defineJob, type FunctionManifest, rows, scalar } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { genres, invoices } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { type Fate, faultyDatabases } from '../support/faulty-databases.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases, prepareAlone } from '../support/one-and-many.ts'
import { routed } from '../support/routed.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { publishableKey, secretKey } from '../support/worker-client.ts'
import { clean, first } from '../support/write-client.ts'

const { ALONE } = env as unknown as { ALONE: D1Database }
const settings = { one: { DB: ALONE }, many: databases } as const
const map = { epoch: 1, ranges: evenRanges(['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']), epochs: new Map() }
const shardOf = (id: number) => ownerOf(map, slotOf(String(id)))
const json = { 'Content-Type': 'application/json' }
const greet = defineJob({ name: 'greet', input: z.object({ n: z.number() }), run: async () => undefined })

let calls = 0
const functions: FunctionManifest = {
  count: defineFunction({
    roles: ['anon'],
    input: z.object({ id: z.int(), customer: z.int() }),
    returns: rows(genres),
    run: async ({ input: { id, customer }, database, shards, jobs, response }) => {
      calls++
      const shard = await shards.of(customer)
      await shard
        .insert(invoices)
        .values({ id: routed(id, customer), customerId: customer, invoiceDate: '2026-12-01', total: 1 })
      await jobs.send(greet, { n: id })
      response.headers.set('x-call', crypto.randomUUID())
      return database.insert(genres).values({ id, name: crypto.randomUUID() }).returning()
    },
  }),
  toss: defineFunction({
    roles: ['anon'],
    input: z.object({}),
    returns: scalar,
    run: async () => crypto.randomUUID(),
  }),
  paid: defineFunction({
    roles: ['anon'],
    input: z.object({}),
    returns: scalar,
    undoable: false,
    run: async () => 'paid',
  }),
}

interface Sent {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly prefer?: string
  readonly key?: string | null
  readonly apikey?: string
}

type Send = (sent: Sent) => Promise<Told>

/** What an answer says, and whether it says that it was given before. */
interface Told {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string | null>>
  readonly replayed: boolean
  readonly retryAfter: string | null
  readonly exposed: string | null
}

function sender(bindings: Readonly<Record<string, unknown>>, config: Partial<AtollConfig> = {}): Send {
  const gateway = createGateway({
    tables,
    functions,
    jobs: [greet],
    config: { maxRows: null, cache: false, ...config },
  })
  const all = {
    ATOLL_SECRET_KEY: secretKey,
    ATOLL_PUBLISHABLE_KEY: publishableKey,
    ATOLL_RATE_LIMITS: 'off',
    ...bindings,
  }
  return async ({ method, path, body, prefer = '', key = null, apikey = secretKey }) => {
    const headers = new Headers({ ...json, Prefer: prefer, apikey })
    if (key !== null) headers.set('Idempotency-Key', key)
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const response = await fetchFrom(gateway, new Request(`http://atoll.test/rest/v1/${path}`, init), all)
    const header = (name: string) => response.headers.get(name)
    return {
      status: response.status,
      text: await response.text(),
      headers: Object.fromEntries(
        ['content-range', 'content-type', 'location', 'preference-applied', 'x-call'].map((name) => [
          name,
          header(name),
        ]),
      ),
      replayed: header('idempotency-replayed') === 'true',
      retryAfter: header('retry-after'),
      exposed: header('access-control-expose-headers'),
    }
  }
}

const codeOf = ({ text }: Told) => (JSON.parse(text) as { code: string }).code
const answerOf = ({ status, text, headers }: Told) => ({ status, text, headers })
const customer = (email: string) => ({ first_name: 'Idem', last_name: 'Potent', email: `${email}@idem.test` })

async function count(bindings: Readonly<Record<string, D1Database>>, from: string): Promise<number> {
  const found = await Promise.all(
    Object.values(bindings).map((database) =>
      database.prepare(`SELECT count(*) AS n FROM ${from}`).first<number>('n'),
    ),
  )
  return found.reduce<number>((sum, n) => sum + Number(n), 0)
}

beforeAll(prepareAlone)
afterEach(async () => {
  await clean()
  for (const bindings of Object.values(settings)) {
    const send = sender(bindings)
    const gone = [
      `invoices?id=gte.${routed(first, 1)}`,
      'customers?email=like.*@idem.test',
      `genres?id=gte.${first}`,
      'artists?name=like.idem*',
    ]
    for (const path of gone) {
      const { status, text } = await send({ method: 'DELETE', path, prefer: 'atomicity=shard' })
      if (status !== 204) throw new Error(`${path}: ${text}`)
    }
  }
})

describe.each(Object.entries(settings))('a write with a key, on %s', (_, bindings) => {
  const send = sender(bindings)
  const email = () => crypto.randomUUID()

  it.each<[string, () => Sent]>([
    [
      'an insert',
      () => ({
        method: 'POST',
        path: 'genres',
        body: { id: first, name: 'x' },
        prefer: 'return=representation',
      }),
    ],
    [
      'a numbered insert',
      () => ({
        method: 'POST',
        path: 'artists?columns=name&select=id',
        body: [{ name: 'idem1' }, { name: 'idem2' }],
        prefer: 'return=representation,count=exact',
      }),
    ],
    [
      'Location',
      () => ({ method: 'POST', path: 'artists', body: { name: 'idem' }, prefer: 'return=headers-only' }),
    ],
    [
      'an id and a place of its own',
      () => ({
        method: 'POST',
        path: 'customers?select=id,email',
        body: customer(email()),
        prefer: 'return=representation',
      }),
    ],
    [
      'parts on several shards',
      () => ({
        method: 'POST',
        path: 'customers?select=id,email&order=email.desc',
        body: Array.from({ length: 6 }, () => customer(email())),
        prefer: 'return=representation,atomicity=shard,count=exact',
      }),
    ],
    [
      'a merge',
      () => ({
        method: 'POST',
        path: 'genres?on_conflict=id',
        body: [
          { id: first, name: 'x' },
          { id: first + 1, name: 'y' },
        ],
        prefer: 'return=representation,resolution=merge-duplicates',
      }),
    ],
    [
      'PUT',
      () => ({
        method: 'PUT',
        path: `genres?id=eq.${first}`,
        body: { id: first, name: 'put' },
        prefer: 'return=representation',
      }),
    ],
  ])('is answered again: %s', async (_, make) => {
    const sent = { ...make(), key: crypto.randomUUID() }
    const told = await send(sent)
    expect([told.status, told.replayed, told.text]).toEqual([201, false, told.text])
    for (const key of [sent.key, `"${sent.key}"`, `"${sent.key}"; v=1`]) {
      const again = await send({ ...sent, key })
      expect([again.replayed, answerOf(again)]).toEqual([true, answerOf(told)])
      expect(again.exposed).toContain('Idempotency-Replayed')
    }
    // And the same as without a key.
    const rows = ({ text }: Told) => text.replace(/"id":\d+|"[\w-]+@idem.test"/g, '…')
    const other = make().method === 'PUT' || sent.path.startsWith('genres') ? null : await send(make())
    if (other !== null)
      expect([other.status, rows(other), Object.keys(other.headers)]).toEqual([
        201,
        rows(told),
        Object.keys(told.headers),
      ])
  })

  it('is answered again when its rows are not to be found any more', async () => {
    const [a, b] = [email(), email()]
    const made = await send({
      method: 'POST',
      path: 'customers',
      body: [customer(a), customer(b)],
      prefer: 'atomicity=shard',
    })
    expect(made.status).toBe(201)
    const writes: Sent[] = [
      {
        method: 'PATCH',
        path: `customers?email=eq.${a}@idem.test&select=email`,
        body: { email: `${b}2@idem.test` },
        prefer: 'return=representation',
      },
      {
        method: 'PATCH',
        path: 'customers?email=like.*@idem.test&company=is.null&order=email&select=email,company',
        body: { company: 'idem' },
        prefer: 'return=representation,atomicity=shard,count=exact',
      },
      {
        method: 'DELETE',
        path: 'customers?email=like.*@idem.test&order=email&limit=1',
        prefer: 'return=representation',
      },
      {
        method: 'DELETE',
        path: 'customers?company=eq.idem&select=company',
        prefer: 'return=representation,atomicity=shard',
      },
    ]
    for (const sent of writes) {
      const key = crypto.randomUUID()
      const told = await send({ ...sent, key })
      expect([sent.path, told.status, JSON.parse(told.text).length > 0]).toEqual([sent.path, 200, true])
      for (let i = 0; i < 3; i++) {
        const again = await send({ ...sent, key })
        expect([again.replayed, answerOf(again)]).toEqual([true, answerOf(told)])
      }
    }
    expect(await count(bindings, "customers WHERE email LIKE '%@idem.test'")).toBe(0)
  })

  it('is refused with another request, and may be another one when it was refused', async () => {
    const key = crypto.randomUUID()
    const post = (body: unknown, prefer = '') =>
      send({ method: 'POST', path: 'customers', body, prefer, key })
    const wrong = { ...customer(email()), support_rep_id: 987_654 }
    expect((await post(wrong)).status).toBe(409)
    const right = customer(email())
    expect((await post(right)).status).toBe(201)
    for (const other of [await post(customer(email())), await post(right, 'return=representation')]) {
      expect([other.status, codeOf(other)]).toEqual([422, 'IDEM003'])
    }
    const genre = await send({ method: 'POST', path: 'genres', body: { id: first, name: 'x' }, key })
    expect([genre.status, codeOf(genre)]).toEqual([422, 'IDEM003'])
    expect((await post(right)).replayed).toBe(true)
  })

  it('is made once by two at the same time', async () => {
    for (const path of ['customers', 'artists']) {
      const key = crypto.randomUUID()
      const body = path === 'customers' ? customer(key) : { name: `idem ${key}` }
      const both = await Promise.all(
        [1, 2, 3].map(() => send({ method: 'POST', path, body, prefer: 'return=representation', key: key })),
      )
      const answered = both.filter(({ status }) => status === 201)
      for (const told of both) {
        if (told.status !== 201)
          expect([told.status, codeOf(told), told.retryAfter]).toEqual([409, 'IDEM002', '1'])
      }
      const where = path === 'customers' ? `email = '${key}@idem.test'` : `name = 'idem ${key}'`
      const holders = path === 'customers' ? bindings : { DB: bindings.DB }
      expect(await count(holders, `${path} WHERE ${where}`)).toBe(answered.length === 0 ? 0 : 1)
      expect(new Set(answered.map(({ text }) => text)).size).toBeLessThanOrEqual(1)
    }
  })

  it('says what it cannot keep, and writes nothing then', async () => {
    const small = sender(bindings, { idempotencyMaxAnswerBytes: 100 })
    const body = { id: first, name: 'x'.repeat(100) }
    const sent = { method: 'POST', path: 'genres', body, key: crypto.randomUUID() }
    const refused = await small({ ...sent, prefer: 'return=representation' })
    expect([refused.status, codeOf(refused)]).toEqual([413, 'IDEM004'])
    expect((await small(sent)).status).toBe(201)
    const narrow = sender(bindings, { idempotencyMaxCallerBytes: 1 })
    const full = await narrow({ ...sent, body: { id: first + 1, name: 'y' }, key: crypto.randomUUID() })
    expect([full.status, codeOf(full)]).toEqual([429, 'IDEM005'])
    expect((await narrow(sent)).replayed).toBe(true)
    expect(await count({ DB: bindings.DB }, `genres WHERE id >= ${first}`)).toBe(1)
  })

  it('of a function is made once, with all that it wrote and sent', async () => {
    const body = { id: first + 5, customer: 3 }
    const sent = {
      method: 'POST',
      path: 'rpc/count',
      body,
      key: crypto.randomUUID(),
      apikey: publishableKey,
    }
    const before = calls
    const told = await send(sent)
    expect([told.status, told.replayed]).toEqual([200, false])
    const again = await send(sent)
    expect([again.replayed, answerOf(again), calls - before]).toEqual([true, answerOf(told), 1])
    expect(await count(bindings, `invoices WHERE id = ${routed(first + 5, 3)}`)).toBe(1)
    expect(await count(bindings, `_atoll_jobs WHERE payload LIKE '%${first + 5}%'`)).toBe(1)
    const other = await send({ ...sent, body: { ...body, customer: 4 } })
    expect([other.status, codeOf(other)]).toEqual([422, 'IDEM003'])
    // One that writes nothing is known, too; one that cannot be undone is not run.
    const toss = { ...sent, path: 'rpc/toss', body: {}, key: crypto.randomUUID() }
    const tossed = await send(toss)
    expect(answerOf(await send(toss))).toEqual(answerOf(tossed))
    const paid = await send({ ...toss, path: 'rpc/paid' })
    expect([paid.status, codeOf(paid)]).toEqual([400, 'IDEM006'])
  })
})

describe('a key', () => {
  const send = sender(databases)
  const genre = (n: number): Sent => ({ method: 'POST', path: 'genres', body: { id: first + n, name: 'x' } })

  it('is 1 to 255 visible characters, in quotes or not', async () => {
    for (const key of ['', '""', '"a', 'a b', 'a,b', 'é', 'x'.repeat(256), `"${'x'.repeat(256)}"`]) {
      const told = await send({ ...genre(1), key })
      expect([key, told.status, codeOf(told)]).toEqual([key, 400, 'IDEM001'])
    }
    expect((await send({ ...genre(1), key: `"a \\"${'x'.repeat(200)}"` })).status).toBe(201)
    // Reads and what is undone have nothing to keep.
    expect((await send({ method: 'GET', path: 'genres?limit=1', key: '' })).status).toBe(200)
    const undone = { ...genre(2), prefer: 'tx=rollback', key: crypto.randomUUID() }
    expect(
      [await send(undone), await send(undone)].map(({ status, replayed }) => [status, replayed]),
    ).toEqual([
      [201, false],
      [201, false],
    ])
  })

  it('answers nobody but the caller who sent it', async () => {
    const key = crypto.randomUUID()
    const toss = { method: 'POST', path: 'rpc/toss', body: {}, key }
    const mine = await send(toss)
    const theirs = await send({ ...toss, apikey: publishableKey })
    expect([theirs.status, theirs.replayed, theirs.text === mine.text]).toEqual([200, false, false])
    expect((await send(toss)).text).toBe(mine.text)
  })

  it('is forgotten after its time, and what it took up with it', async () => {
    const key = crypto.randomUUID()
    const toss = { method: 'POST', path: 'rpc/toss', body: {}, key }
    const told = await send(toss)
    const brief = sender(databases, { idempotencyKeySeconds: -1 })
    expect((await brief(toss)).text).not.toBe(told.text)
    const cluster = new Cluster(new Map(Object.entries(databases)), { migrations: [], timeoutMs: 5000 })
    const session = cluster.open({ reads: false, seen: new Map() })
    for (const name of Object.keys(databases)) await session.on(name, sweepKeys(-1000))
    expect(await count(databases, '_atoll_idempotency')).toBe(0)
    expect(await count(databases, '_atoll_idempotency_use')).toBe(0)
  })
})

describe('a write whose outcome is not known', () => {
  const quick = { databaseTimeoutMs: 150 }
  /** The fate of the n-th write to a database. */
  const spoiled = (name: string, fate: Fate, spoils: () => boolean, config: Partial<AtollConfig> = quick) => {
    const fateOf = (database: string) => (database === name && spoils() ? fate : 'answered')
    const { bindings, settled } = faultyDatabases(databases, { fateOf, lateMs: 400 })
    return { send: sender(bindings, config), settled }
  }
  const id = Array.from({ length: 2000 }, (_, i) => first + i).find((n) => shardOf(n) === 'SHARD_2') as number
  const insert: Sent = { method: 'POST', path: 'customers', body: { id, ...customer('late') } }

  it.each<Fate>(['lost-after', 'late'])('says so, and does not invite to send it again: %s', async (fate) => {
    let writes = 0
    // The reservation of the email comes before, here or elsewhere: it is the last of them that writes.
    const { send, settled } = spoiled('DB', fate, () => ++writes === 1)
    const told = await send({ method: 'PATCH', path: 'genres?id=eq.1', body: { name: 'Rock' } })
    await settled()
    expect([told.status, codeOf(told), told.retryAfter]).toEqual([503, 'SHARD025', null])
    expect(JSON.parse(told.text).hint).toContain('Idempotency-Key')
  })

  it('is told from one that was refused, or never sent', async () => {
    for (const message of [
      'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
      'D1_ERROR: D1 DB is overloaded. Too many requests queued.',
      'Cannot resolve D1 DB due to transient issue on remote node.',
    ]) {
      const broken = {
        withSession: () => ({
          prepare: () => ({ bind: () => ({ all: () => Promise.reject(new Error(message)) }) }),
          batch: () => Promise.reject(new Error(message)),
          getBookmark: () => null,
        }),
      }
      const send = sender({ DB: broken })
      const told = await send({ method: 'POST', path: 'genres', body: { id: first, name: 'x' } })
      expect([message, told.status, codeOf(told), told.retryAfter]).toEqual([message, 503, 'SHARD002', '1'])
      const read = await sender({ DB: broken })({ method: 'GET', path: 'genres' })
      expect(codeOf(read)).toBe('SHARD002')
    }
  })

  it('of several shards is told from the parts that are written and those that are not', async () => {
    const ids = Object.keys(databases).map(
      (name) =>
        Array.from({ length: 2000 }, (_, i) => i + 1).find((n) => n < 60 && shardOf(n) === name) as number,
    )
    let on = false
    const { send, settled } = spoiled('SHARD_2', 'late', () => on)
    await send({ method: 'GET', path: 'customers?limit=1' })
    on = true
    const patch = { method: 'PATCH', path: `customers?id=in.(${ids})`, body: { fax: null } }
    const told = await send({ ...patch, prefer: 'atomicity=shard' })
    on = false
    await settled()
    expect(told.status).toBe(207)
    const { code, details, hint } = JSON.parse(told.text)
    expect([code, hint.includes('unknown')]).toEqual(['SHARD010', true])
    expect(details).toContainEqual({
      shard: 'SHARD_2',
      outcome: 'unknown',
      written: null,
      error: expect.objectContaining({ code: 'SHARD025' }),
    })
    expect(details).toContainEqual({ shard: 'SHARD_1', written: 1, error: null })
  })

  it('is found out within the request when it has a key and the connection broke', async () => {
    let on = false
    let broken = 0
    const { send } = spoiled('DB', 'lost-after', () => on && broken++ === 0)
    await send({ method: 'GET', path: 'genres?limit=1' })
    on = true
    const sent = { method: 'POST', path: 'artists', body: { name: 'idem found' }, key: crypto.randomUUID() }
    const told = await send({ ...sent, prefer: 'return=representation' })
    expect([told.status, told.replayed, broken > 1]).toEqual([201, false, true])
    expect(await count({ DB: databases.DB }, "artists WHERE name = 'idem found'")).toBe(1)
  })

  it('is answered by the key when it is sent again after a late commit', async () => {
    let on = true
    const { send, settled } = spoiled('SHARD_2', 'late', () => on)
    const key = crypto.randomUUID()
    const told = await send({ ...insert, key })
    expect(told.status).toBe(503)
    on = false
    await settled()
    let again = await send({ ...insert, key })
    while (again.status === 409) {
      await new Promise((done) => setTimeout(done, 100))
      again = await send({ ...insert, key })
    }
    expect(again.status).toBe(201)
    expect(await count(databases, `customers WHERE id = ${id}`)).toBe(1)
    expect((await send({ ...insert, key })).replayed).toBe(true)
  })
})

/** How many writes, and with which luck. */
const seed = Number(process.env.ATOLL_SEED ?? Math.floor(Math.random() * 1e9))

describe(`writes with keys under faults, seed ${seed}`, () => {
  it.each(Object.entries(settings))(
    'are made exactly once, and always answered the same: %s',
    async (name, own) => {
      const random = seededRandom(seed)
      const below = (n: number) => Math.floor(random() * n)
      let calm = false
      const fateOf = (): Fate => {
        const luck = calm ? 100 : below(100)
        return luck < 2 ? 'lost-before' : luck < 7 ? 'lost-after' : luck < 9 ? 'late' : 'answered'
      }
      const { bindings, settled } = faultyDatabases(own, { fateOf, lateMs: 250 })
      const send = sender(bindings, { databaseTimeoutMs: 120 })
      const steady = sender(own)
      await steady({
        method: 'POST',
        path: 'customers',
        body: Array.from({ length: 8 }, (_, i) => customer(`old${i}`)),
        prefer: 'atomicity=shard',
      })

      interface Write {
        readonly sent: Sent
        /** How many rows there are when it is made once. */
        readonly check: () => Promise<[found: number, wanted: number]>
      }
      const make = (n: number): Write => {
        const mark = `${seed}-${n}`
        const found = (from: string, wanted: number) => async (): Promise<[number, number]> => [
          await count(own, from),
          wanted,
        ]
        const size = 1 + below(6)
        switch (below(6)) {
          case 0:
            return {
              sent: {
                method: 'POST',
                path: 'artists',
                body: { name: `idem ${mark}` },
                prefer: 'return=representation',
              },
              check: async () => [await count({ DB: own.DB }, `artists WHERE name = 'idem ${mark}'`), 1],
            }
          case 1:
          case 2:
            return {
              sent: {
                method: 'POST',
                path: 'customers?order=email',
                body: Array.from({ length: size }, (_, i) => customer(`${mark}-${i}`)),
                prefer: 'return=representation,atomicity=shard,count=exact',
              },
              check: found(`customers WHERE email LIKE '${mark}-%'`, size),
            }
          case 3:
            return {
              sent: {
                method: 'POST',
                path: 'invoices',
                body: { customer_id: 1 + below(50), invoice_date: mark, total: 1 },
                prefer: 'return=headers-only',
              },
              check: found(`invoices WHERE invoice_date = '${mark}'`, 1),
            }
          case 4:
            return {
              sent: {
                method: 'POST',
                path: 'rpc/count',
                body: { id: first + 100 + n, customer: 1 + below(50) },
              },
              check: async () => [
                (await count({ DB: own.DB }, `genres WHERE id = ${first + 100 + n}`)) +
                  (await count(own, `_atoll_jobs WHERE payload LIKE '%${first + 100 + n}%'`)),
                2,
              ],
            }
          default:
            return {
              sent: {
                method: 'PATCH',
                path: `customers?email=eq.old${n % 8}@idem.test&phone=is.null`,
                body: { phone: mark },
                prefer: 'count=exact',
              },
              check: found(
                `customers WHERE phone = '${mark}' OR (email = 'old${n % 8}@idem.test' AND phone IS NOT NULL)`,
                1,
              ),
            }
        }
      }
      const isAnswered = ({ status }: Told) => status < 207
      const perform = async (n: number) => {
        const { sent, check } = make(n)
        const asked = { ...sent, key: `${name}-${seed}-${n}` }
        const answers: Told[] = []
        let last: Told | null = null
        // A function that has come through on some databases only is told so for good: nobody can run the rest of it alone.
        let partly = 0
        for (let tries = 0; tries < 200 && answers.length < 3 && partly < 10; tries++) {
          const many = below(4) === 0 ? 2 : 1
          const told = await Promise.all(Array.from({ length: many }, () => send(asked)))
          for (const one of told) {
            last = one
            // What is not answered says that it may be sent again, and not that it was refused.
            if (isAnswered(one)) answers.push(one)
            else expect([503, 207, 409]).toContain(one.status)
          }
          partly = told.every(({ text }) => text.includes('SHARD023')) ? partly + 1 : 0
          await new Promise((done) => setTimeout(done, 50))
        }
        return { n, asked, check, answers, last }
      }
      const done: Awaited<ReturnType<typeof perform>>[] = []
      let next = 0
      const client = async () => {
        for (let n = next++; n < 20; n = next++) done.push(await perform(n))
      }
      await Promise.all([client(), client(), client(), client()])
      calm = true
      await settled()
      for (const { n, asked, check, answers, last } of done) {
        const final = await send(asked)
        if (final.text.includes('SHARD023')) {
          const { id, customer } = asked.body as { id: number; customer: number }
          const genre = await count({ DB: own.DB }, `genres WHERE id = ${id}`)
          const invoice = await count(own, `invoices WHERE id = ${routed(id, customer)}`)
          expect([n, asked.path, answers.length, genre + invoice]).toEqual([n, 'rpc/count', 0, 1])
          continue
        }
        expect([n, answers.length > 0 || isAnswered(final) || last?.text]).toEqual([n, true])
        for (const one of answers) expect({ n, ...answerOf(one) }).toEqual({ n, ...answerOf(final) })
        const [found, wanted] = await check()
        expect([n, asked.path, found]).toEqual([n, asked.path, wanted])
      }
    },
    240_000,
  )
})
