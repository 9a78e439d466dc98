import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  keySlot,
  makeRoutedId,
  makeRoutedNumber,
  numberOfId,
  routedSlot,
  slotOf,
} from '../../db/slots/slots.ts'
import { firstRange, moveSlots } from '../support/move-slots.ts'
import { askMany, askOver, databases } from '../support/one-and-many.ts'
import { routed } from '../support/routed.ts'
import { clean, first } from '../support/write-client.ts'

afterEach(clean)

const json = { 'Content-Type': 'application/json' }
const post = (path: string, body: unknown, prefer = '') =>
  askMany(path, {
    method: 'POST',
    headers: { ...json, ...(prefer ? { Prefer: prefer } : {}) },
    body: JSON.stringify(body),
  })
/** @param number undefined: the API is to give it an id */
const invoice = (number: number | undefined, customer: number) => ({
  ...(number === undefined ? {} : { id: routed(number, customer) }),
  customer_id: customer,
  invoice_date: '2026-01-01 00:00:00',
  total: 1,
})

/** Which databases hold rows for which the condition is true. */
async function holders(table: string, condition: string): Promise<string[]> {
  const found = await Promise.all(
    Object.entries(databases).map(async ([name, database]) => {
      const rows = await database
        .prepare(`SELECT count(*) AS n FROM ${table} WHERE ${condition}`)
        .first<number>('n')
      return Number(rows) > 0 ? [name] : []
    }),
  )
  return found.flat()
}

/** Customers of the seed, one on each database. */
let customers: number[] = []
beforeAll(async () => {
  for (const database of Object.values(databases)) {
    customers.push(Number(await database.prepare('SELECT min(id) AS n FROM customers').first<number>('n')))
  }
  customers = customers.slice(0, 4)
})

describe('a write to distributed tables', () => {
  it('lands on the shard of its distribution value, and is found there', async () => {
    for (const [i, customer] of customers.entries()) {
      const id = routed(first + i, customer)
      const made = await post(
        'invoices?select=id,customers(id)',
        invoice(first + i, customer),
        'return=representation',
      )
      expect(await made.json()).toEqual([{ id, customers: { id: customer } }])
      expect(await holders('invoices', `id = ${id}`)).toEqual([Object.keys(databases)[i]])
      expect(await (await askMany(`invoices?id=eq.${id}&select=id`)).json()).toEqual([{ id }])
    }
  })

  it('finds its shard whatever order its filters stand in', async () => {
    const customer = customers[1] as number
    const made = await post('invoices', invoice(first, customer))
    expect(made.status).toBe(201)
    // An id that carries no slot, beside the distribution column.
    const id = crypto.randomUUID()
    const receipt = { id, invoice_id: routed(first, customer), customer_id: customer, email: 'a@b.c' }
    expect((await post('receipts', receipt)).status).toBe(201)
    const filters = [`id=eq.${id}`, `customer_id=eq.${customer}`]
    for (const [i, ordered] of [filters, [...filters].reverse()].entries()) {
      const body = JSON.stringify({ email: `new${i}@b.c` })
      const response = await askMany(`receipts?${ordered.join('&')}`, {
        method: 'PATCH',
        headers: json,
        body,
      })
      expect(response.status).toBe(204)
      expect(await (await askMany(`receipts?${ordered.join('&')}&select=email`)).json()).toEqual([
        { email: `new${i}@b.c` },
      ])
    }
    await askMany(`receipts?customer_id=eq.${customer}&id=eq.${id}`, { method: 'DELETE' })
  })

  it('of several shards says how many, and what to do; then each commits its own part', async () => {
    const rows = customers.map((customer, i) => invoice(first + i, customer))
    const refused = await post('invoices', rows)
    expect([refused.status, await refused.json()]).toEqual([
      400,
      {
        code: 'SHARD005',
        message: 'The write touches 4 shards and cannot be atomic',
        details: null,
        hint: 'Filter by the distribution column, or send Prefer: atomicity=shard to have each shard commit by itself.',
      },
    ])
    expect(await holders('invoices', `id >= ${makeRoutedNumber(0, first)}`)).toEqual([])
    const made = await post(
      'invoices?select=id&order=id.desc',
      rows,
      'return=representation,atomicity=shard,count=exact',
    )
    expect(made.status).toBe(201)
    expect(await made.json()).toEqual(rows.map(({ id }) => ({ id })).reverse())
    expect([made.headers.get('content-range'), made.headers.get('preference-applied')]).toEqual([
      '*/4',
      'return=representation, count=exact, atomicity=shard',
    ])
    const changed = await askMany(`invoices?id=gte.${makeRoutedNumber(0, first)}`, {
      method: 'PATCH',
      headers: { ...json, Prefer: 'atomicity=shard,count=exact' },
      body: '{"total":5}',
    })
    expect([changed.status, changed.headers.get('content-range')]).toEqual([204, '0-3/4'])
  })

  it('that fails on one of them says what each has done', async () => {
    await post('invoices', invoice(first, customers[1] as number))
    const rows = [invoice(first, customers[1] as number), invoice(first + 1, customers[2] as number)]
    const partly = await post('invoices', rows, 'atomicity=shard')
    expect(partly.status).toBe(207)
    const body = (await partly.json()) as {
      code: string
      details: { shard: string; written: number; error: unknown }[]
    }
    expect(body.code).toBe('SHARD010')
    expect(body.details).toEqual([
      { shard: 'SHARD_1', written: 0, error: expect.objectContaining({ code: '23505' }) },
      { shard: 'SHARD_2', written: 1, error: null },
    ])
  })

  it('keeps a child with its parent, and a row where it is', async () => {
    const [one, other] = customers as [number, number]
    await post('invoices', invoice(first, one))
    const item = { invoice_id: routed(first, one), track_id: 1, unit_price: 1, quantity: 1 }
    const strayed = await post('invoice_items', { ...item, id: routed(first, other), customer_id: other })
    expect([strayed.status, ((await strayed.json()) as { code: string }).code]).toEqual([409, '23503'])
    expect((await post('invoice_items', { ...item, id: routed(first, one), customer_id: one })).status).toBe(
      201,
    )
    const moved = await askMany(`invoices?id=eq.${routed(first, one)}&customer_id=eq.${one}`, {
      method: 'PATCH',
      headers: json,
      body: JSON.stringify({ customer_id: other }),
    })
    expect([moved.status, ((await moved.json()) as { code: string }).code]).toEqual([400, 'SHARD006'])
    const homeless = await post('invoices', { id: routed(first + 1, one), invoice_date: 'x', total: 1 })
    expect(((await homeless.json()) as { code: string }).code).toBe('23502')
  })

  it('numbers new rows once over all shards, above the ids that others have chosen', async () => {
    await post('invoices', invoice(first + 50, customers[0] as number))
    const made = await post(
      'invoices?select=id',
      Array.from({ length: 250 }, (_, i) => invoice(undefined, customers[i % 4] as number)),
      'return=representation,atomicity=shard',
    )
    const ids = ((await made.json()) as { id: number }[]).map(({ id }) => id)
    expect(new Set(ids).size).toBe(250)
    expect(Math.min(...ids.map(numberOfId))).toBeGreaterThan(first + 50)
  })

  it('can be undone on every shard', async () => {
    const rows = customers.map((customer, i) => invoice(first + i, customer))
    const undone = await post(
      'invoices?select=id&order=id',
      rows,
      'return=representation,atomicity=shard,tx=rollback',
    )
    expect(await undone.json()).toEqual(rows.map(({ id }) => ({ id })))
    expect(await holders('invoices', `id >= ${makeRoutedNumber(0, first)}`)).toEqual([])
  })
})

describe('a write to a reference table', () => {
  it('is on every shard before it is answered, changed and deleted as well', async () => {
    const values = async () =>
      Promise.all(
        Object.values(databases).map((database) =>
          database.prepare(`SELECT name FROM genres WHERE id = ${first}`).first<string>('name'),
        ),
      )
    expect((await post('genres', { id: first, name: 'one' })).status).toBe(201)
    expect(await values()).toEqual(['one', 'one', 'one', 'one'])
    await askMany(`genres?id=eq.${first}`, { method: 'PATCH', headers: json, body: '{"name":"two"}' })
    expect(await values()).toEqual(['two', 'two', 'two', 'two'])
    // Whoever writes by other ways is followed with the next write.
    await databases.DB.prepare(`UPDATE genres SET name = 'by hand' WHERE id = ${first}`).run()
    await post('genres', { id: first + 1, name: 'other' })
    expect(await values()).toEqual(['by hand', 'by hand', 'by hand', 'by hand'])
    await askMany(`genres?id=gte.${first}`, { method: 'DELETE' })
    expect(await values()).toEqual([null, null, null, null])
  })

  it('is refused where rows of any shard refer to what it would delete', async () => {
    for (const customer of customers) {
      const track = { id: first, name: 'x', media_type_id: 1, milliseconds: 1, unit_price: 1 }
      expect((await post('tracks', track)).status).toBe(201)
      await post('invoices', invoice(first, customer))
      const item = {
        id: routed(first, customer),
        invoice_id: routed(first, customer),
        track_id: first,
        unit_price: 1,
        quantity: 1,
        customer_id: customer,
      }
      expect((await post('invoice_items', item)).status).toBe(201)
      const refused = await askMany(`tracks?id=eq.${first}`, { method: 'DELETE' })
      const body = (await refused.json()) as { code: string; details: string }
      expect([refused.status, body.code, body.details]).toEqual([
        409,
        '23503',
        `Key (id)=(${first}) is still referenced from table "invoice_items".`,
      ])
      expect(await holders('tracks', `id = ${first}`)).toHaveLength(4)
      await clean()
    }
    const nobody = await post('invoice_items', {
      id: routed(first, 1),
      invoice_id: 1,
      track_id: 9_999_999,
      unit_price: 1,
      quantity: 1,
      customer_id: 1,
    })
    expect(nobody.status).toBe(409)
  })
})

describe('when slots move', () => {
  it('a router with an old map is refused, reads the new one and answers', async () => {
    const stale = askOver(databases)
    const customer = customers[1] as number
    const slot = slotOf(String(customer))
    const before = await (await stale(`customers?id=eq.${customer}`)).json()
    const all = await (await stale('customers?select=id&order=id')).json()
    const range = await firstRange('SHARD_1')
    await moveSlots(databases, range, 'SHARD_1', 'SHARD_2')
    expect(slot).toBeGreaterThanOrEqual(range.first)
    expect(await (await stale(`customers?id=eq.${customer}`)).json()).toEqual(before)
    const staleToo = askOver(databases)
    expect(await (await staleToo('customers?select=id&order=id')).json()).toEqual(all)
    await moveSlots(databases, range, 'SHARD_2', 'SHARD_1')
    // One that has not heard of it writes and counts, and finds everything.
    expect(await (await staleToo('customers?select=id&order=id')).json()).toEqual(all)
    const made = await stale('invoices', {
      method: 'POST',
      headers: json,
      body: JSON.stringify(invoice(first, customer)),
    })
    expect(made.status).toBe(201)
    expect(await holders('invoices', `id = ${routed(first, customer)}`)).toEqual(['SHARD_1'])
  })

  it('a closed slot is told of, and nothing is written', async () => {
    const customer = customers[3] as number
    await databases.SHARD_3.prepare("UPDATE _atoll_slots SET state = 'closed'").run()
    const refused = await post('invoices', invoice(first, customer))
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, 'SHARD004'])
    await databases.SHARD_3.prepare("UPDATE _atoll_slots SET state = 'open'").run()
    expect(await holders('invoices', `id = ${routed(first, customer)}`)).toEqual([])
  })
})

describe('routed ids', () => {
  it('begin with the slot of their row, and sort by time', () => {
    for (const slot of [0, 1, 31, 32, 16_383]) {
      const id = makeRoutedId(slot, 1_700_000_000_000)
      expect(id).toMatch(/^[0-9A-HJKMNP-TV-Z]{29}$/)
      expect([routedSlot(id), slotOf(id)]).toEqual([slot, slot])
      expect(makeRoutedId(slot, 1_700_000_000_001) > id).toBe(true)
    }
    for (const other of [
      '',
      'abc',
      makeRoutedId(5).toLowerCase(),
      `ZZZ${makeRoutedId(5).slice(3)}`,
      `${makeRoutedId(5)}0`,
    ]) {
      expect(routedSlot(other)).toBeNull()
      expect(slotOf(other)).toBe(keySlot(other))
    }
  })
})
