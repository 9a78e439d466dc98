/** Names of constraints that SQLite does not tell, names that files of SQL do not bear, and digits of numbers. */
import { env } from 'cloudflare:workers'
import { sql } from 'drizzle-orm'
import { integer, real, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, local } from '../../db/define.ts'
import { defineFunction, scalar } from '../../functions/define.ts'
import { gatewayOver } from '../support/clinic.ts'

const slugs = sqliteTable(
  'named_slugs',
  {
    id: integer('id').primaryKey(),
    slug: text('slug'),
    live: integer('live', { mode: 'boolean' }),
    number: real('number'),
  },
  (table) => [
    uniqueIndex('slugs_live').on(table.slug).where(sql`${table.live} = 1`),
    uniqueIndex('slugs_lower').on(sql`lower(${table.slug}) || id`),
  ],
)
const { DB } = env as unknown as { DB: D1Database }
const all = { select: true, insert: true, update: true, delete: true } as const
const ask = gatewayOver(
  defineTables({
    slugs: local(slugs, {
      access: { anon: all },
      computed: { third: { type: 'real', sql: sql`${slugs.id} / 3.0` } },
    }),
  }),
  {},
  {
    twice: defineFunction({
      input: z.object({}),
      returns: scalar,
      roles: ['anon'],
      run: ({ database }) =>
        database.insert(slugs).values([
          { slug: 'a', live: true },
          { slug: 'a', live: true },
        ]),
    }),
  },
)

beforeAll(() =>
  DB.batch(
    [
      'CREATE TABLE named_slugs (id INTEGER PRIMARY KEY, slug TEXT, live INTEGER, number REAL)',
      'CREATE UNIQUE INDEX slugs_live ON named_slugs (slug) WHERE live = 1',
      'CREATE UNIQUE INDEX slugs_lower ON named_slugs (lower(slug) || number)',
    ].map((text) => DB.prepare(text)),
  ),
)
beforeEach(() => DB.prepare('DELETE FROM named_slugs').run())
afterAll(() => DB.prepare('DROP TABLE named_slugs').run())

const insert = (body: unknown) =>
  ask('/rest/v1/named_slugs', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })

describe('a unique index', () => {
  it('of some rows is told by its name, wherever the value was taken', async () => {
    await insert({ slug: 'a', live: true })
    expect((await insert({ slug: 'a', live: false })).status).toBe(201)
    const taken = await insert({ slug: 'a', live: true })
    expect([taken.status, await taken.json()]).toEqual([
      409,
      {
        code: '23505',
        message: 'duplicate key value violates unique constraint "slugs_live"',
        details: 'Key (slug)=(a) already exists.',
        hint: null,
      },
    ])
    const inside = await ask('/rest/v1/rpc/twice', { method: 'POST' })
    expect(((await inside.json()) as { message: string }).message).toContain('"slugs_live"')
  })

  it('over expressions is told by its name', async () => {
    await insert({ slug: 'B', number: 1.5 })
    const taken = await insert({ slug: 'b', number: 1.5 })
    expect(await taken.json()).toMatchObject({
      code: '23505',
      message: 'duplicate key value violates unique constraint "slugs_lower"',
      details: null,
    })
  })
})

describe('a name with a quote in it', () => {
  it.each(['quo"te', "quo'te", 'quo`te'])('is refused where the app is read: %s', (name) => {
    const table = sqliteTable('plain', { id: integer('id').primaryKey(), column: text(name) })
    expect(() => buildCatalog(defineTables({ table: local(table) }))).toThrow(/has a quote in it/)
    const named = sqliteTable(name, { id: integer('id').primaryKey() })
    expect(() => buildCatalog(defineTables({ named: local(named) }))).toThrow(/has a quote in it/)
  })
})

describe('a number', () => {
  it.each([
    [1 / 3, '0.3333333333333333'],
    [2 / 3, '0.6666666666666666'],
    [0.1 + 0.2, '0.30000000000000004'],
    [0.1, '0.1'],
    [123456.789, '123456.789'],
    [-1.005, '-1.005'],
    [3, '3'],
    [1e21, '1.0e+21'],
  ])('is shown in the fewest digits that are it: %d', async (number, digits) => {
    await insert({ id: 1, number })
    const text = async (query: string, accept = 'application/json') =>
      (await ask(`/rest/v1/named_slugs?${query}`, { headers: { Accept: accept } })).text()
    expect(JSON.parse(await text('select=number'))).toEqual([{ number }])
    if (!Number.isInteger(number)) expect(await text('select=number')).toBe(`[{"number":${digits}}]`)
    expect(await text('select=number', 'text/csv')).toBe(`number\n${digits}`)
    expect(await text('select=number::text')).toBe(`[{"number":"${digits}"}]`)
    expect(JSON.parse(await text(`select=number&number=eq.${encodeURIComponent(digits)}`))).toHaveLength(1)
  })

  it('that is worked out is shown so, too', async () => {
    await insert({ id: 1 })
    expect(await (await ask('/rest/v1/named_slugs?select=third')).text()).toBe(
      '[{"third":0.3333333333333333}]',
    )
    expect(await (await ask('/rest/v1/named_slugs?select=third.avg()')).text()).toBe(
      '[{"avg":0.3333333333333333}]',
    )
  })
})
