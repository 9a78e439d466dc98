import { env } from 'cloudflare:workers'
import { sql } from 'drizzle-orm'
import { blob, customType, integer, primaryKey, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTables, distributed, int4range, type JsonForm, local } from '../../db/define.ts'
import { defineFunction, rows as rowsOf } from '../../functions/define.ts'
import type { Json } from '../../functions/rest/compile/json-predicates.ts'
import { gatewayOver } from '../support/clinic.ts'
import { jsonbOrder } from '../support/jsonb-order.ts'

const cents = customType<{ data: number; driverData: number }>({ dataType: () => 'integer' })
const money: JsonForm = {
  type: 'text',
  print: (stored) => sql`printf('%d.%02d', ${stored} / 100, ${stored} % 100)`,
  parse: (said) => {
    if (!/^\d+\.\d\d$/.test(said)) throw new Error('no money')
    return BigInt(said.replace('.', ''))
  },
}

/** One column of each type. */
const typed = {
  whole: integer('whole'),
  number: real('number'),
  words: text('words'),
  flag: integer('flag', { mode: 'boolean' }),
  data: text('data', { mode: 'json' }),
  second: integer('second', { mode: 'timestamp' }),
  moment: integer('moment', { mode: 'timestamp_ms' }),
  bytes: blob('bytes', { mode: 'buffer' }),
  long: blob('long', { mode: 'bigint' }),
  doc: blob('doc', { mode: 'json' }),
  price: cents('price'),
  seats: int4range('seats'),
} as const
const created =
  'whole INTEGER, number REAL, words TEXT, flag INTEGER, data TEXT, second INTEGER, moment INTEGER, bytes BLOB, long BLOB, doc BLOB, price INTEGER, seats int4range'

/** `pages` embeds them. */
const values = sqliteTable('shown_values', { id: integer('id').primaryKey(), ...typed })
const pages = sqliteTable('shown_pages', {
  id: integer('id').primaryKey(),
  valueId: integer('value_id').references(() => values.id),
})
/** The same where rows lie on several databases; what embeds them lies on others, or on the first. */
const spread = sqliteTable(
  'spread_values',
  { id: integer('id').notNull(), owner: integer('owner').notNull(), ...typed },
  (table) => [primaryKey({ columns: [table.owner, table.id] })],
)
const leaves = sqliteTable(
  'spread_pages',
  {
    id: integer('id').notNull(),
    place: integer('place').notNull(),
    valueOwner: integer('value_owner'),
    valueId: integer('value_id'),
  },
  (table) => [primaryKey({ columns: [table.place, table.id] })],
)

const databases = Object.fromEntries(
  Object.entries(env as unknown as Record<string, D1Database>).filter(([name]) =>
    /^(?:DB|SHARD_\d+)$/.test(name),
  ),
)
const { DB } = databases as { DB: D1Database }
const all = { select: true, insert: true, update: true, delete: true } as const
const columnOptions = { price: { json: money } }
const ask = gatewayOver(
  defineTables({
    values: local(values, { access: { anon: all }, columns: columnOptions }),
    pages: local(pages, { access: { anon: all } }),
    spread: distributed(spread, { by: 'owner', access: { anon: all }, columns: columnOptions }),
    leaves: distributed(leaves, {
      by: 'place',
      access: { anon: all },
      relations: {
        spread_values: { to: () => spread, on: { valueOwner: 'owner', valueId: 'id' }, many: false },
      },
    }),
  }),
  {},
  {
    every: defineFunction({
      input: z.object({}),
      returns: rowsOf(values),
      stable: true,
      roles: ['anon'],
      run: ({ database }) => database.select().from(values),
    }),
    every_spread: defineFunction({
      input: z.object({}),
      returns: rowsOf(spread),
      stable: true,
      roles: ['anon'],
      run: async ({ shards }) => {
        const found = await Promise.all((await shards.all()).map((shard) => shard.select().from(spread)))
        return found.flat()
      },
    }),
  },
)

const everywhere = async (texts: readonly string[]) => {
  for (const database of Object.values(databases))
    await database.batch(texts.map((statement) => database.prepare(statement)))
}

beforeAll(async () => {
  await everywhere([
    `CREATE TABLE spread_values (id INTEGER NOT NULL, owner INTEGER NOT NULL, ${created}, PRIMARY KEY (owner, id))`,
    'CREATE TABLE spread_pages (id INTEGER NOT NULL, place INTEGER NOT NULL, value_owner INTEGER, value_id INTEGER, PRIMARY KEY (place, id))',
  ])
  await DB.batch(
    [
      `CREATE TABLE shown_values (id INTEGER PRIMARY KEY, ${created})`,
      'CREATE TABLE shown_pages (id INTEGER PRIMARY KEY, value_id INTEGER REFERENCES shown_values (id))',
    ].map((statement) => DB.prepare(statement)),
  )
})
afterAll(async () => {
  await DB.batch(['DROP TABLE shown_pages', 'DROP TABLE shown_values'].map((text) => DB.prepare(text)))
  await everywhere(['DROP TABLE spread_values', 'DROP TABLE spread_pages'])
})

/** Where rows are written, embedded and answered by a function. */
interface World {
  readonly table: string
  readonly pages: string
  readonly every: string
  readonly clear: () => Promise<void>
  /** What a row has beside its values. */
  readonly beside: (id: number) => Record<string, number>
  readonly writePages: (ids: readonly number[]) => Promise<void>
}

const alone: World = {
  table: 'shown_values',
  pages: 'shown_pages',
  every: 'every',
  clear: async () => {
    await DB.batch(['DELETE FROM shown_pages', 'DELETE FROM shown_values'].map((text) => DB.prepare(text)))
  },
  beside: () => ({}),
  writePages: async () => {
    await DB.prepare('INSERT INTO shown_pages SELECT id, id FROM shown_values').run()
  },
}
const ownerOf = (id: number) => id * 7
const several: World = {
  table: 'spread_values',
  pages: 'spread_pages',
  every: 'every_spread',
  clear: () => everywhere(['DELETE FROM spread_pages', 'DELETE FROM spread_values']),
  beside: (id) => ({ owner: ownerOf(id) }),
  writePages: async (ids) => {
    const sent = ids.map((id) => ({ id, place: id * 31 + 5, value_owner: ownerOf(id), value_id: id }))
    await ask('/rest/v1/spread_pages', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Prefer: 'atomicity=shard' },
      body: JSON.stringify(sent),
    })
  },
}

type Column = keyof typeof typed
type Row = { readonly id: number } & Record<Column, Json>

const rangesInOrder = ['empty', '(,5)', '[-3,10)', '[1,5)', '[1,10)', '[1,)', '[2,3)']

/** Few values of each, so that rows share some. */
const columns: Readonly<Record<Column, fc.Arbitrary<Json>>> = {
  whole: fc.constantFrom<Json>(null, 0, -7, 10, 9, 100, 2 ** 53 - 1),
  number: fc.constantFrom<Json>(null, 0, 0.1, 0.1 + 0.2, 1 / 3, 2.5, -2.5, 1e21, 10, 9),
  words: fc.constantFrom<Json>(null, '', 'a', 'B', 'a,b', '10', '9', 'null', '(x)', 'ä', '{1}', '*', '%'),
  flag: fc.constantFrom<Json>(null, true, false),
  data: fc.constantFrom<Json>(
    null,
    9,
    10,
    100,
    2.5,
    'x',
    '10',
    true,
    false,
    [1, 2],
    [1, 10],
    [],
    { a: 1 },
    { a: 10 },
    { b: 1 },
  ),
  second: fc.constantFrom<Json>(
    null,
    '2024-01-01T00:00:00Z',
    '2024-02-29T12:30:00Z',
    '1969-12-31T23:59:59Z',
    '2031-05-04T00:00:01Z',
  ),
  moment: fc.constantFrom<Json>(
    null,
    '2024-01-01T00:00:00.000Z',
    '2024-01-01T00:00:00.001Z',
    '1969-12-31T23:59:59.500Z',
  ),
  bytes: fc.constantFrom<Json>(null, '\\x', '\\x00ff', '\\x0a', '\\x61'),
  long: fc.constantFrom<Json>(null, 0, -7, 10, 9, 100, 2 ** 53 - 1),
  doc: fc.constantFrom<Json>(null, 9, 10, 'x', true, [1, 2], [1, 10], { a: 1 }, { b: 1 }),
  price: fc.constantFrom<Json>(null, '0.05', '9.99', '10.00', '100.00'),
  seats: fc.constantFrom<Json>(null, ...rangesInOrder),
}
/** Ranges as they are ordered. */
const inOrder = (a: Json, b: Json) => rangesInOrder.indexOf(a as string) - rangesInOrder.indexOf(b as string)
/** Where shown values are not ordered as JSON is. */
const orders: Partial<Record<Column, (a: Json, b: Json) => number>> = {
  price: (a, b) => Number(a) - Number(b),
  seats: inOrder,
}
const isJson = (column: Column) => column === 'data' || column === 'doc'
const names = Object.keys(columns) as Column[]

const operators: Readonly<Record<string, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  neq: (order) => order !== 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
}

const textOf = (column: Column, value: Json) =>
  isJson(column) || typeof value !== 'string' ? JSON.stringify(value) : value
const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

async function read<T>(path: string, init: RequestInit = {}): Promise<T> {
  const answer = await ask(`/rest/v1/${path}`, init)
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json<T>()
}

async function idsOf(path: string): Promise<number[]> {
  return (await read<{ id: number }[]>(path)).map(({ id }) => id).sort((a, b) => a - b)
}

const seed = Math.floor(Math.random() * 2 ** 31)

describe(`values, seed ${seed}`, () => {
  it.each([
    ['one database', alone, 20],
    ['several databases', several, 12],
  ] as const)(
    'of %s are shown as they were written, by every way out, and what is shown finds its rows',
    async (_, world, numRuns) => {
      const { table: name, pages: holder, every } = world
      const row = fc.record(columns) as unknown as fc.Arbitrary<Omit<Row, 'id'>>
      const table = fc.array(row, { minLength: 1, maxLength: 8 })
      await fc.assert(
        fc.asyncProperty(table, fc.constantFrom(...names), async (written, column) => {
          const wanted = written.map((one, i) => ({ id: i + 1, ...world.beside(i + 1), ...one })) as Row[]
          const order = orders[column] ?? jsonbOrder
          await world.clear()
          const shown = await read<Row[]>(`${name}?order=id`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json', Prefer: 'return=representation,atomicity=shard' },
            body: JSON.stringify(wanted),
          })
          expect(shown).toEqual(wanted)
          await world.writePages(wanted.map(({ id }) => id))
          expect(await read(`${name}?order=id`)).toEqual(wanted)
          expect(await read(`rpc/${every}?order=id`)).toEqual(wanted)
          const embedded = await read<Record<string, Row>[]>(`${holder}?select=${name}(*)&order=id`)
          expect(embedded.map((page) => page[name])).toEqual(wanted)
          const stripped = await read<Row[]>(`${name}?order=id`, {
            headers: { Accept: 'application/vnd.pgrst.array+json;nulls=stripped' },
          })
          expect(stripped).toEqual(
            wanted.map((one) =>
              Object.fromEntries(Object.entries(one).filter(([, value]) => value !== null)),
            ),
          )
          const csv = await ask(`/rest/v1/${name}?select=id,${column}&order=id`, {
            headers: { Accept: 'text/csv' },
          })
          const lines = (await csv.text()).split('\n').length
          expect(lines).toBe(wanted.length + 1)

          const known = [...new Set(wanted.map((one) => JSON.stringify(one[column])))].map(
            (text) => JSON.parse(text) as Json,
          )
          const there = known.filter((value) => value !== null)
          for (const value of there) {
            const operand = textOf(column, value)
            for (const [operator, holds] of Object.entries(operators)) {
              const expected = wanted
                .filter((one) => one[column] !== null && holds(order(one[column], value)))
                .map(({ id }) => id)
              const filter = `${column}=${operator}.${encodeURIComponent(operand)}`
              const said = `${filter} of ${JSON.stringify(wanted.map((one) => one[column]))}`
              expect(await idsOf(`${name}?select=id&${filter}`), said).toEqual(expected)
              expect(await idsOf(`rpc/${every}?select=id&${filter}`), `rpc ${said}`).toEqual(expected)
              expect(
                await idsOf(`${holder}?select=id,${name}!inner()&${name}.${filter}`),
                `embed ${said}`,
              ).toEqual(expected)
              const logic = `or=${encodeURIComponent(`(${column}.${operator}.${quoted(operand)},id.lt.0)`)}`
              expect(await idsOf(`${name}?select=id&${logic}`), `logic ${said}`).toEqual(expected)
            }
          }
          if (there.length > 0) {
            const some = there.slice(0, 2)
            const list = encodeURIComponent(
              `(${some.map((value) => quoted(textOf(column, value))).join(',')})`,
            )
            const expected = wanted
              .filter((one) => one[column] !== null && some.some((value) => order(one[column], value) === 0))
              .map(({ id }) => id)
            expect(await idsOf(`${name}?select=id&${column}=in.${list}`), `${column} in ${list}`).toEqual(
              expected,
            )
            expect(
              await idsOf(`rpc/${every}?select=id&${column}=in.${list}`),
              `rpc ${column} in ${list}`,
            ).toEqual(expected)
          }
          const nulls = wanted.filter((one) => one[column] === null).map(({ id }) => id)
          expect(await idsOf(`${name}?select=id&${column}=is.null`)).toEqual(nulls)
        }),
        { seed, numRuns },
      )
    },
    240_000,
  )
})
