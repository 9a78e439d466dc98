/** Relations that SQL over two rows gives, on one database and on several: rows that lie elsewhere are found all the same. */
import { env } from 'cloudflare:workers'
import { and, desc, eq, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type DeclaredRelation, defineTables, type TableDeclaration } from '../../db/define.ts'
import { defineFunction, rows } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import {
  artistSales,
  artists,
  customers,
  dailySales,
  employees,
  invoiceItems,
  invoices,
  tracks,
} from '../fixture-app/db/app/schema.ts'
import sample from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases, prepareAlone, said } from '../support/one-and-many.ts'
import { secretKey } from '../support/worker-client.ts'

const { ALONE } = env as unknown as { ALONE: D1Database }
const neighbour = alias(customers, 'neighbour')
const buys = sql`${tracks.id} in (select item.track_id from ${invoiceItems} item where item.customer_id = ${customers.id})`
const boughtBy = sql`${customers.id} in (select item.customer_id from ${invoiceItems} item where item.track_id = ${tracks.id})`
const seeded = sql`${customers.id} < 60`

const declared = (declaration: TableDeclaration, relations: Record<string, DeclaredRelation>) =>
  ({ ...declaration, options: { ...declaration.options, relations } }) as TableDeclaration
const tables = defineTables({
  ...sample,
  customers: declared(sample.customers, {
    // Where the rows lie: together, on every shard, elsewhere; and what the SQL reads besides lies elsewhere.
    dear: { to: invoices, where: and(eq(invoices.customerId, customers.id), sql`${invoices.total} > 5`) },
    dearest: {
      to: invoices,
      where: eq(invoices.customerId, customers.id),
      orderBy: desc(invoices.total),
      many: false,
    },
    same_name: { to: employees, where: sql`length(${employees.firstName}) = length(${customers.firstName})` },
    around: {
      to: neighbour,
      where: sql`${neighbour.country} = ${customers.country} and ${neighbour.id} <> ${customers.id} and ${neighbour.id} < 60`,
    },
    next: {
      to: neighbour,
      where: sql`${neighbour.country} = ${customers.country} and ${neighbour.id} > ${customers.id} and ${neighbour.id} < 60`,
      many: false,
    },
    heard: { to: tracks, where: buys },
    sales: {
      to: dailySales,
      where: sql`${dailySales.day} in (select substr(one.invoice_date, 1, 10) from ${invoices} one where one.customer_id = ${customers.id})`,
    },
  }),
  tracks: declared(sample.tracks, {
    buyers: { to: customers, where: and(boughtBy, seeded) },
    last_buyer: { to: customers, where: and(boughtBy, seeded), orderBy: desc(customers.id), many: false },
  }),
  artists: declared(sample.artists, {
    sold: { to: artistSales, where: sql`${artistSales.artistId} = ${artists.id} + 0`, many: false },
  }),
  artistSales: {
    ...sample.artistSales,
    options: { ...sample.artistSales.options, schemas: ['public'], as: 'artist_sales' },
  } as TableDeclaration,
  dailySales: declared(sample.dailySales, {
    first_bills: {
      to: invoices,
      where: sql`substr(${invoices.invoiceDate}, 1, 10) = ${dailySales.day} and ${invoices.id} < 413`,
      orderBy: invoices.id,
      limit: 2,
    },
  }),
})
const some = defineFunction({
  input: z.object({}),
  returns: rows(customers),
  roles: ['anon'],
  run: async ({ shards }) => {
    const parts = await shards.all()
    const found = await Promise.all(parts.map((part) => part.select().from(customers).where(sql`id < 20`)))
    return found.flat()
  },
})
// Plans are kept for a gateway, and say whether there are shards.
const opened = () => createGateway({ tables, config: { cache: false, maxRows: null }, functions: { some } })
const over = (bindings: object) => {
  const gateway = opened()
  return async (path: string, init: RequestInit = {}) => {
    const headers = { apikey: secretKey, Prefer: 'count=exact', ...init.headers }
    const request = new Request(`http://atoll.test/rest/v1/${path}`, { ...init, headers })
    const secrets = { ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off' }
    return said(await fetchFrom(gateway, request, { ...secrets, ...bindings }))
  }
}
const alone = over({ DB: ALONE })
const many = over(databases)

beforeAll(async () => {
  await prepareAlone()
  for (const database of [ALONE, databases.DB]) {
    await database.batch([
      database.prepare('DELETE FROM daily_sales'),
      database.prepare(
        "INSERT INTO daily_sales VALUES ('2009-01-01', 1, 198), ('2009-01-02', 1, 396), ('2009-02-01', 3, 1), ('2021-01-01', 1, 1), ('2021-01-03', 1, 1)",
      ),
      database.prepare('DELETE FROM artist_sales'),
      database.prepare('INSERT INTO artist_sales VALUES (1, 5, 99), (2, 6, 100)'),
    ])
  }
}, 60_000)

const embeds = {
  customers: [
    'dear(id,total)',
    'dearest(id,total,invoice_items(id))',
    'next(id,around(id))',
    'around(id,dearest(total))',
    'same_name(id)',
    'heard(id,name)',
    'sales(day,first_bills(id))',
    '...next(after:id)',
    '...dearest(total)',
    'around(count)',
    'dear(total.max())',
  ],
  invoices: ['customers(id,around(id),dearest(id))', 'customers(next(id))'],
  tracks: ['buyers(id,dear(id))', 'last_buyer(id,next(id))', '...last_buyer(email)', 'buyers(count)'],
  daily_sales: ['first_bills(id,customers(id,next(id)))', 'first_bills(id)'],
  artists: ['sold(units)', '...sold(cents)'],
} as const
const targets = /^(?:\.\.\.)?(\w+)/
/** Lists that nobody orders come as they are found: theirs are ordered, wherever they stand. */
const lists: Readonly<Record<string, string>> = {
  dear: 'id',
  around: 'id',
  same_name: 'id',
  heard: 'id',
  sales: 'day',
  buyers: 'id',
  first_bills: 'id',
  invoice_items: 'id',
}
function ordersOf(embed: string): string {
  const path: string[] = []
  const orders: string[] = []
  for (const [token] of embed.matchAll(/\w+\(|\)/g)) {
    if (token === ')') path.pop()
    else {
      path.push(token.slice(0, -1))
      const by = lists[path.at(-1) as string]
      if (by && !/count|max/.test(embed)) orders.push(`&${path.join('.')}.order=${by}`)
    }
  }
  return orders.join('')
}

const asked = fc
  .constantFrom(...(Object.keys(embeds) as (keyof typeof embeds)[]))
  .chain((table) =>
    fc.record({
      table: fc.constant(table),
      embed: fc.constantFrom<string>(...embeds[table]),
      inner: fc.boolean(),
      filter: fc.constantFrom('', 'filter', 'null', 'not null'),
      limit: fc.constantFrom(null, 1, 3),
      rows: fc.integer({ min: 1, max: 9 }),
    }),
  )
  .map(({ table, embed, inner, filter, limit, rows }) => {
    const target = targets.exec(embed)?.[1] as string
    const isSpread = embed.startsWith('...')
    const key = table === 'daily_sales' ? 'day' : 'id'
    const theirs = target === 'sales' ? 'day=gt.2009-01-01' : target === 'sold' ? 'units=gt.5' : 'id=gt.12'
    const parts = [
      `select=${key},${inner ? embed.replace('(', '!inner(') : embed}`,
      `order=${key}&limit=${rows}`,
      ...(key === 'id' ? ['id=lt.8'] : []),
      ...(filter === 'filter' ? [`${target}.${theirs}`] : []),
      ...(filter === 'null' && !isSpread ? [`${target}=is.null`] : []),
      ...(filter === 'not null' && !isSpread ? [`${target}=not.is.null`] : []),
      ...(limit !== null && !isSpread && !/count|max/.test(embed) ? [`${target}.limit=${limit}`] : []),
    ]
    return `${table}?${parts.join('&')}${ordersOf(embed)}`
  })

describe('on several databases', () => {
  it('every relation finds what it finds on one', async () => {
    for (const [table, all] of Object.entries(embeds)) {
      for (const embed of all) {
        const key = table === 'daily_sales' ? 'day' : 'id'
        const path = `${table}?select=${key},${embed}&order=${key}${key === 'id' ? '&id=lt.8' : ''}${ordersOf(embed)}`
        const found = await alone(path)
        expect([path, found]).toMatchObject([path, { status: 200 }])
        expect(await many(path), path).toEqual(found)
      }
    }
  }, 120_000)

  it('and so does every question about them', async () => {
    await fc.assert(
      fc.asyncProperty(asked, async (path) => {
        expect(await many(path), path).toEqual(await alone(path))
      }),
      { numRuns: 8 },
    )
  }, 120_000)

  it('rows of functions are where they are asked', async () => {
    const path = 'rpc/some?select=id,next(id),dearest(total),heard(count),invoices(count)&order=id'
    const found = await alone(path)
    expect(found).toMatchObject({ status: 200 })
    expect(await many(path)).toEqual(found)
  })

  it('a written row shows what lies with it, and is refused to show what does not', async () => {
    const write = (embed: string) => {
      const sent = {
        method: 'PATCH',
        headers: { Prefer: 'return=representation', 'Content-Type': 'application/json' },
        body: '{"fax":null}',
      }
      const path = `customers?id=eq.7&select=id,${embed}${ordersOf(embed)}`
      return Promise.all([many(path, sent), alone(path, sent)])
    }
    for (const embed of ['dearest(id)', 'dear(id)', 'same_name(id)']) {
      const [shown, found] = await write(embed)
      expect(shown, embed).toMatchObject({ status: 200 })
      expect(shown, embed).toEqual(found)
    }
    for (const embed of ['next(id)', 'heard(id)', 'sales(day)']) {
      const [shown, found] = await write(embed)
      expect([shown, found], embed).toMatchObject([{ status: 400 }, { status: 200 }])
    }
  })
})
