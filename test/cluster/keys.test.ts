import { env } from 'cloudflare:workers'
import { eq, sql } from 'drizzle-orm'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { slotOf } from '../../db/slots/slots.ts'
import { defineFunction, type FunctionContext, scalar } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { customers, genres, invoices, receipts } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { askOver, databases } from '../support/one-and-many.ts'
import { routed } from '../support/routed.ts'
import { secretKey } from '../support/worker-client.ts'
import { countingCalls, wrapDatabase } from '../support/wrap-database.ts'
import { clean, first } from '../support/write-client.ts'

let calls = 0
const ask = askOver(countingCalls(databases, () => calls++))

/** Customers of the seed, one on each database. */
const people: number[] = []
beforeAll(async () => {
  for (const database of Object.values(databases)) {
    people.push(Number(await database.prepare('SELECT min(id) AS n FROM customers').first<number>('n')))
  }
  // The map and the check of the schema are asked for once.
  await ask('customers?limit=1')
})
afterEach(clean)

const send = (
  method: string,
  path: string,
  body?: object,
  prefer = 'return=representation',
  accept = '*/*',
) =>
  ask(path, {
    method,
    headers: { 'Content-Type': 'application/json', Prefer: prefer, Accept: accept },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
const object = 'application/vnd.pgrst.object+json'
const invoice = (number: number, customer: number, total = 1) => ({
  id: routed(number, customer),
  customer_id: customer,
  invoice_date: '2026-01-01',
  total,
})
const add = async (number: number, customer: number, total = 1) => {
  const row = invoice(number, customer, total)
  expect((await send('POST', 'invoices', row)).status).toBe(201)
  return row.id
}
/** Status, what is said, and how many calls to databases it took. */
const said = async (response: Promise<Response>) => {
  // The request has been made, and nothing has been awaited yet.
  const start = calls
  const answer = await response
  return { status: answer.status, body: await answer.json().catch(() => null), calls: calls - start }
}
const codeOf = async (response: Promise<Response>) => {
  const answer = await response
  return [answer.status, ((await answer.json()) as { code: string }).code]
}

describe('a key that carries its slot', () => {
  it('finds its row with one call, whatever is done to it', async () => {
    for (const [i, customer] of people.entries()) {
      const id = await add(first + i, customer)
      expect(await said(ask(`invoices?select=total&id=eq.${id}`))).toEqual({
        status: 200,
        body: [{ total: 1 }],
        calls: 1,
      })
      expect(await said(send('PATCH', `invoices?select=total&id=eq.${id}`, { total: 8 }))).toEqual({
        status: 200,
        body: [{ total: 8 }],
        calls: 1,
      })
      const one = send('PATCH', `invoices?select=total&id=eq.${id}`, { total: 9 }, undefined, object)
      expect(await said(one)).toEqual({ status: 200, body: { total: 9 }, calls: 1 })
      const put = send('PUT', `invoices?select=total&id=eq.${id}`, invoice(first + i, customer, 10))
      expect(await said(put)).toMatchObject({ status: 200, body: [{ total: 10 }] })
      const merged = send(
        'POST',
        'invoices?select=total',
        invoice(first + i, customer, 11),
        'return=representation,resolution=merge-duplicates',
      )
      expect(await said(merged)).toMatchObject({ status: 200, body: [{ total: 11 }] })
      expect(await said(send('DELETE', `invoices?select=id&id=eq.${id}`))).toEqual({
        status: 200,
        body: [{ id }],
        calls: 1,
      })
    }
  })

  it('is made with every row that brings none', async () => {
    for (const customer of people) {
      const made = await send('POST', 'invoices?select=id', {
        customer_id: customer,
        invoice_date: 'x',
        total: 1,
      })
      const [{ id }] = (await made.json()) as [{ id: number }]
      expect(id % 16_384).toBe(slotOf(String(customer)))
      await send('DELETE', `invoices?id=eq.${id}`)
    }
  })

  it('that contradicts its row is refused, as is one that carries nothing', async () => {
    const [one, other] = people as [number, number]
    await add(first, other)
    const taken = { ...invoice(first, other), customer_id: one }
    expect(await codeOf(send('POST', 'invoices', taken))).toEqual([409, 'SHARD009'])
    expect(await codeOf(send('PUT', `invoices?id=eq.${taken.id}`, taken))).toEqual([409, 'SHARD009'])
    const merge = send('POST', 'invoices', taken, 'resolution=merge-duplicates')
    expect(await codeOf(merge)).toEqual([409, 'SHARD009'])
    expect(await codeOf(send('POST', 'invoices', { ...taken, id: 2 }))).toEqual([409, 'SHARD009'])
    expect(await said(ask('invoices?id=eq.2'))).toEqual({ status: 200, body: [], calls: 1 })
    const moved = send('PATCH', `invoices?id=eq.${taken.id}`, { id: routed(first, one) })
    expect(await codeOf(moved)).toEqual([409, 'SHARD009'])
  })

  it('goes on behind numbers that were taken by hand', async () => {
    const customer = people[0] as number
    const next = async () => {
      const made = await send('POST', 'invoices?select=id', {
        customer_id: customer,
        invoice_date: 'x',
        total: 1,
      })
      expect(made.status).toBe(201)
      const [{ id }] = (await made.json()) as [{ id: number }]
      return Math.floor(id / 16_384)
    }
    const number = await next()
    await databases.DB.batch(
      [1, 2, 3].map((ahead) =>
        databases.DB.prepare(
          'INSERT INTO invoices (id, customer_id, invoice_date, total) VALUES (?, ?, ?, 1)',
        ).bind(routed(number + ahead, customer), customer, 'by hand'),
      ),
    )
    expect(await next()).toBeGreaterThan(number + 3)
    await databases.DB.prepare("DELETE FROM invoices WHERE invoice_date IN ('x', 'by hand')").run()
  })
})

describe('a number that is chosen near the end of all numbers', () => {
  it('does not bring the others to an end', async () => {
    const person = (email: string) => ({ first_name: 'a', last_name: 'b', email })
    const made: unknown[] = []
    for (const id of ['9007199254740991', '9223372036854775000']) {
      const body = `{"id":${id},"first_name":"a","last_name":"b","email":"${id}@keys.test"}`
      for (const prefer of ['tx=rollback', 'return=minimal']) {
        const headers = { 'Content-Type': 'application/json', Prefer: prefer }
        expect((await ask('customers', { method: 'POST', headers, body })).status).toBe(201)
      }
      const next = await send('POST', 'customers?select=id', person(`next-${id}@keys.test`))
      expect(next.status).toBe(201)
      made.push(...((await next.json()) as { id: number }[]).map((row) => row.id), id)
    }
    expect(Number(made[2])).toBeLessThan(2 ** 40)
    for (const id of made) expect((await send('DELETE', `customers?id=eq.${id}`)).status).toBe(200)
  })
})

describe('a key that comes from elsewhere', () => {
  it('is unique over all shards, and leads to its row', async () => {
    const [one, other] = people as [number, number]
    const [mine, theirs] = [await add(first, one), await add(first + 1, other)]
    const id = crypto.randomUUID()
    const receipt = { id, invoice_id: mine, customer_id: one, email: 'a@b.c' }
    expect((await send('POST', 'receipts', receipt)).status).toBe(201)
    const second = send('POST', 'receipts', { ...receipt, invoice_id: theirs, customer_id: other })
    expect(await codeOf(second)).toEqual([409, '23505'])
    expect(await said(ask(`receipts?select=email&id=eq.${id}`))).toEqual({
      status: 200,
      body: [{ email: 'a@b.c' }],
      calls: 2,
    })
    const changed = send('PATCH', `receipts?select=email&id=eq.${id}`, { email: 'b' }, undefined, object)
    expect(await said(changed)).toEqual({ status: 200, body: { email: 'b' }, calls: 2 })
    // As forms do: the whole row, its key and its distribution column included.
    expect((await send('PATCH', `receipts?id=eq.${id}`, { ...receipt, email: 'c' })).status).toBe(200)
    for (const filters of [`id=eq.${id}&customer_id=eq.${one}`, `customer_id=eq.${one}&id=eq.${id}`])
      expect((await send('PATCH', `receipts?${filters}`, { email: 'd' }, 'return=minimal')).status).toBe(204)
    expect(await said(send('DELETE', `receipts?select=id&id=eq.${id}`))).toMatchObject({
      status: 200,
      body: [{ id }],
    })
    expect(
      (await send('POST', 'receipts', { ...receipt, invoice_id: theirs, customer_id: other })).status,
    ).toBe(201)
    await send('DELETE', `receipts?id=eq.${id}`)
  })
})

describe('a write that names neither key nor distribution column', () => {
  it('is made where its rows are found, with one call more for each shard', async () => {
    const customer = people[2] as number
    await add(first, customer, 777)
    await add(first + 1, customer, 777)
    await add(first + 2, people[1] as number, 778)
    const changed = await said(send('PATCH', 'invoices?total=eq.777&select=total', { billing_city: 'Oslo' }))
    expect(changed).toEqual({ status: 200, body: [{ total: 777 }, { total: 777 }], calls: 5 })
    expect(await said(send('PATCH', 'invoices?total=eq.779', { total: 1 }))).toMatchObject({
      status: 200,
      body: [],
      calls: 4,
    })
    expect(
      await said(send('DELETE', 'invoices?total=eq.778&select=total', undefined, undefined, object)),
    ).toMatchObject({
      status: 200,
      body: { total: 778 },
    })
  })

  it('is refused where they lie on several, unless each may commit by itself', async () => {
    for (const [i, customer] of people.entries()) await add(first + i, customer, 777)
    expect(await codeOf(send('PATCH', 'invoices?total=eq.777', { total: 776 }))).toEqual([400, 'SHARD005'])
    expect(await codeOf(send('PATCH', 'invoices?total=eq.777', { total: 776 }, '', object))).toEqual([
      406,
      'PGRST116',
    ])
    const bounded = send('PATCH', 'invoices?total=eq.777', { total: 776 }, 'handling=strict,max-affected=2')
    expect(await codeOf(bounded)).toEqual([400, 'PGRST124'])
    const each = send(
      'PATCH',
      'invoices?total=eq.777&select=total',
      { total: 776 },
      'return=representation,atomicity=shard',
    )
    expect(await said(each)).toMatchObject({
      body: [{ total: 776 }, { total: 776 }, { total: 776 }, { total: 776 }],
    })
  })

  it('takes the first rows of an order over all shards', async () => {
    for (const [i, customer] of people.entries()) await add(first + i, customer, 700 + i)
    const last = send('PATCH', 'invoices?total=gte.700&order=total.desc&limit=1&select=total', { total: 800 })
    expect(await said(last)).toEqual({ status: 200, body: [{ total: 800 }], calls: 5 })
    const second = send('DELETE', 'invoices?total=gte.700&order=total&limit=1&offset=1&select=total')
    expect(await said(second)).toMatchObject({ status: 200, body: [{ total: 701 }] })
    const left = (await (await ask('invoices?total=gte.700&order=total&select=total')).json()) as {
      total: number
    }[]
    expect(left.map(({ total }) => total)).toEqual([700, 702, 800])
    const several = send('DELETE', 'invoices?total=gte.700&order=total&limit=2')
    expect(await codeOf(several)).toEqual([400, 'SHARD005'])
  })

  it('looks again when what it has found is gone before it writes', async () => {
    const [one, other] = [people[1] as number, people[2] as number]
    const gone = await add(first, one, 700)
    await add(first + 1, other, 701)
    let isFirst = true
    const racing = askOver(
      Object.fromEntries(
        Object.entries(databases).map(([name, database]) => [
          name,
          wrapDatabase((constraint) => {
            const session = database.withSession(constraint)
            const batch = session.batch.bind(session)
            return {
              session: {
                prepare: session.prepare.bind(session),
                batch: async (statements: D1PreparedStatement[]) => {
                  const writes = statements.length > 2
                  if (writes && isFirst && name === 'SHARD_1') {
                    isFirst = false
                    await databases.SHARD_1.prepare(`DELETE FROM invoices WHERE id = ${gone}`).run()
                  }
                  return batch(statements)
                },
              } as never,
              getBookmark: () => session.getBookmark(),
              around: (call) => call(),
            }
          }),
        ]),
      ),
    )
    await racing('customers?limit=1')
    const response = await racing('invoices?total=gte.700&order=total&limit=1&select=total', {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json', Prefer: 'return=representation' },
      body: '{"billing_city":"Rome"}',
    })
    expect([response.status, await response.json(), isFirst]).toEqual([200, [{ total: 701 }], false])
  })
})

describe('a write that repeats what is there', () => {
  it('is no change of key or distribution column', async () => {
    const customer = people[3] as number
    const id = await add(first, customer)
    const whole = { ...invoice(first, customer), total: 5 }
    expect(await said(send('PATCH', `invoices?select=total&id=eq.${id}`, whole))).toMatchObject({
      status: 200,
      body: [{ total: 5 }],
    })
    const moved = send('PATCH', `invoices?id=eq.${id}`, { ...whole, customer_id: people[0] })
    expect(await codeOf(moved)).toEqual([400, 'SHARD006'])
    expect((await send('PATCH', 'genres?id=eq.1', { id: 1, name: 'Rock' })).status).toBe(200)
    expect(await codeOf(send('PATCH', 'genres?id=eq.1', { id: 999, name: 'Rock' }))).toEqual([
      400,
      'SHARD007',
    ])
  })
})

describe('what code of the app writes by Drizzle', () => {
  type Run = (context: Pick<FunctionContext<unknown>, 'database' | 'shards'>) => Promise<unknown>
  let run: Run = async () => null
  const functions = {
    act: defineFunction({
      input: z.object({}),
      returns: scalar,
      run: async ({ database, shards }) => (await run({ database, shards })) ?? null,
    }),
  }
  const gateway = createGateway({ tables, functions, config: { cache: false } })
  const act = async (does: Run) => {
    run = does
    const headers = { apikey: secretKey, 'Content-Type': 'application/json' }
    const request = new Request('http://atoll.test/rest/v1/rpc/act', { method: 'POST', headers, body: '{}' })
    const response = await fetchFrom(gateway, request, { ...env, ATOLL_SECRET_KEY: secretKey, ...databases })
    const body = (await response.json()) as { code?: string; hint?: string } | null
    return [response.status, body?.code ?? null]
  }
  const values = (id: number, customerId: number) => ({ id, customerId, invoiceDate: 'x', total: 1 })

  it('is refused by the database where it would not be found, and the error says how it is done', async () => {
    const [one, other] = people as [number, number]
    const wrong = routed(first, other)
    expect(
      await act(async ({ shards }) => (await shards.of(one)).insert(invoices).values(values(wrong, one))),
    ).toEqual([409, 'SHARD009'])
    expect(
      await act(async ({ shards }) =>
        (await shards.of(one)).insert(invoices).values({ ...values(1, one), id: undefined as never }),
      ),
    ).toEqual([409, 'SHARD009'])
    expect(
      await act(async ({ shards }) =>
        (await shards.of(other)).insert(invoices).values(values(routed(first, one), one)),
      ),
    ).toEqual([409, 'SHARD020'])
    expect(
      await act(async ({ shards }) =>
        (await shards.of(one)).insert(receipts).values({ invoiceId: 1, customerId: one, email: 'x' }),
      ),
    ).toEqual([409, 'SHARD021'])
    expect(
      await act(async ({ shards }) =>
        (await shards.of(one)).update(customers).set({ email: 'x@y.z' }).where(eq(customers.id, one)),
      ),
    ).toEqual([409, 'SHARD021'])
    expect(
      await act(async ({ shards }) =>
        (await shards.of(one))
          .update(invoices)
          .set({ customerId: other })
          .where(eq(invoices.customerId, one)),
      ),
    ).toEqual([400, 'SHARD006'])
    expect(
      await act(async ({ database }) => database.update(genres).set({ id: 77 }).where(eq(genres.id, 1))),
    ).toEqual([400, 'SHARD007'])
    const elsewhere = people.find((id) => id !== people[0]) as number
    expect(
      await act(async ({ shards }) =>
        (await shards.of(elsewhere)).insert(genres).values({ id: 77, name: 'x' }),
      ),
    ).toEqual([409, 'SHARD020'])
  })

  it('gives back what it reserved and did not write', async () => {
    const [one, other] = people as [number, number]
    const email = 'reserved@keys.test'
    expect(await act(async ({ shards }) => (await shards.of(one)).reserve(customers.email, email))).toEqual([
      200,
      null,
    ])
    const entries = await Promise.all(
      Object.values(databases).map((database) =>
        database
          .prepare('SELECT count(*) AS n FROM _atoll_unique WHERE value = ?')
          .bind(email)
          .first<number>('n'),
      ),
    )
    expect(entries).toEqual([0, 0, 0, 0])
    const before = await databases.DB.prepare('SELECT email FROM customers WHERE id = ?')
      .bind(one)
      .first<string>('email')
    const take = async () =>
      act(async ({ shards }) => {
        const shard = await shards.of(one)
        await shard.reserve(customers.email, email)
        await shard.update(customers).set({ email }).where(eq(customers.id, one))
      })
    expect(await take()).toEqual([200, null])
    expect(await act(async ({ shards }) => (await shards.of(other)).reserve(customers.email, email))).toEqual(
      [409, '23505'],
    )
    expect((await send('PATCH', `customers?id=eq.${one}`, { email: before })).status).toBe(200)
  })

  it('answers what RETURNING says, in its order, with what was reserved', async () => {
    let told: unknown
    const outcome = await act(async ({ shards }) => {
      const id = await shards.newId(customers.id)
      const shard = await shards.of(id)
      await shard.reserve(customers.email, 'one@keys.test')
      const person = { id, firstName: 'a', lastName: 'b', email: 'one@keys.test' }
      const written = shard
        .insert(customers)
        .values(person)
        .returning({ two: sql<number>`2`, id: customers.id, again: customers.id, email: customers.email })
        .execute()
      // What is reserved while a statement is under way is there for the next.
      await shard.reserve(customers.email, 'two@keys.test')
      told = [await written, id]
      await shard.update(customers).set({ email: 'two@keys.test' }).where(eq(customers.id, id))
      await shard.delete(customers).where(eq(customers.id, id))
    })
    expect(outcome).toEqual([200, null])
    const [rows, id] = told as [unknown, number]
    expect(rows).toEqual([{ two: 2, id, again: id, email: 'one@keys.test' }])
  })

  it('leaves no permit behind', async () => {
    for (const database of Object.values(databases))
      expect(await database.prepare('SELECT count(*) AS n FROM _atoll_permits').first<number>('n')).toBe(0)
  })
})

describe('writes of forms that a client may choose', () => {
  it('show of a limited delete what it has deleted, and choose over all shards where each commits by itself', async () => {
    const [one, other] = people as [number, number]
    await add(first, one, 700)
    await add(first + 1, one, 701)
    await add(first + 2, one, 702)
    await add(first + 3, other, 703)
    const gone = send('DELETE', 'invoices?total=gte.700&order=total&limit=1&select=total')
    expect((await said(gone)).body).toEqual([{ total: 700 }])
    const each = 'return=representation,atomicity=shard'
    const changed = send(
      'PATCH',
      'invoices?total=gte.700&order=total.desc&limit=1&select=total',
      { total: 710 },
      each,
    )
    expect((await said(changed)).body).toEqual([{ total: 710 }])
    const two = send(
      'DELETE',
      'invoices?total=gte.700&order=total.desc&limit=2&select=total',
      undefined,
      each,
    )
    expect((await said(two)).body).toEqual([{ total: 710 }, { total: 702 }])
    expect(await (await ask('invoices?total=gte.700&select=total')).json()).toEqual([{ total: 701 }])
  })

  it('merge and pass over what another shard has, as one database does', async () => {
    const email = 'upsert@keys.test'
    const person = { first_name: 'a', last_name: 'b', email }
    const made = await send('POST', 'customers?select=id', person)
    const [{ id }] = (await made.json()) as [{ id: number }]
    for (let i = 0; i < 6; i++) {
      const name = { ...person, first_name: `n${i}` }
      const merged = send(
        'POST',
        'customers?on_conflict=email&select=id,first_name',
        name,
        'return=representation,resolution=merge-duplicates',
      )
      expect(await said(merged)).toMatchObject({ status: 200, body: [{ id, first_name: `n${i}` }] })
      const ignored = send(
        'POST',
        'customers?on_conflict=email&select=id',
        [name, { ...name, email: `x${i}@keys.test` }] as never,
        'return=representation,resolution=ignore-duplicates,atomicity=shard',
      )
      const { status, body } = await said(ignored)
      expect([status, (body as unknown[]).length]).toEqual([201, 1])
    }
    expect(await (await ask(`customers?email=eq.${email}&select=id,first_name`)).json()).toEqual([
      { id, first_name: 'n5' },
    ])
    expect(
      (await send('DELETE', 'customers?email=like.*@keys.test', undefined, 'atomicity=shard')).status,
    ).toBe(204)
  })

  it('take many rows with keys of their own', async () => {
    const customer = people[1] as number
    const mine = await add(first, customer)
    const rows = Array.from({ length: 6000 }, () => ({
      id: crypto.randomUUID(),
      invoice_id: mine,
      customer_id: customer,
      email: 'many',
    }))
    expect((await send('POST', 'receipts', rows as never, 'return=minimal')).status).toBe(201)
    const last = rows[5999] as (typeof rows)[number]
    expect((await said(ask(`receipts?select=email&id=eq.${last.id}`))).body).toEqual([{ email: 'many' }])
    expect(
      (await send('DELETE', `receipts?customer_id=eq.${customer}&email=eq.many`, undefined, 'return=minimal'))
        .status,
    ).toBe(204)
  })
})
