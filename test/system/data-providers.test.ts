import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Filter, type Id, type Pages, type Row, reactAdmin, refine } from '../support/admin-pages.ts'
import { startTestServer, type TestServer } from '../support/local-server.ts'

/** Pages of admin frameworks, which know a row by its id alone, and nothing of shards. */
let server: TestServer
/** One customer of the seed for each database that has one, by its name. */
const customers = new Map<string, number>()
beforeAll(async () => {
  server = await startTestServer()
  for (const name of ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']) {
    const database = await server.database(name)
    const id = await database.prepare('SELECT min(id) AS id FROM customers').first<number>('id')
    customers.set(name, Number(id))
  }
})
afterAll(() => server.stop())

/** Rows of all databases. */
async function rowsOf(text: string, ...values: unknown[]): Promise<Row[]> {
  const parts = [...customers.keys()].map(async (name) => {
    const database = await server.database(name)
    return (
      await database
        .prepare(text)
        .bind(...values)
        .all<Row>()
    ).results
  })
  return (await Promise.all(parts)).flat()
}

const byId = (a: Row, b: Row) => (a.id < b.id ? -1 : 1)
const shards = () => [...customers.values()] as [number, number, number, number]

let made = 0
const invoiceOf = (customer: number) => ({
  customer_id: customer,
  invoice_date: '2030-01-01 00:00:00',
  billing_city: `made ${made++}`,
  total: 1.5,
})

/** Rows of the four tables for a customer, with what they refer to; ids are the server's to give. */
const makers: readonly (readonly [
  table: string,
  make: (pages: Pages, customer: number) => Promise<object>,
  changes: object,
])[] = [
  [
    'customers',
    async () => ({ first_name: 'New', last_name: 'Customer', email: `new${made++}@b.c`, city: 'Oslo' }),
    { city: 'Bergen', company: null },
  ],
  ['invoices', async (_, customer) => invoiceOf(customer), { billing_city: 'Bergen', total: 2.5 }],
  [
    'invoice_items',
    async (pages, customer) => {
      const { id } = await pages.create('invoices', invoiceOf(customer))
      return { invoice_id: id, customer_id: customer, track_id: 1, unit_price: 0.99, quantity: 1 }
    },
    { quantity: 3, track_id: 2 },
  ],
  [
    'receipts',
    async (pages, customer) => {
      const { id } = await pages.create('invoices', invoiceOf(customer))
      return { invoice_id: id, customer_id: customer, email: 'a@b.c' }
    },
    { email: 'd@e.f' },
  ],
]

const lists: readonly (readonly [table: string, Filter])[] = [
  ['customers', { column: 'support_rep_id', operator: 'eq', value: 5 }],
  ['invoices', { column: 'total', operator: 'gte', value: 5 }],
  ['invoice_items', { column: 'track_id', operator: 'gte', value: 2000 }],
]

describe.each([
  ['react-admin', reactAdmin],
  ['refine', refine],
] as const)('%s', (_, pagesOf) => {
  const open = (): Pages => pagesOf(server.address)

  it.each(lists)('lists %s by pages, sorted and filtered, with the total', async (table, filter) => {
    const { column, operator, value } = filter
    const all = await rowsOf(
      `SELECT * FROM ${table} WHERE ${column} ${operator === 'eq' ? '=' : '>='} ?`,
      value,
    )
    expect(all.length).toBeGreaterThan(7)
    const ordered = all.sort(byId).reverse()
    for (const page of [1, 2]) {
      expect(await open().list(table, { page, perPage: 5, sort: ['id', 'desc'], filter })).toMatchObject({
        data: ordered.slice(5 * (page - 1), 5 * page),
        total: all.length,
      })
    }
    const past = await open().list(table, { page: 1, perPage: all.length + 5, sort: [column, 'asc'], filter })
    expect([past.data.length, past.total]).toEqual([all.length, all.length])
    const values = past.data.map((row) => row[column] as number)
    expect(values).toEqual(values.toSorted((a, b) => a - b))
  })

  it.each(lists)('reads %s by id, one and several of all shards', async (table) => {
    const some = (await rowsOf(`SELECT * FROM ${table} ORDER BY id LIMIT 2`)).sort(byId)
    expect(some).toHaveLength(8)
    const [row] = some as [Row]
    expect(await open().one(table, row.id)).toEqual(row)
    expect(
      [
        ...(await open().many(
          table,
          some.map(({ id }) => id),
        )),
      ].sort(byId),
    ).toEqual(some)
  })

  it.each([
    ['invoices', 'customer_id', 'customers'],
    ['invoice_items', 'customer_id', 'customers'],
    // Which says nothing of where the rows lie.
    ['invoice_items', 'invoice_id', 'invoices'],
    ['invoice_items', 'track_id', 'tracks'],
  ])('lists %s that refer by %s to one of %s', async (table, column) => {
    const [{ value }] = (await rowsOf(`SELECT max(${column}) AS value FROM ${table}`)) as [Row]
    const all = (await rowsOf(`SELECT * FROM ${table} WHERE ${column} = ?`, value)).sort(byId)
    const wanted = { page: 1, perPage: 100, sort: ['id', 'asc'] } as const
    const found = await open().references(table, column, value as number, wanted)
    expect(found).toMatchObject({ data: all, total: all.length })
    expect(all.length).toBeGreaterThan(0)
  })

  it.each(makers)('creates, changes and deletes %s by id alone', async (table, make, changes) => {
    const pages = open()
    const rows: Row[] = []
    for (const customer of shards()) rows.push(await pages.create(table, await make(pages, customer)))
    const ids = rows.map(({ id }) => id)
    expect(new Set(ids).size).toBe(rows.length)
    const [first, second, third, fourth] = rows as [Row, Row, Row, Row]
    const held = (id: Id) => rowsOf(`SELECT * FROM ${table} WHERE id = ?`, id)
    for (const row of rows) {
      expect(await pages.one(table, row.id)).toEqual(row)
      expect(await held(row.id)).toEqual([row])
    }

    expect(await pages.update(table, first, changes)).toEqual({ ...first, ...changes })
    expect(await held(first.id)).toEqual([{ ...first, ...changes }])
    expect(await held(second.id)).toEqual([second])

    await pages.updateMany(table, [third.id], changes)
    expect(await held(third.id)).toEqual([{ ...third, ...changes }])

    await pages.delete(table, first)
    await pages.deleteMany(table, [second.id])
    for (const id of [first.id, second.id]) expect(await held(id)).toEqual([])
    expect(await held(fourth.id)).toEqual([fourth])
    for (const row of [third, fourth]) await pages.delete(table, row)
    for (const { id } of rows) expect(await held(id)).toEqual([])
  })

  it('changes and deletes several rows of a customer at once', async () => {
    const pages = open()
    const [customer] = shards()
    const rows: Row[] = []
    for (let i = 0; i < 3; i++) rows.push(await pages.create('invoices', invoiceOf(customer)))
    const ids = rows.map(({ id }) => id)
    const held = async () =>
      (
        await rowsOf(
          'SELECT * FROM invoices WHERE id IN (SELECT value FROM json_each(?))',
          JSON.stringify(ids),
        )
      ).sort(byId)
    await pages.updateMany('invoices', ids, { billing_country: 'NO' })
    expect(await held()).toEqual(rows.map((row) => ({ ...row, billing_country: 'NO' })).sort(byId))
    await pages.deleteMany('invoices', ids)
    expect(await held()).toEqual([])
  })

  it('is told of a row that is not there', async () => {
    const pages = open()
    const row = await pages.create('invoices', invoiceOf(shards()[1]))
    await pages.delete('invoices', row)
    const found = await pages.one('invoices', row.id).catch((error: { status: number }) => error.status)
    // refine's own way to say so.
    expect([406, undefined]).toContain(found)
    expect(await pages.many('invoices', [row.id])).toEqual([])
  })
})

describe('several rows of several shards', () => {
  const pick = async (pages: Pages) => {
    const rows: Row[] = []
    for (const customer of shards()) rows.push(await pages.create('invoices', invoiceOf(customer)))
    return rows.map(({ id }) => id)
  }
  const countries = async (ids: readonly Id[]) =>
    (
      await rowsOf(
        'SELECT id, billing_country FROM invoices WHERE id IN (SELECT value FROM json_each(?))',
        JSON.stringify(ids),
      )
    ).map((row) => row.billing_country)

  it('are changed and deleted by refine, which asks for one after the other', async () => {
    const ids = await pick(refine(server.address))
    await refine(server.address).updateMany('invoices', ids, { billing_country: 'NO' })
    expect(await countries(ids)).toEqual(ids.map(() => 'NO'))
    await refine(server.address).deleteMany('invoices', ids)
    expect(await countries(ids)).toEqual([])
  })

  it('are changed by react-admin where it says that each shard may commit by itself, and not at all otherwise', async () => {
    const ids = await pick(reactAdmin(server.address))
    const refused = reactAdmin(server.address).updateMany('invoices', ids, { billing_country: 'NO' })
    await expect(refused).rejects.toMatchObject({ status: 400, body: { code: 'SHARD005' } })
    expect(await countries(ids)).toEqual(ids.map(() => null))
    const headers = { Prefer: 'return=representation, atomicity=shard' }
    await reactAdmin(server.address).updateManyWith(headers, ids, { billing_country: 'NO' })
    expect(await countries(ids)).toEqual(ids.map(() => 'NO'))
  })
})
