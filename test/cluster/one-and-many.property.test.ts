import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { askMany, askOne, databases, prepareAlone, said } from '../support/one-and-many.ts'

beforeAll(prepareAlone)

/** Parts of requests, by the table that they are for. */
const parts: Readonly<
  Record<
    string,
    {
      selects: readonly string[]
      aggregates: readonly string[]
      filters: readonly string[]
      orders: readonly string[]
    }
  >
> = {
  customers: {
    selects: [
      '*',
      'id,email',
      'id,city,invoices(id,total)',
      'id,invoices!inner(id,invoice_items(quantity,tracks(name)))',
      'id,employees(last_name)',
      'id,...employees(rep:last_name)',
      'id,employees(id,customers(id))',
      'id,invoices(count())',
      'id,invoices(total.sum())',
    ],
    aggregates: [
      'count()',
      'country,count()',
      'support_rep_id,id.max(),id.min(),id.avg()',
      '...employees(last_name),count()',
    ],
    filters: [
      'id=eq.7',
      'id=in.(1,5,9,33)',
      'id=gt.40',
      'support_rep_id=eq.5',
      'email=like.*a*',
      'or=(id.lt.5,id.gt.55)',
      'city=not.is.null',
      'id=eq.999',
    ],
    orders: ['city', 'support_rep_id.desc,email', 'fax.nullsfirst', 'employees(last_name).desc'],
  },
  invoices: {
    selects: [
      '*',
      'id,total',
      'id,customers(email)',
      'id,customers!inner(id,employees(last_name))',
      'id,items:invoice_items(id,quantity)',
      'id,...customers(city,...employees(rep:last_name))',
      'id,invoice_items(tracks(name,albums(title)))',
    ],
    aggregates: [
      'count()',
      'total.sum(),total.max(),total.min()',
      'customer_id,count(),id.sum()',
      'billing_country,id.max()',
      'when:invoice_date.max()',
      'id.avg()::int',
      'id.sum()::text,count()',
    ],
    filters: [
      'customer_id=eq.7',
      'customer_id=in.(1,2,3)',
      'id=eq.100',
      'id=lt.819200',
      'total=gte.10',
      'and=(customer_id.eq.9,total.gt.1)',
      'not.or=(id.gt.1638400,customer_id.lt.5)',
      'billing_state=is.null',
      'customer_id=eq.77777',
    ],
    orders: [
      'total',
      'total.desc,id',
      'billing_city.desc.nullslast',
      'invoice_date,customer_id.desc',
      'customers(email)',
    ],
  },
  invoice_items: {
    selects: ['id,quantity', 'id,tracks(name,genres(name))', 'id,invoices(total,customers(email))'],
    aggregates: [
      'quantity,count()',
      'track_id.max(),unit_price.max()',
      'quantity.sum(),...tracks(...genres(genre:name))',
    ],
    filters: ['customer_id=eq.3', 'invoice_id=lt.196608', 'quantity=eq.2', 'track_id=lt.300'],
    orders: ['track_id', 'unit_price.desc,id.desc', 'quantity,track_id'],
  },
  employees: {
    selects: [
      'id,last_name,customers(id,city)',
      'id,customers!inner(id)',
      'id,customers(count())',
      'id,customers(id,invoices(id))',
    ],
    aggregates: ['count()'],
    filters: ['id=eq.5', 'id=gt.3', 'customers.city=like.*a*', 'customers=is.null', 'customers.id=lt.20'],
    orders: ['last_name', 'id.desc'],
  },
  tracks: {
    selects: ['id,invoice_items(id,quantity)', 'id,invoice_items(invoices(id,customers(email)))'],
    aggregates: ['count()'],
    filters: ['id=lt.20', 'id=eq.7'],
    orders: ['name,id', 'id.desc'],
  },
}

const requests = fc.constantFrom(...Object.keys(parts)).chain((table) => {
  const { selects, aggregates, filters, orders } = parts[table] as (typeof parts)[string]
  return fc.record({
    table: fc.constant(table),
    select: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...selects) },
      { weight: 2, arbitrary: fc.constantFrom(...aggregates) },
    ),
    filters: fc.subarray([...filters], { maxLength: 2 }),
    order: fc.option(fc.constantFrom(...orders)),
    limit: fc.option(fc.constantFrom(0, 1, 3, 10, 100)),
    offset: fc.option(fc.constantFrom(0, 1, 5, 50)),
    count: fc.boolean(),
    accept: fc.constantFrom(
      'application/json',
      'application/json',
      'text/csv',
      'application/vnd.pgrst.object+json',
    ),
  })
})

describe('a request to four databases', () => {
  it('gets the answer that one database holding all rows would give', async () => {
    let several = 0
    await fc.assert(
      fc.asyncProperty(requests, async ({ table, select, filters, order, limit, offset, count, accept }) => {
        const query = [
          `select=${select}`,
          ...filters.filter((filter) => !filter.startsWith('customers') || select.includes('customers')),
          ...(order === null ||
          /\.\w+\(\)|count\(\)$/.test(select) ||
          (order.includes('(') && !select.includes(order.split('(')[0] as string))
            ? []
            : [`order=${order}`]),
          ...(limit === null ? [] : [`limit=${limit}`]),
          ...(offset === null ? [] : [`offset=${offset}`]),
        ].join('&')
        const init = { headers: { Accept: accept, ...(count ? { Prefer: 'count=exact' } : {}) } }
        const path = `${table}?${query}`
        const [one, many] = [await said(await askOne(path, init)), await said(await askMany(path, init))]
        expect({ path, ...many }).toEqual({ path, ...one })
        if ((many as { status: number }).status < 300) several++
      }),
      { numRuns: 120, seed: 20261122 },
    )
    expect(several).toBeGreaterThan(70)
  }, 120_000)

  it('writes the same rows, wherever they lie', async () => {
    const writes = fc.record({
      table: fc.constantFrom('invoices', 'invoice_items', 'customers'),
      method: fc.constantFrom('PATCH', 'DELETE'),
      filters: fc.array(
        fc.constantFrom(
          'id=eq.$',
          'id=in.($,$)',
          'customer_id=eq.9',
          'total=gte.14',
          'quantity=eq.3',
          'unit_price=eq.1.99',
          'billing_country=like.*land',
          'city=like.B*',
          'support_rep_id=eq.5',
          'or=(id.eq.$,id.eq.$)',
          'not.id=eq.$',
        ),
        { minLength: 1, maxLength: 2 },
      ),
      order: fc.option(fc.constantFrom('id', 'id.desc')),
      limit: fc.integer({ min: 1, max: 3 }),
      offset: fc.constantFrom(0, 0, 1),
      accept: fc.constantFrom('application/json', 'application/json', 'application/vnd.pgrst.object+json'),
      seeds: fc.array(fc.nat(), { minLength: 5, maxLength: 5 }),
    })
    const columns = { invoices: 'billing_city', invoice_items: 'unit_price', customers: 'city' } as const
    const ids = new Map<string, number[]>()
    for (const table of Object.keys(columns)) {
      const found = (await (await askOne(`${table}?select=id&order=id`)).json()) as { id: number }[]
      ids.set(
        table,
        found.map(({ id }) => id),
      )
    }
    const outcomes = { written: 0, several: 0 }
    await fc.assert(
      fc.asyncProperty(writes, async ({ table, method, filters, order, limit, offset, accept, seeds }) => {
        const own = ids.get(table) as number[]
        let used = 0
        const query = [
          ...filters.map((filter) =>
            filter.replaceAll('$', () => String(own[(seeds[used++ % 5] as number) % own.length])),
          ),
          ...(order === null ? [] : [`order=${order}`, `limit=${limit}`, `offset=${offset}`]),
        ].join('&')
        const body =
          table === 'invoice_items' ? '{"unit_price":7}' : JSON.stringify({ [columns[table]]: 'X' })
        const init = {
          method,
          headers: {
            Accept: accept,
            'Content-Type': 'application/json',
            Prefer: 'tx=rollback, return=representation, count=exact',
          },
          ...(method === 'PATCH' ? { body } : {}),
        }
        const path = `${table}?select=id&${query}`
        const many = await said(await askMany(path, init))
        const text = (many as { text: { code?: string } }).text
        if (text.code === 'SHARD005') {
          outcomes.several++
          return
        }
        const one = await said(await askOne(path, init))
        const [{ status }, other] = [many, one] as [{ status: number }, { status: number }]
        // Of two reasons to refuse, either may come first.
        if (status >= 400) expect({ path, isRefused: other.status >= 400 }).toEqual({ path, isRefused: true })
        else expect({ path, ...many }).toEqual({ path, ...one })
        if (status < 300) outcomes.written++
      }),
      { numRuns: 200, seed: 20261130 },
    )
    expect(outcomes.written).toBeGreaterThan(30)
    expect(outcomes.several).toBeGreaterThan(5)
  }, 120_000)

  it('has its rows spread over all four', async () => {
    const counts = await Promise.all(
      Object.values(databases).map((database) =>
        database.prepare('SELECT count(*) AS n FROM customers').first<number>('n'),
      ),
    )
    expect(counts.every((rows) => Number(rows) > 5)).toBe(true)
    expect(counts.reduce<number>((sum, rows) => sum + Number(rows), 0)).toBe(60)
  })
})
