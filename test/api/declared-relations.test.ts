/** Relations that an app declares where no foreign key says them: embedded by their names, on one database and on several. */
import { env } from 'cloudflare:workers'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { type DeclaredRelation, defineTables, local, type TableDeclaration } from '../../db/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { customers, employees } from '../fixture-app/db/app/schema.ts'
import sample from '../fixture-app/db/app/tables.ts'
import { gatewayOver, tokenFor } from '../support/clinic.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases, prepareAlone } from '../support/one-and-many.ts'
import { secretKey } from '../support/worker-client.ts'

const { ALONE } = env as unknown as { ALONE: D1Database }
const places = sqliteTable('near_places', {
  id: integer('id').primaryKey(),
  zip: text('zip').unique(),
  name: text('name'),
})
const shops = sqliteTable('near_shops', {
  id: integer('id').primaryKey(),
  postcode: text('postcode'),
  rank: integer('rank'),
})
const { DB } = env as unknown as { DB: D1Database }
const readers = { anon: { select: true }, clerk: { select: { columns: ['id'] } } } as const
const ask = gatewayOver(
  defineTables({
    places: local(places, {
      access: readers,
      relations: { shopsThere: { to: () => shops, on: { zip: 'postcode' } } },
    }),
    shops: local(shops, {
      access: { anon: { select: true } },
      relations: {
        place: { to: places, on: { postcode: 'zip' }, many: false },
        peers: { to: () => shops, on: { postcode: 'postcode' } },
      },
    }),
  }),
)
const read = async (query: string, token: string | null = null) => {
  const answer = await ask(`/rest/v1/${query}`, {}, token)
  return (await answer.json()) as Record<string, unknown>[] & { code?: string }
}

beforeAll(() =>
  DB.batch(
    [
      'CREATE TABLE near_places (id INTEGER PRIMARY KEY, zip TEXT UNIQUE, name TEXT)',
      'CREATE TABLE near_shops (id INTEGER PRIMARY KEY, postcode TEXT, rank INTEGER)',
      "INSERT INTO near_places VALUES (1, 'A', 'Alpha'), (2, 'B', 'Beta'), (3, NULL, 'Nowhere')",
      "INSERT INTO near_shops VALUES (1, 'A', 3), (2, 'A', 1), (3, 'C', 2), (4, NULL, 9)",
    ].map((text) => DB.prepare(text)),
  ),
)
afterAll(() => DB.batch(['DROP TABLE near_shops', 'DROP TABLE near_places'].map((text) => DB.prepare(text))))

describe('a declared relation', () => {
  it('is embedded by its name, to one and to many, with all that embeds have', async () => {
    expect(await read('near_shops?select=id,place(name)&order=id')).toEqual([
      { id: 1, place: { name: 'Alpha' } },
      { id: 2, place: { name: 'Alpha' } },
      { id: 3, place: null },
      { id: 4, place: null },
    ])
    expect(await read('near_places?select=name,shopsThere(id)&shopsThere.order=rank&order=id')).toEqual([
      { name: 'Alpha', shopsThere: [{ id: 2 }, { id: 1 }] },
      { name: 'Beta', shopsThere: [] },
      { name: 'Nowhere', shopsThere: [] },
    ])
    expect(await read('near_places?select=name,there:shopsThere!inner(id)&there.rank=gt.2')).toEqual([
      { name: 'Alpha', there: [{ id: 1 }] },
    ])
    expect(await read('near_shops?select=id,...place(town:name)&id=lte.1')).toEqual([
      { id: 1, town: 'Alpha' },
    ])
    expect(await read('near_shops?select=id,peers(id)&id=eq.1')).toEqual([
      { id: 1, peers: [{ id: 1 }, { id: 2 }] },
    ])
    expect(await read('near_places?select=name,shopsThere(count)&shopsThere=not.is.null')).toEqual([
      { name: 'Alpha', shopsThere: [{ count: 2 }] },
    ])
    expect(await read('near_shops?select=id&order=place(name).desc.nullslast,id&limit=1')).toMatchObject({
      code: 'PGRST108',
    })
    expect((await read('near_shops?select=id,place(name)&order=place(name),id&limit=1'))[0]).toMatchObject({
      id: 1,
    })
  })

  it('is nothing that a table’s name means, and nothing to who may not see its columns', async () => {
    expect((await read('near_shops?select=near_places(name)')).code).toBe('PGRST200')
    const clerk = await tokenFor({ role: 'clerk' })
    expect((await read('near_places?select=id,shopsThere(id)', clerk)).code).toBe('PGRST200')
  })

  it('is refused where the app is read, when it leads nowhere', () => {
    const build = (relation: DeclaredRelation, name = 'way') =>
      buildCatalog({ places: local(places), shops: local(shops, { relations: { [name]: relation } }) })
    expect(() => build({ to: customers, on: { postcode: 'id' } })).toThrow(
      /leads to customers, which tables.ts does not serve/,
    )
    expect(() => build({ to: places, on: { nope: 'zip' } })).toThrow(/no column nope in near_shops/)
    expect(() => build({ to: places, on: { postcode: 'nope' } })).toThrow(/no column nope in near_places/)
    expect(() => build({ to: places, on: {} })).toThrow(/names no columns/)
    expect(() => build({ to: places, on: { postcode: 'name' }, many: false })).toThrow(/may be equal in name/)
    expect(() => build({ to: places, on: { postcode: 'zip' } }, 'rank')).toThrow(/a column has this name/)
  })
})

describe('rows that lie elsewhere', () => {
  const declared = (declaration: TableDeclaration, relations: Record<string, DeclaredRelation>) =>
    ({ ...declaration, options: { ...declaration.options, relations } }) as TableDeclaration
  const gateway = createGateway({
    tables: {
      ...sample,
      customers: declared(sample.customers, {
        neighbours: { to: () => customers, on: { country: 'country' } },
        namesakes: { to: () => employees, on: { firstName: 'firstName' } },
      }),
    },
    config: { cache: false, maxRows: null },
  })
  const over = async (bindings: object, path: string) => {
    const request = new Request(`http://atoll.test/rest/v1/${path}`, { headers: { apikey: secretKey } })
    const answer = await fetchFrom(gateway, request, {
      ATOLL_SECRET_KEY: secretKey,
      ATOLL_RATE_LIMITS: 'off',
      ...bindings,
    })
    return [answer.status, await answer.json()]
  }

  beforeAll(prepareAlone, 60_000)
  /** Other tests write as well, into one of both. */
  const seeded = 'id=lte.59'

  it.each([
    `customers?select=id,neighbours(id)&neighbours.order=id&order=id&${seeded}&neighbours.${seeded}`,
    `customers?select=id,namesakes(id,last_name)&namesakes.order=id&order=id&limit=20&${seeded}`,
    `customers?select=id,neighbours!inner(id)&neighbours.id=eq.7&order=id&${seeded}`,
  ])('are found as on one database: %s', async (path) => {
    const alone = await over({ DB: ALONE }, path)
    expect(alone[0]).toBe(200)
    expect(await over(databases, path)).toEqual(alone)
  })
})
