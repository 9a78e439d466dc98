import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { Column, Table } from '../../db/catalog/catalog.ts'
import { Cluster } from '../../db/cluster/cluster.ts'
import { sweepOrphans } from '../../db/cluster/sweep-orphans.ts'
import { find, permitClaims, reserve } from '../../db/cluster/unique-values.ts'
import { evenRanges, ownerOf } from '../../db/slots/shard-map.ts'
import { keySlot, slotOf } from '../../db/slots/slots.ts'
import { endPermits, permittedTexts } from '../../db/system/permits.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { askMany, databases } from '../support/one-and-many.ts'

const catalog = buildCatalog(tables)
const table = catalog.tables.get('customers') as Table
const column = table.columns.get('email') as Column
const map = { epoch: 1, ranges: evenRanges(['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']), epochs: new Map() }
const shardOf = (id: number) => ownerOf(map, slotOf(String(id)))

/** Ids of customers that are not in the seed, one for each database. */
const ids = Object.keys(databases).map((name) => {
  let id = 900_000
  while (shardOf(id) !== name) id++
  return id
})
const [here, there, third] = ids as [number, number, number]
const customer = (id: number, email: string | null) => ({ id, first_name: 'A', last_name: 'B', email })
const json = { 'Content-Type': 'application/json' }
const send = (method: string, path: string, body?: unknown, prefer = '') =>
  askMany(path, {
    method,
    headers: { ...json, ...(prefer ? { Prefer: prefer } : {}) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
const statusOf = async (response: Promise<Response>) => (await response).status

/** Every entry of the lookup table for test customers. */
async function entries(): Promise<string[]> {
  const found = await Promise.all(
    Object.values(databases).map(async (database) => {
      const { results } = await database
        .prepare("SELECT value FROM _atoll_unique WHERE value LIKE '%@unique.test' OR value IN ('a', 'b')")
        .all<{ value: string }>()
      return results.map(({ value }) => value)
    }),
  )
  return found.flat().sort()
}

async function emails(): Promise<string[]> {
  const rows = (await (await askMany('customers?id=gte.900000&select=email')).json()) as { email: string }[]
  return rows.map(({ email }) => email).sort()
}

const sessionOf = () =>
  new Cluster(new Map(Object.entries(databases)), { migrations: [], timeoutMs: 5000 }).open({
    reads: false,
    seen: new Map(),
  })

beforeAll(() => expect(new Set(ids.map(shardOf)).size).toBe(4))
afterEach(async () => {
  await send('DELETE', 'customers?id=gte.900000', undefined, 'atomicity=shard')
  expect(await entries()).toEqual([])
})

describe('a column that is unique across shards', () => {
  it('takes a value once, wherever the rows lie', async () => {
    expect(await statusOf(send('POST', 'customers', customer(here, 'a@unique.test')))).toBe(201)
    for (const id of [there, third, here + 1]) {
      const refused = await send('POST', 'customers', customer(id, 'a@unique.test'))
      expect([refused.status, await refused.json()]).toEqual([
        409,
        {
          code: '23505',
          message: 'duplicate key value violates unique constraint "customers_email_unique"',
          details: 'Key (email)=(a@unique.test) already exists.',
          hint: null,
        },
      ])
    }
    const both = [customer(there, 'b@unique.test'), customer(third, 'b@unique.test')]
    expect(await statusOf(send('POST', 'customers', both, 'atomicity=shard'))).toBe(409)
    expect(await emails()).toEqual(['a@unique.test'])
    expect(await entries()).toEqual(['a@unique.test'])
  })

  it('gives a value free when its row is deleted or takes another', async () => {
    await send('POST', 'customers', customer(here, 'a@unique.test'))
    expect(await statusOf(send('PATCH', `customers?id=eq.${here}`, { email: 'b@unique.test' }))).toBe(204)
    expect(await entries()).toEqual(['b@unique.test'])
    expect(await statusOf(send('POST', 'customers', customer(there, 'a@unique.test')))).toBe(201)
    expect(await statusOf(send('DELETE', `customers?id=eq.${here}`))).toBe(204)
    expect(await statusOf(send('POST', 'customers', customer(third, 'b@unique.test')))).toBe(201)
    expect(await emails()).toEqual(['a@unique.test', 'b@unique.test'])
    expect(await entries()).toEqual(['a@unique.test', 'b@unique.test'])
  })

  it('holds for updates: of a row, of several, and of those that some filter finds', async () => {
    await send('POST', 'customers', customer(here, 'a@unique.test'))
    await send('POST', 'customers', customer(there, 'b@unique.test'))
    const set = { email: 'a@unique.test' }
    expect(await statusOf(send('PATCH', `customers?id=eq.${there}`, set))).toBe(409)
    expect(await statusOf(send('PATCH', `customers?id=in.(${here},${there})`, set, 'atomicity=shard'))).toBe(
      409,
    )
    expect(await statusOf(send('PATCH', 'customers?email=eq.b@unique.test', set))).toBe(409)
    expect(await statusOf(send('PATCH', `customers?id=eq.${here}`, set))).toBe(204)
    expect(
      await statusOf(send('PATCH', 'customers?email=eq.b@unique.test', { email: 'c@unique.test' })),
    ).toBe(204)
    expect(await statusOf(send('PATCH', 'customers?email=eq.nobody', { email: 'd@unique.test' }))).toBe(204)
    expect(await emails()).toEqual(['a@unique.test', 'c@unique.test'])
    expect(await entries()).toEqual(['a@unique.test', 'c@unique.test'])
  })

  it('holds for merges, and for writes that are undone or fail', async () => {
    await send('POST', 'customers', customer(here, 'a@unique.test'))
    const merge = (id: number, email: string) =>
      statusOf(send('POST', 'customers', customer(id, email), 'resolution=merge-duplicates'))
    expect(await merge(here, 'b@unique.test')).toBe(200)
    expect(await merge(there, 'b@unique.test')).toBe(409)
    expect(await merge(there, 'a@unique.test')).toBe(201)
    expect(await entries()).toEqual(['a@unique.test', 'b@unique.test'])
    expect(await statusOf(send('PUT', `customers?id=eq.${there}`, customer(there, 'c@unique.test')))).toBe(
      204,
    )
    const ignored = customer(here, 'd@unique.test')
    expect(await statusOf(send('POST', 'customers', ignored, 'resolution=ignore-duplicates'))).toBe(201)
    expect(await statusOf(send('POST', 'customers', customer(third, 'e@unique.test'), 'tx=rollback'))).toBe(
      201,
    )
    const orphan = { ...customer(third, 'f@unique.test'), support_rep_id: 77_777 }
    expect(await statusOf(send('POST', 'customers', orphan))).toBe(409)
    expect(await emails()).toEqual(['b@unique.test', 'c@unique.test'])
    expect(await entries()).toEqual(['b@unique.test', 'c@unique.test'])
  })

  it('sends a filter on it to the one shard that has the row', async () => {
    await send('POST', 'customers', customer(here, 'a@unique.test'))
    await send('POST', 'customers', customer(there, 'b@unique.test'))
    const found = await askMany('customers?select=id&order=id&email=in.(a@unique.test,b@unique.test,x)')
    expect(await found.json()).toEqual([{ id: here }, { id: there }].sort((a, b) => a.id - b.id))
    // A row that no entry knows of is not looked for: only the entry's shard is asked.
    const strays = { DB: 0, SHARD_1: 1, SHARD_2: 2, SHARD_3: 3 }
    const elsewhere = Object.keys(strays).find((name) => name !== shardOf(here)) as 'DB'
    const stray = databases[elsewhere]
    await stray.batch(
      permittedTexts([
        "INSERT INTO customers (id, first_name, last_name, email) VALUES (999999, 'A', 'B', 'a@unique.test')",
      ]).map((text) => stray.prepare(text)),
    )
    const one = await askMany('customers?select=id&email=eq.a@unique.test')
    expect(await one.json()).toEqual([{ id: here }])
    await stray.prepare('DELETE FROM customers WHERE id = 999999').run()
    expect(await (await askMany('customers?select=id&email=eq.nobody')).json()).toEqual([])
  })

  it('tells a caller whose row would be denied nothing of it', async () => {
    await send('POST', 'customers', customer(here, 'a@unique.test'))
    const refused = await askMany('customers', {
      method: 'POST',
      headers: { ...json, apikey: 'sb_publishable_test' },
      body: JSON.stringify(customer(there, 'a@unique.test')),
    })
    expect(refused.status).toBe(401)
  })
})

describe('a reservation', () => {
  const claim = (id: number, value: string) => ({ table, column, value, slot: slotOf(String(id)) })

  /** A writer's transaction: the permit of what it reserved, the row that uses it, and the end. */
  const writing = (id: number, token: string) => [
    ...permitClaims([{ claim: claim(id, 'a'), token }]),
    {
      text: `INSERT INTO customers (id, first_name, last_name, email) VALUES (${id}, 'x', 'y', 'a')`,
      parameters: [],
    },
    endPermits,
  ]

  it('whose writer died is taken over, and the dead cannot come back', async () => {
    const session = sessionOf()
    expect(await reserve(session, [claim(here, 'a')], 'dead')).toMatchObject({ taken: [], contended: false })
    const begun = Date.now()
    expect(await reserve(session, [claim(there, 'a')], 'heir')).toMatchObject({ taken: [], contended: false })
    // The first had its time.
    expect(Date.now() - begun).toBeGreaterThan(1500)
    await expect(session.on(shardOf(here), writing(here, 'dead'))).rejects.toThrow('revoked')
    await session.on(shardOf(there), writing(there, 'heir'))
    await session.on(shardOf(there), [{ text: `DELETE FROM customers WHERE id = ${there}`, parameters: [] }])
    expect(await find(session, table, column, ['a'])).toMatchObject([{ token: 'heir' }])
    await databases[ownerOf(map, keySlot('a')) as 'DB']
      .prepare("DELETE FROM _atoll_unique WHERE value = 'a'")
      .run()
  })

  it('that no row uses is swept, and one that is used stays', async () => {
    const session = sessionOf()
    await send('POST', 'customers', customer(here, 'a@unique.test'))
    await reserve(session, [claim(there, 'b')], 'dead')
    for (const database of Object.values(databases)) {
      await database
        .prepare("UPDATE _atoll_unique SET at = 0 WHERE value = 'b' OR value = 'a@unique.test'")
        .run()
    }
    let released = 0
    for (const name of Object.keys(databases)) {
      const swept = await sweepOrphans(session, name, [table], null)
      expect(swept.after).toBe(null)
      released += swept.released
    }
    expect(released).toBe(1)
    expect(await entries()).toEqual(['a@unique.test'])
  })

  it('is for one of many writers at once', async () => {
    const wanted = Array.from({ length: 24 }, (_, i) => ids[i % 4] as number).map((id, i) => id + 1000 * i)
    const statuses = await Promise.all(
      wanted.map((id) => statusOf(send('POST', 'customers', customer(id, 'a@unique.test')))),
    )
    expect(statuses.filter((status) => status === 201)).toHaveLength(1)
    expect(statuses.every((status) => status === 201 || status === 409)).toBe(true)
    expect(await emails()).toEqual(['a@unique.test'])
  })

  it('keeps values unique while rows come, change and go', async () => {
    const values = ['a@unique.test', 'b@unique.test', 'c@unique.test']
    const writer = async (seed: number) => {
      for (let i = 0; i < 12; i++) {
        const id = ids[(seed + i) % 4] as number
        const email = values[(seed * 7 + i * 5) % 3] as string
        const step = (seed + i * 3) % 4
        if (step === 0) await send('DELETE', `customers?id=eq.${id}`)
        else if (step === 1) await send('PATCH', `customers?id=eq.${id}`, { email })
        else await send('POST', 'customers', customer(id, email))
      }
    }
    await Promise.all([1, 2, 3, 4, 5].map(writer))
    const left = await emails()
    expect(new Set(left).size, left.join()).toBe(left.length)
    expect(await entries()).toEqual(left)
    for (const email of left) {
      expect(await (await askMany(`customers?select=email&email=eq.${email}`)).json()).toEqual([{ email }])
    }
  })
})
