import { env } from 'cloudflare:workers'
import { PostgrestClient } from '@supabase/postgrest-js'
import { eq } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  daterange,
  defineTables,
  int4range,
  int8range,
  local,
  numrange,
  tsrange,
  tstzrange,
} from '../../db/define.ts'
import { gatewayOver, tokenFor } from '../support/clinic.ts'

const bookings = sqliteTable('bookings', {
  id: integer('id').primaryKey(),
  owner: text('owner'),
  seats: int4range('seats').default('[1,3)'),
  ids: int8range('ids'),
  price: numrange('price'),
  days: daterange('days'),
  during: tsrange('during'),
  instants: tstzrange('instants'),
  tags: text('tags', { mode: 'json' }),
})
const guests = sqliteTable('booking_guests', {
  id: integer('id').primaryKey(),
  bookingId: integer('booking_id').references(() => bookings.id),
})

const { DB } = env as unknown as { DB: D1Database }
const all = { select: true, insert: true, update: true, delete: true } as const
const ask = gatewayOver(
  defineTables({
    bookings: local(bookings, {
      access: { anon: all, authenticated: { select: ({ caller, row }) => eq(row.owner, caller.sub) } },
    }),
    guests: local(guests, { access: { anon: all } }),
  }),
)

async function read<T>(path: string, init: RequestInit = {}): Promise<T> {
  const answer = await ask(`/rest/v1/${path}`, init)
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json<T>()
}
const ids = async (path: string) => (await read<{ id: number }[]>(`${path}&order=id`)).map(({ id }) => id)
const send = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json', Prefer: 'return=representation' },
  body: JSON.stringify(body),
})

beforeAll(async () => {
  await DB.batch(
    [
      `CREATE TABLE bookings (id INTEGER PRIMARY KEY, owner TEXT, seats int4range DEFAULT '[1,3)', ids int8range, price numrange, days daterange, during tsrange, instants tstzrange, tags TEXT)`,
      'CREATE TABLE booking_guests (id INTEGER PRIMARY KEY, booking_id INTEGER REFERENCES bookings (id))',
    ].map((statement) => DB.prepare(statement)),
  )
  const none = { owner: null, seats: null, days: null, during: null, tags: null }
  await read(
    'bookings',
    send([
      {
        id: 1,
        owner: 'ann',
        seats: '[1,5)',
        days: '[2024-01-01,2024-01-31]',
        during: '[2024-01-01 10:00,2024-01-01 12:00)',
        tags: [1, 2],
      },
      {
        id: 2,
        owner: 'bob',
        seats: '[5,9]',
        days: '(,2024-03-01)',
        during: '[2024-01-01 11:00,)',
        tags: [3],
      },
      {
        id: 3,
        owner: 'ann',
        seats: 'empty',
        days: '(,)',
        during: '(2024-01-01 12:00,2024-01-01 13:00]',
        tags: [],
      },
      { id: 4, ...none },
    ]),
  )
  await read('booking_guests', send([1, 2, 3, 4].map((id) => ({ id, booking_id: id }))))
})
afterAll(async () => {
  await DB.batch(
    ['DROP TABLE booking_guests', 'DROP TABLE bookings'].map((statement) => DB.prepare(statement)),
  )
})

describe('ranges', () => {
  it.each([
    ['seats', '(1,4]', '[2,5)'],
    ['seats', ' [ 1 , 5 ) ', '[1,5)'],
    ['seats', '[-3,-3]', '[-3,-2)'],
    ['seats', '[3,3)', 'empty'],
    ['seats', '(3,4)', 'empty'],
    ['seats', 'EMPTY', 'empty'],
    ['seats', '[,5]', '(,6)'],
    ['seats', '[,]', '(,)'],
    ['seats', '["1","5")', '[1,5)'],
    ['ids', '[9007199254740993,9223372036854775807)', '[9007199254740993,9223372036854775807)'],
    ['price', '[1.50,2e1]', '[1.5,20]'],
    ['price', '(-.5,007)', '(-0.5,7)'],
    ['price', '[1,1]', '[1,1]'],
    ['days', '[2024-02-28,2024-02-29]', '[2024-02-28,2024-03-01)'],
    ['days', '(2024-01-01,infinity]', '[2024-01-02,infinity]'],
    ['during', '[2024-01-01,2024-01-01T10:30:00.1250]', '["2024-01-01 00:00:00","2024-01-01 10:30:00.125"]'],
    ['instants', '[2024-01-01 10:00+02,)', '["2024-01-01 08:00:00+00",)'],
  ])('of %s as %s are kept as %s, and found by both', async (column, said, shown) => {
    const [written] = await read<Record<string, unknown>[]>('bookings', send({ id: 9, [column]: said }))
    try {
      expect(written?.[column]).toBe(shown)
      for (const text of [said, shown])
        expect(await ids(`bookings?select=id&id=eq.9&${column}=eq.${encodeURIComponent(text)}`)).toEqual([9])
    } finally {
      await ask('/rest/v1/bookings?id=eq.9', { method: 'DELETE' })
    }
  })

  it.each([
    ['seats=eq.1', '22P02', 'malformed range literal: "1"', 'Missing left parenthesis or bracket.'],
    ['seats=eq.[1 5)', '22P02', 'malformed range literal: "[1 5)"', 'Missing comma after lower bound.'],
    ['seats=eq.[1,5', '22P02', 'malformed range literal: "[1,5"', 'Unexpected end of input.'],
    ['seats=eq.[1,2,3)', '22P02', 'malformed range literal: "[1,2,3)"', 'Too many commas.'],
    [
      'seats=ov.[1,5)x',
      '22P02',
      'malformed range literal: "[1,5)x"',
      'Junk after right parenthesis or bracket.',
    ],
    ['seats=cs.{1}', '22P02', 'malformed range literal: "{1}"', 'Missing left parenthesis or bracket.'],
    ['seats=sl.emptyish', '22P02', 'malformed range literal: "emptyish"', 'Junk after "empty" key word.'],
    ['seats=adj.[a,5)', '22P02', 'invalid input syntax for type integer: "a"', null],
    ['seats=eq.[9,1]', '22000', 'range lower bound must be less than or equal to range upper bound', null],
    ['seats=eq.[1,2147483648)', '22003', 'value "2147483648" is out of range for type integer', null],
    ['seats=eq.[1,2147483647]', '22003', 'integer out of range', null],
    ['days=eq.[2024-02-30,)', '22008', 'date/time field value out of range: "2024-02-30"', null],
    ['during=eq.[noon,)', '22007', 'invalid input syntax for type timestamp: "noon"', null],
  ])('%s is refused with %s', async (filter, code, message, details) => {
    const answer = await ask(`/rest/v1/bookings?${filter}`)
    expect([answer.status, await answer.json()]).toMatchObject([400, { code, message, details }])
    const logic = encodeURIComponent(
      `(not.and(${filter.replace('=', '.').replace(/\.([^.]*)$/, '."$1"')},id.eq.1))`,
    )
    expect((await ask(`/rest/v1/bookings?or=${logic}`)).status).toBe(400)
  })

  it.each([
    ['id=sl.[1,5)', 'operator does not exist: integer << unknown'],
    ['owner=adj.[1,5)', 'operator does not exist: text -|- unknown'],
    ['owner=ov.[1,5)', 'operator does not exist: text && unknown'],
    ['seats=like.*1*', 'operator does not exist: int4range ~~ unknown'],
    ['select=seats.max()', 'function max(int4range) does not exist'],
  ])('%s is no operator', async (filter, message) => {
    const answer = await ask(`/rest/v1/bookings?${filter}`)
    expect([answer.status, await answer.json()]).toMatchObject([404, { code: '42883', message }])
  })

  it('are asked for by supabase-js as they are', async () => {
    const client = new PostgrestClient('http://ranges.test/rest/v1', {
      fetch: (async (url: string, init: RequestInit) =>
        ask(url.replace('http://ranges.test', ''), init)) as never,
    })
    const from = () => client.from('bookings').select('id').order('id')
    const found = async (query: ReturnType<typeof from>) => {
      const { data, error } = await query
      if (error) throw new Error(error.message)
      return (data as { id: number }[]).map(({ id }) => id)
    }
    expect(await found(from().rangeLt('seats', '[5,7)'))).toEqual([1])
    expect(await found(from().rangeGt('seats', '[0,5)'))).toEqual([2])
    expect(await found(from().rangeGte('seats', '[2,3)'))).toEqual([2])
    expect(await found(from().rangeLte('seats', '[2,5)'))).toEqual([1])
    expect(await found(from().rangeAdjacent('seats', '[5,7)'))).toEqual([1])
    expect(await found(from().overlaps('seats', '[4,6)'))).toEqual([1, 2])
    expect(await found(from().contains('seats', '[2,3)'))).toEqual([1])
    expect(await found(from().containedBy('seats', '[1,9]'))).toEqual([1, 2, 3])
    expect(await found(from().eq('seats', '[5,9]'))).toEqual([2])
    expect(await found(from().neq('seats', '[5,9]'))).toEqual([1, 3])
    expect(await found(from().in('seats', ['[1,4]', 'empty']))).toEqual([1, 3])
    expect(await found(from().or('seats.adj.[5,7),days.sr."[2020-01-01,2024-01-01)"'))).toEqual([1])
    expect(await found(from().not('seats', 'ov', '[4,6)'))).toEqual([3])
    // Lists are compared as before.
    expect(await found(from().contains('tags', [1]))).toEqual([1])
    expect(await found(from().overlaps('tags', [2, 3]))).toEqual([1, 2])
    expect(await found(from().containedBy('tags', [3]))).toEqual([2, 3])
  })

  it('are filtered, shown and ordered through embeds', async () => {
    expect(await ids('booking_guests?select=id,bookings!inner()&bookings.seats=ov.[4,6)')).toEqual([1, 2])
    expect(
      await ids(
        'booking_guests?select=id,bookings!inner()&bookings.during=cs.[2024-01-01 11:30,2024-01-01 12:00)',
      ),
    ).toEqual([1, 2])
    expect(await read('booking_guests?select=bookings(seats,days)&id=eq.2')).toEqual([
      { bookings: { seats: '[5,10)', days: '(,2024-03-01)' } },
    ])
    const order = async (by: string) => (await read<{ id: number }[]>(`${by}`)).map(({ id }) => id)
    expect(await order('bookings?select=id&order=seats')).toEqual([3, 1, 2, 4])
    expect(await order('bookings?select=id&order=seats.desc.nullslast')).toEqual([2, 1, 3, 4])
    expect(await order('booking_guests?select=id,bookings(id)&order=bookings(days).desc')).toEqual([
      4, 1, 3, 2,
    ])
    expect(await order('booking_guests?select=id,...bookings(span:days)&order=bookings(span)')).toEqual([
      2, 3, 1, 4,
    ])
    expect(await ids('bookings?select=id&days=gt.(,2024-03-01)')).toEqual([1, 3])
    expect(await ids('bookings?select=id&days=lte(any).{"[2024-01-01,2024-02-01)"}')).toEqual([1, 2, 3])
  })

  it('have their defaults, and are described as texts', async () => {
    expect(await read('bookings?select=seats', send({ id: 8 }))).toEqual([{ seats: '[1,3)' }])
    await ask('/rest/v1/bookings?id=eq.8', { method: 'DELETE' })
    const { definitions } = await (await ask('/rest/v1/')).json<{
      definitions: Record<string, { properties: object }>
    }>()
    expect(definitions.bookings?.properties).toMatchObject({
      seats: { type: 'string', format: 'int4range', default: '[1,3)' },
    })
  })

  it('tell nobody of rows that they may not see', async () => {
    const token = await tokenFor({ role: 'authenticated', sub: 'ann' })
    for (const operator of ['ov', 'cs', 'sr', 'nxl', 'eq', 'gte']) {
      const answer = await ask(`/rest/v1/bookings?select=id&seats=${operator}.[5,10)&order=seats`, {}, token)
      expect(await answer.json(), operator).toEqual([])
    }
  })
})
