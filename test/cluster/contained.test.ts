import { beforeAll, describe, expect, it } from 'vitest'
import { evenRanges, ownerOf } from '../../db/slots/shard-map.ts'
import { keySlot, slotOf } from '../../db/slots/slots.ts'
import { askMany, askOver, databases } from '../support/one-and-many.ts'
import { wrapDatabase } from '../support/wrap-database.ts'

/** How a faulty database answers; null: as it should. */
type Fault = (call: number) => Promise<never> | null

/** A database whose calls the test counts and spoils. */
function faulty(database: D1Database, fault: Fault) {
  const counted = { calls: 0, writes: 0 }
  const binding = wrapDatabase((constraint) => {
    const session = database.withSession(constraint)
    return {
      session,
      getBookmark: () => session.getBookmark(),
      around: async (call) => {
        if (constraint === 'first-primary') counted.writes++
        return (await fault(counted.calls++)) ?? call()
      },
    }
  })
  return { binding, counted }
}

const lost: Fault = () => Promise.reject(new Error('D1_ERROR: Network connection lost.'))
const json = { 'Content-Type': 'application/json' }
const map = { epoch: 1, ranges: evenRanges(['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']), epochs: new Map() }
const shardOf = (id: number) => ownerOf(map, slotOf(String(id)))
const ids = Array.from({ length: 60 }, (_, i) => i + 1)
const broken = ids.filter((id) => shardOf(id) === 'SHARD_2')
const well = ids.filter((id) => shardOf(id) !== 'SHARD_2')

beforeAll(async () => {
  expect(broken.length).toBeGreaterThan(5)
  await askMany('customers?limit=1')
})

describe('with one shard down', () => {
  const { binding } = faulty(databases.SHARD_2, lost)
  const ask = askOver({ ...databases, SHARD_2: binding })

  it('requests for other slots are answered, and those for its own told why not', async () => {
    for (const id of well.slice(0, 10)) {
      expect(
        await (await ask(`customers?id=eq.${id}&select=id,invoices(customer_id)&limit=1`)).json(),
      ).toMatchObject([{ id }])
    }
    const refused = await ask(`customers?id=eq.${broken[0]}`)
    expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([
      503,
      '1',
      { code: 'SHARD002', message: 'The database SHARD_2 cannot answer now', details: null, hint: null },
    ])
  })

  it('a question to all of them fails by its name, or is answered without it where that is allowed', async () => {
    const all = await ask('customers?select=id')
    expect([all.status, ((await all.json()) as { message: string }).message]).toEqual([
      503,
      'The database SHARD_2 cannot answer now',
    ])
    const partial = await ask('customers?select=id', { headers: { Prefer: 'partial=allow,count=exact' } })
    expect(await partial.json()).toEqual(well.map((id) => ({ id })))
    expect([
      partial.headers.get('atoll-missing-shards'),
      partial.headers.get('preference-applied'),
      partial.headers.get('content-range'),
    ]).toEqual(['SHARD_2', 'count=exact, partial=allow', `0-${well.length - 1}/${well.length}`])
  })

  it('a write to several says which part is done', async () => {
    const response = await ask(`customers?id=in.(${broken[0]},${well[0]})`, {
      method: 'PATCH',
      headers: { ...json, Prefer: 'atomicity=shard' },
      body: '{"fax":null}',
    })
    expect(response.status).toBe(207)
    expect(((await response.json()) as { details: unknown[] }).details).toEqual(
      expect.arrayContaining([
        {
          shard: 'SHARD_2',
          outcome: 'unknown',
          written: null,
          error: expect.objectContaining({ code: 'SHARD025' }),
        },
        { shard: shardOf(well[0] as number), written: 1, error: null },
      ]),
    )
  })

  it('a reference table is written, and the shard follows when it is back', async () => {
    let isDown = true
    const sometimes = faulty(databases.SHARD_2, (call) => (isDown ? lost(call) : null))
    const asking = askOver({ ...databases, SHARD_2: sometimes.binding })
    const post = (id: number) =>
      asking('genres', { method: 'POST', headers: json, body: JSON.stringify({ id, name: 'x' }) })
    expect((await post(910_001)).status).toBe(201)
    const held = () =>
      databases.SHARD_2.prepare('SELECT count(*) AS n FROM genres WHERE id > 910000').first<number>('n')
    expect(await held()).toBe(0)
    isDown = false
    expect((await post(910_002)).status).toBe(201)
    expect(await held()).toBe(2)
    await askMany('genres?id=gt.910000', { method: 'DELETE' })
  })
})

describe('unique values with one shard down', () => {
  const { binding } = faulty(databases.SHARD_2, lost)
  const ask = askOver({ ...databases, SHARD_2: binding })
  const homeOf = (value: string) => ownerOf(map, keySlot(value))
  const emailOf = async (id: number) =>
    ((await (await askMany(`customers?id=eq.${id}&select=email`)).json()) as { email: string }[])[0]?.email ??
    ''

  it('lead to every row that is on another, wherever its lookup is', async () => {
    let elsewhere = 0
    for (const id of well) {
      const email = await emailOf(id)
      if (homeOf(email) === 'SHARD_2') elsewhere++
      const found = await ask(`customers?email=eq.${encodeURIComponent(email)}&select=id`)
      expect([found.status, await found.json()]).toEqual([200, [{ id }]])
    }
    expect(elsewhere).toBeGreaterThan(3)
    // What may be on the one that is down, nobody can say.
    const gone = Array.from({ length: 100 }, (_, i) => `nobody${i}@x`).find(
      (value) => homeOf(value) === 'SHARD_2',
    )
    expect((await ask(`customers?email=eq.${gone}`)).status).toBe(503)
  })

  it('are refused by their own name where nobody can prove them, and only when they change', async () => {
    const id = (await Promise.all(well.map(async (id) => ({ id, email: await emailOf(id) })))).find(
      ({ email }) => homeOf(email) === 'SHARD_2',
    )
    const patch = (body: object) =>
      ask(`customers?id=eq.${id?.id}`, { method: 'PATCH', headers: json, body: JSON.stringify(body) })
    expect((await patch({ email: id?.email, fax: 'same' })).status).toBe(204)
    const values = Array.from({ length: 100 }, (_, i) => `new${i}@x`)
    const refused = await patch({ email: values.find((value) => homeOf(value) === 'SHARD_2') })
    expect([refused.status, await refused.json()]).toMatchObject([
      503,
      {
        code: 'SHARD027',
        message: 'A value of "customers"."email" cannot be proven unique now',
        details: 'What is known of it lies on SHARD_2, which does not answer.',
      },
    ])
    const other = values.find((value) => homeOf(value) !== 'SHARD_2')
    expect((await patch({ email: other })).status).toBe(204)
    const merged = await ask('customers?on_conflict=id', {
      method: 'POST',
      headers: { ...json, Prefer: 'resolution=merge-duplicates' },
      body: JSON.stringify({ id: id?.id, email: other, first_name: 'x', last_name: 'y' }),
    })
    expect(merged.status).toBe(200)
    const back = await askMany(`customers?id=eq.${id?.id}`, {
      method: 'PATCH',
      headers: json,
      body: JSON.stringify({ email: id?.email, fax: null }),
    })
    expect(back.status).toBe(204)
  })
})

describe('copies that a shard has missed', () => {
  it('follow before the shard answers the session that wrote', async () => {
    const [customer] = (
      await databases.SHARD_2.prepare('SELECT id, support_rep_id AS rep FROM customers LIMIT 1').all<{
        id: number
        rep: number
      }>()
    ).results
    const rep = customer?.rep
    let isDown = true
    const sometimes = faulty(databases.SHARD_2, (call) => (isDown ? lost(call) : null))
    const ask = askOver({ ...databases, SHARD_2: sometimes.binding })
    const written = await ask(`employees?id=eq.${rep}`, {
      method: 'PATCH',
      headers: json,
      body: '{"fax":"new"}',
    })
    expect(written.status).toBe(204)
    isDown = false
    const read = async (headers = {}) =>
      (await ask(`customers?id=eq.${customer?.id}&select=employees(fax)`, { headers })).json()
    expect(await read()).toEqual([{ employees: { fax: null } }])
    expect(await read({ 'Atoll-Session': written.headers.get('atoll-session') ?? '' })).toEqual([
      { employees: { fax: 'new' } },
    ])
    expect(await read()).toEqual([{ employees: { fax: 'new' } }])
    await askMany(`employees?id=eq.${rep}`, { method: 'PATCH', headers: json, body: '{"fax":null}' })
  })
})

describe('a shard that does not answer in time', () => {
  it('holds up nobody else, and is given up', async () => {
    const never = faulty(databases.SHARD_2, () => new Promise(() => undefined))
    const ask = askOver({ ...databases, SHARD_2: never.binding }, { databaseTimeoutMs: 300 })
    const order: string[] = []
    const slow = ask(`customers?id=eq.${broken[0]}`).then((response) => {
      order.push('slow')
      return response
    })
    await Promise.all(well.slice(0, 5).map(async (id) => (await ask(`customers?id=eq.${id}`)).status)).then(
      () => order.push('others'),
    )
    const response = await slow
    expect(order).toEqual(['others', 'slow'])
    expect(await response.json()).toMatchObject({
      code: 'SHARD002',
      details: 'It took more than 300 milliseconds.',
    })
  })
})

describe('calls that failed on the way', () => {
  it('are repeated when they read, and never when they write', async () => {
    const once = faulty(databases.SHARD_2, (call) => (call % 2 === 0 ? lost(call) : null))
    const ask = askOver({ ...databases, SHARD_2: once.binding })
    expect((await ask(`customers?id=eq.${broken[0]}`)).status).toBe(200)
    expect(once.counted.calls).toBe(2)
    const write = await ask(`customers?id=eq.${broken[0]}`, {
      method: 'PATCH',
      headers: json,
      body: '{"fax":null}',
    })
    expect(write.status).toBe(503)
    expect(once.counted.writes).toBe(1)
  })

  it('are repeated by a fifth at most, however many fail', async () => {
    const down = faulty(databases.SHARD_2, lost)
    const ask = askOver({ ...databases, SHARD_2: down.binding })
    for (let i = 0; i < 100; i++) await ask(`customers?id=eq.${broken[i % broken.length]}`)
    expect(down.counted.calls).toBeGreaterThan(100)
    expect(down.counted.calls).toBeLessThanOrEqual(130)
  })
})
