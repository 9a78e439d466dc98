import { env } from 'cloudflare:workers'
import { blob, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTables, local } from '../../db/define.ts'
import { defineFunction, rows as rowsOf } from '../../functions/define.ts'
import type { Json } from '../../functions/rest/compile/json-predicates.ts'
import { gatewayOver } from '../support/clinic.ts'
import { jsonbOrder } from '../support/jsonb-order.ts'

/** One column of each type; `pages` embeds them. */
const values = sqliteTable('shown_values', {
  id: integer('id').primaryKey(),
  whole: integer('whole'),
  number: real('number'),
  words: text('words'),
  flag: integer('flag', { mode: 'boolean' }),
  data: text('data', { mode: 'json' }),
  second: integer('second', { mode: 'timestamp' }),
  moment: integer('moment', { mode: 'timestamp_ms' }),
  bytes: blob('bytes', { mode: 'buffer' }),
})
const pages = sqliteTable('shown_pages', {
  id: integer('id').primaryKey(),
  valueId: integer('value_id').references(() => values.id),
})

const { DB } = env as unknown as { DB: D1Database }
const all = { select: true, insert: true, update: true, delete: true } as const
const ask = gatewayOver(
  defineTables({
    values: local(values, { access: { anon: all } }),
    pages: local(pages, { access: { anon: all } }),
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
  },
)

beforeAll(async () => {
  await DB.batch(
    [
      'CREATE TABLE shown_values (id INTEGER PRIMARY KEY, whole INTEGER, number REAL, words TEXT, flag INTEGER, data TEXT, second INTEGER, moment INTEGER, bytes BLOB)',
      'CREATE TABLE shown_pages (id INTEGER PRIMARY KEY, value_id INTEGER REFERENCES shown_values (id))',
    ].map((statement) => DB.prepare(statement)),
  )
})
afterAll(async () => {
  await DB.batch(['DROP TABLE shown_pages', 'DROP TABLE shown_values'].map((text) => DB.prepare(text)))
})

type Column = 'whole' | 'number' | 'words' | 'flag' | 'data' | 'second' | 'moment' | 'bytes'
type Row = { readonly id: number } & Record<Column, Json>

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
}
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
  column === 'data' || typeof value !== 'string' ? JSON.stringify(value) : value
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
  it('are shown as they were written, by every way out, and what is shown finds its rows', async () => {
    const row = fc.record(columns) as unknown as fc.Arbitrary<Omit<Row, 'id'>>
    const table = fc.array(row, { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(table, fc.constantFrom(...names), async (written, column) => {
        const wanted = written.map((one, i) => ({ id: i + 1, ...one })) as Row[]
        await DB.batch(
          ['DELETE FROM shown_pages', 'DELETE FROM shown_values'].map((text) => DB.prepare(text)),
        )
        const shown = await read<Row[]>('shown_values?order=id', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', Prefer: 'return=representation' },
          body: JSON.stringify(wanted),
        })
        expect(shown).toEqual(wanted)
        await DB.prepare('INSERT INTO shown_pages SELECT id, id FROM shown_values').run()
        expect(await read('shown_values?order=id')).toEqual(wanted)
        expect(await read('rpc/every?order=id')).toEqual(wanted)
        const embedded = await read<{ shown_values: Row }[]>('shown_pages?select=shown_values(*)&order=id')
        expect(embedded.map((page) => page.shown_values)).toEqual(wanted)
        const stripped = await read<Row[]>('shown_values?order=id', {
          headers: { Accept: 'application/vnd.pgrst.array+json;nulls=stripped' },
        })
        expect(stripped).toEqual(
          wanted.map((one) => Object.fromEntries(Object.entries(one).filter(([, value]) => value !== null))),
        )
        const csv = await ask(`/rest/v1/shown_values?select=id,${column}&order=id`, {
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
              .filter((one) => one[column] !== null && holds(jsonbOrder(one[column], value)))
              .map(({ id }) => id)
            const filter = `${column}=${operator}.${encodeURIComponent(operand)}`
            const said = `${filter} of ${JSON.stringify(wanted.map((one) => one[column]))}`
            expect(await idsOf(`shown_values?select=id&${filter}`), said).toEqual(expected)
            expect(await idsOf(`rpc/every?select=id&${filter}`), `rpc ${said}`).toEqual(expected)
            expect(
              await idsOf(`shown_pages?select=id,shown_values!inner()&shown_values.${filter}`),
              `embed ${said}`,
            ).toEqual(expected)
            const logic = `or=${encodeURIComponent(`(${column}.${operator}.${quoted(operand)},id.lt.0)`)}`
            expect(await idsOf(`shown_values?select=id&${logic}`), `logic ${said}`).toEqual(expected)
          }
        }
        if (there.length > 0) {
          const some = there.slice(0, 2)
          const list = encodeURIComponent(`(${some.map((value) => quoted(textOf(column, value))).join(',')})`)
          const expected = wanted
            .filter(
              (one) => one[column] !== null && some.some((value) => jsonbOrder(one[column], value) === 0),
            )
            .map(({ id }) => id)
          expect(await idsOf(`shown_values?select=id&${column}=in.${list}`), `${column} in ${list}`).toEqual(
            expected,
          )
          expect(await idsOf(`rpc/every?select=id&${column}=in.${list}`), `rpc ${column} in ${list}`).toEqual(
            expected,
          )
        }
        const nulls = wanted.filter((one) => one[column] === null).map(({ id }) => id)
        expect(await idsOf(`shown_values?select=id&${column}=is.null`)).toEqual(nulls)
      }),
      { seed, numRuns: 40 },
    )
  }, 120_000)
})
