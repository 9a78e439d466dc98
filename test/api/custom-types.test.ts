import { env } from 'cloudflare:workers'
import { eq, sql } from 'drizzle-orm'
import { blob, customType, integer, sqliteTable, sqliteView, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, type JsonForm, local, view } from '../../db/define.ts'
import { defineFunction, rows as rowsOf } from '../../functions/define.ts'
import { databaseTypes } from '../../functions/rest/answer/database-types.ts'
import { serveSchemas } from '../../functions/rest/plan/served-schemas.ts'
import { gatewayOver, tokenFor } from '../support/clinic.ts'

/** Money: cents in the database, a number of euros in Drizzle, text with two digits in JSON. */
const cents = customType<{ data: number; driverData: number }>({
  dataType: () => 'integer',
  toDriver: (euros) => Math.round(euros * 100),
  fromDriver: (stored) => stored / 100,
})
const money: JsonForm = {
  type: 'text',
  name: 'money',
  print: (stored) => sql`printf('%d.%02d', ${stored} / 100, ${stored} % 100)`,
  parse: (said) => {
    if (!/^\d{1,12}(\.\d{1,2})?$/.test(said)) throw new Error('no money')
    return BigInt(
      said.replace('.', '').padEnd(said.replace('.', '').length + 2 - (said.split('.')[1]?.length ?? 0), '0'),
    )
  },
}
/** A place: `3;4` in the database, an object in JSON. */
const place = customType<{ data: { x: number; y: number }; driverData: string }>({
  dataType: () => 'text',
  toDriver: ({ x, y }) => `${x};${y}`,
  fromDriver: (stored) => ({ x: Number(stored.split(';')[0]), y: Number(stored.split(';')[1]) }),
})
const point: JsonForm = {
  type: 'json',
  print: (stored) =>
    sql`json_object('x', CAST(substr(${stored}, 1, instr(${stored}, ';') - 1) AS INTEGER), 'y', CAST(substr(${stored}, instr(${stored}, ';') + 1) AS INTEGER))`,
  parse: (said) => {
    const { x, y } = z.strictObject({ x: z.int(), y: z.int() }).parse(JSON.parse(said))
    return `${x};${y}`
  },
}
const answer = customType<{ data: boolean; driverData: string }>({
  dataType: () => 'text',
  toDriver: (yes) => (yes ? 'Y' : 'N'),
  fromDriver: (stored) => stored === 'Y',
})
const yesOrNo: JsonForm = {
  type: 'boolean',
  print: (stored) => sql`${stored} = 'Y'`,
  parse: (said) => {
    if (said !== 'true' && said !== 'false') throw new Error('neither')
    return said === 'true' ? 'Y' : 'N'
  },
}
/** Sixteen bytes, shown as digits. */
const uuid = customType<{ data: string; driverData: Uint8Array }>({
  dataType: () => 'blob',
  toDriver: (said) => bytesOf(said),
  fromDriver: (stored) =>
    [...new Uint8Array(stored)].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
})
const bytesOf = (digits: string) => {
  if (!/^[0-9a-f]{8}$/.test(digits)) throw new Error('no such id')
  return Uint8Array.from(digits.match(/../g) as string[], (pair) => Number.parseInt(pair, 16))
}
const hex: JsonForm = {
  type: 'text',
  name: 'uuid',
  print: (stored) => sql`lower(hex(${stored}))`,
  parse: bytesOf,
}
/** A type of SQLite's numeric affinity that holds texts. */
const plainDay = customType<{ data: string; driverData: string }>({ dataType: () => 'date' })
/** `1.10` comes after `1.9`. */
const version = customType<{ data: string; driverData: string }>({ dataType: () => 'text' })
const versions: JsonForm = {
  type: 'text',
  order: (stored) =>
    sql`CAST(substr(${stored}, 1, instr(${stored}, '.') - 1) AS INTEGER) * 1000 + CAST(substr(${stored}, instr(${stored}, '.') + 1) AS INTEGER)`,
}

const things = sqliteTable('things', {
  key: uuid('key').primaryKey(),
  owner: text('owner'),
  price: cents('price').$defaultFn(() => 9.99),
  at: place('at'),
  ok: answer('ok'),
  day: plainDay('day'),
  version: version('version'),
  huge: blob('huge', { mode: 'bigint' }),
  doc: blob('doc', { mode: 'json' }),
})
const parts = sqliteTable('thing_parts', {
  id: integer('id').primaryKey(),
  thingKey: uuid('thing_key').references(() => things.key),
})
const words = sqliteTable('words', { id: integer('id').primaryKey(), value: text('value') })
const uses = sqliteTable('word_uses', {
  id: integer('id').primaryKey(),
  wordId: integer('word_id').references(() => words.id),
})
const cheap = sqliteView('cheap_things', {
  id: uuid('id'),
  price: cents('price'),
}).as(sql`SELECT key AS id, price FROM things WHERE price < 1000`)

const { DB } = env as unknown as { DB: D1Database }
const all = { select: true, insert: true, update: true, delete: true } as const
const tables = defineTables({
  things: local(things, {
    columns: {
      key: { json: hex },
      price: { json: money },
      at: { json: point },
      ok: { json: yesOrNo },
      day: { json: { type: 'text' } },
      version: { json: versions },
    },
    access: { anon: all, authenticated: { select: ({ caller, row }) => eq(row.owner, caller.sub) } },
  }),
  parts: local(parts, { columns: { thingKey: { json: hex } }, access: { anon: all } }),
  words: local(words, { access: { anon: all } }),
  uses: local(uses, { access: { anon: all } }),
  cheap: view(cheap, {
    sources: { id: ['things', 'key'], price: ['things', 'price'] },
    access: { anon: all },
  }),
})
const ask = gatewayOver(
  tables,
  {},
  {
    every_thing: defineFunction({
      input: z.object({}),
      returns: rowsOf(things),
      stable: true,
      roles: ['anon'],
      run: ({ database }) => database.select().from(things),
    }),
  },
)

const one = {
  key: '00ff00aa',
  owner: 'ann',
  price: '12.50',
  at: { x: 3, y: 4 },
  ok: true,
  day: '2024',
  version: '1.10',
  huge: 7,
  doc: { a: [1, 2] },
}
const two = {
  key: '0a0b0c0d',
  owner: 'bob',
  price: '9.99',
  at: { x: -1, y: 4 },
  ok: false,
  day: '2024-02-01',
  version: '1.9',
  huge: -8,
  doc: 'x',
}
const three = {
  key: 'ffffffff',
  owner: null,
  price: null,
  at: null,
  ok: null,
  day: null,
  version: null,
  huge: null,
  doc: null,
}

async function read<T>(path: string, init: RequestInit = {}): Promise<T> {
  const answer = await ask(`/rest/v1/${path}`, init)
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json<T>()
}
const send = (method: string, body: unknown, prefer = 'return=representation'): RequestInit => ({
  method,
  headers: { 'Content-Type': 'application/json', Prefer: prefer },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
const keys = async (filter: string) =>
  (await read<{ key: string }[]>(`things?select=key&${filter}&order=key`)).map(({ key }) => key)

beforeAll(async () => {
  await DB.batch(
    [
      'CREATE TABLE things (key BLOB PRIMARY KEY NOT NULL, owner TEXT, price INTEGER, at TEXT, ok TEXT, day DATE, version TEXT, huge BLOB, doc BLOB)',
      'CREATE TABLE thing_parts (id INTEGER PRIMARY KEY, thing_key BLOB REFERENCES things (key))',
      'CREATE TABLE words (id INTEGER PRIMARY KEY, value TEXT)',
      'CREATE TABLE word_uses (id INTEGER PRIMARY KEY, word_id INTEGER REFERENCES words (id))',
      'CREATE VIEW cheap_things AS SELECT key AS id, price FROM things WHERE price < 1000',
    ].map((statement) => DB.prepare(statement)),
  )
  expect(await read('things?order=key', send('POST', [one, two, three]))).toEqual([one, two, three])
  await read(
    'thing_parts',
    send('POST', [
      { id: 1, thing_key: one.key },
      { id: 2, thing_key: two.key },
    ]),
  )
})
afterAll(async () => {
  await DB.batch(
    [
      'DROP VIEW cheap_things',
      ...['thing_parts', 'things', 'word_uses', 'words'].map((name) => `DROP TABLE ${name}`),
    ].map((text) => DB.prepare(text)),
  )
})

describe('columns with a JSON form', () => {
  it('are kept as the app says', async () => {
    const kept = await DB.prepare(
      "SELECT hex(key) AS key, price, at, ok, typeof(day) AS day, CAST(huge AS TEXT) AS huge, CAST(doc AS TEXT) AS doc FROM things WHERE owner = 'ann'",
    ).first()
    expect(kept).toEqual({
      key: '00FF00AA',
      price: 1250,
      at: '3;4',
      ok: 'Y',
      day: 'integer',
      huge: '7',
      doc: '{"a":[1,2]}',
    })
  })

  it('are shown by every way out', async () => {
    expect(await read('things?order=key')).toEqual([one, two, three])
    expect(await read('rpc/every_thing?order=key')).toEqual([one, two, three])
    expect(await read('thing_parts?select=things(*)&order=id')).toEqual([{ things: one }, { things: two }])
    expect(await read('thing_parts?select=...things(price,at)&id=eq.1')).toEqual([
      { price: one.price, at: one.at },
    ])
    expect(await read('cheap_things')).toEqual([{ id: two.key, price: two.price }])
    const csv = await ask('/rest/v1/things?select=key,price,at,ok,huge&order=key&limit=2', {
      headers: { Accept: 'text/csv' },
    })
    expect(await csv.text()).toBe(
      'key,price,at,ok,huge\n00ff00aa,12.50,"{""x"":3,""y"":4}",true,7\n0a0b0c0d,9.99,"{""x"":-1,""y"":4}",false,-8',
    )
    expect(await read('things?select=p:price::numeric,t:huge::text,x:at->x&owner=eq.ann')).toEqual([
      { p: 12.5, t: '7', x: 3 },
    ])
  })

  it.each([
    ['key=eq.00ff00aa', [one]],
    ['key=in.(00ff00aa,0a0b0c0d)', [one, two]],
    ['price=eq.12.50', [one]],
    ['price=eq.12.5', [one]],
    ['price=gt.9.99', [one]],
    ['price=neq.9.99', [one]],
    ['price=in.(9.99,1)', [two]],
    ['price=eq(any).{9.99,12.5}', [one, two]],
    ['price=like.*.50', [one]],
    ['price=is.null', [three]],
    ['or=(price.eq.9.99,at->>x.eq.3)', [one, two]],
    ['at=eq.{"y":4,"x":3}', [one]],
    ['at=cs.{"y":4}', [one, two]],
    ['at->x=eq.-1', [two]],
    ['ok=is.true', [one]],
    ['ok=eq.false', [two]],
    ['not.and=(ok.is.true)', [two, three]],
    ['day=eq.2024', [one]],
    ['day=eq.2024-02-01', [two]],
    ['version=gt.1.9', [one]],
    ['version=lte(all).{1.9,1.10}', [two]],
    ['version=eq.1.9', [two]],
    ['huge=eq.7', [one]],
    ['huge=gt.-9', [one, two]],
    ['huge=lt.0', [two]],
    ['huge=in.(7,9)', [one]],
    ['doc=cs.{"a":[1]}', [one]],
    ['doc->a->0=eq.1', [one]],
    ['doc=eq."x"', [two]],
  ])('%s finds what it shows', async (filter, found) => {
    expect(await keys(filter)).toEqual(found.map(({ key }) => key))
    const parts = await read<unknown[]>(
      `thing_parts?select=id,things!inner()&things.${filter}`.replace('.or=', '.or='),
    )
    expect(parts).toHaveLength(found.filter((thing) => thing !== three).length)
    const called = await read<unknown[]>(`rpc/every_thing?select=key&${filter}`)
    expect(called).toHaveLength(found.length)
  })

  it('are ordered, counted and grouped by what they stand for', async () => {
    const ordered = async (order: string) =>
      (await read<{ key: string }[]>(`things?select=key&order=${order}`)).map(({ key }) => key)
    expect(await ordered('version')).toEqual([two.key, one.key, three.key])
    expect(await ordered('price.desc.nullslast')).toEqual([one.key, two.key, three.key])
    expect(await ordered('huge')).toEqual([two.key, one.key, three.key])
    expect(await read('things?select=price.max(),price.min(),price.count()')).toEqual([
      { max: '12.50', min: '9.99', count: 2 },
    ])
    expect(await read('things?select=price,count()&price=not.is.null&order=price')).toEqual([
      { price: '9.99', count: 1 },
      { price: '12.50', count: 1 },
    ])
    const refused = await ask('/rest/v1/things?select=price.sum()')
    expect([refused.status, await refused.json()]).toMatchObject([
      404,
      { code: '42883', message: 'function sum(money) does not exist' },
    ])
    expect(await read('things?select=price::numeric.sum()')).toEqual([{ sum: expect.closeTo(22.49) }])
  })

  it.each([
    ['GET', 'things?price=eq.cheap', null, 'money: "cheap"'],
    ['GET', 'things?price=in.(1,2.345)', null, 'money: "2.345"'],
    ['GET', 'things?or=(key.eq.xyz,ok.is.true)', null, 'uuid: "xyz"'],
    ['GET', 'things?huge=eq.1.5', null, 'numeric: "1.5"'],
    ['POST', 'things', { key: '00000001', price: '1,5' }, 'money: "1,5"'],
    ['POST', 'things', { key: '00000001', at: { x: 'a' } }, 'text: "{"x":"a"}"'],
    ['PATCH', 'things?owner=eq.ann', { ok: 'perhaps' }, 'text: "perhaps"'],
  ])('%s %s refuses what is none', async (method, path, body, told) => {
    const answer = await ask(`/rest/v1/${path}`, body === null ? {} : send(method, body))
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { code: '22P02', message: `invalid input syntax for type ${told}` },
    ])
  })

  it('are written, merged, defaulted and undone in their form', async () => {
    const rolled = 'return=representation,tx=rollback'
    expect(
      await read(
        'things?key=eq.00ff00aa&select=price,at',
        send('PATCH', { price: 3, at: { x: 1, y: 1 } }, rolled),
      ),
    ).toEqual([{ price: '3.00', at: { x: 1, y: 1 } }])
    expect(await read('things?select=price', send('POST', { key: '00000009' }, rolled))).toEqual([
      { price: '9.99' },
    ])
    const merge = 'return=representation,resolution=merge-duplicates,tx=rollback'
    expect(
      await read('things?select=key,price,ok', send('POST', { key: one.key, price: '1' }, merge)),
    ).toEqual([{ key: one.key, price: '1.00', ok: true }])
    expect(await read('cheap_things', send('POST', { id: '00000008', price: '0.05' }, rolled))).toEqual([
      { id: '00000008', price: '0.05' },
    ])
    const huge = '123456789012345678901234567890'
    const written = await ask(
      '/rest/v1/things?select=huge',
      send('POST', `{"key":"00000007","huge":${huge}}`),
    )
    expect(await written.text()).toBe(`[{"huge":${huge}}]`)
    expect(await keys(`huge=eq.${huge}`)).toEqual(['00000007'])
    expect(await keys('huge=gt.7')).toEqual(['00000007'])
    const put = await ask(
      '/rest/v1/things?key=eq.00000007&select=key,price',
      send('PUT', { key: '00000007', price: '2' }),
    )
    expect(await put.json()).toEqual([{ key: '00000007', price: '2.00' }])
    const headers = { 'Content-Type': 'text/csv', Prefer: 'return=headers-only' }
    await ask('/rest/v1/things?key=eq.00000007', { method: 'DELETE' })
    const csv = await ask('/rest/v1/things', {
      method: 'POST',
      headers,
      body: 'key,price,at\n00000007,1.5,"{""x"":1,""y"":2}"',
    })
    expect([csv.status, csv.headers.get('location')]).toEqual([201, '/rest/v1/things?key=eq.00000007'])
    expect(
      await read('things?key=eq.00000007&select=price,at', {
        method: 'DELETE',
        headers: { Prefer: 'return=representation' },
      }),
    ).toEqual([{ price: '1.50', at: { x: 1, y: 2 } }])
  })

  it('name keys in their form where a constraint is broken', async () => {
    const missing = await ask('/rest/v1/thing_parts', send('POST', { id: 3, thing_key: '00000001' }))
    expect(await missing.json()).toMatchObject({
      code: '23503',
      details: 'Key (thing_key)=(00000001) is not present in table "things".',
    })
    // The parent has a column of the name that SQLite gives to elements of a list.
    await ask('/rest/v1/words', send('POST', { id: 1, value: 'plain text' }))
    const unused = await ask('/rest/v1/word_uses', send('POST', [{ word_id: 1 }, { word_id: 2 }]))
    expect(await unused.json()).toMatchObject({
      code: '23503',
      details: 'Key (word_id)=(2) is not present in table "words".',
    })
    const held = await ask('/rest/v1/things?key=eq.00ff00aa', { method: 'DELETE' })
    expect(await held.json()).toMatchObject({
      code: '23503',
      details: 'Key (key)=(00ff00aa) is still referenced from table "thing_parts".',
    })
  })

  it('tell nobody of rows that they may not see, whatever the form does with them', async () => {
    const token = await tokenFor({ role: 'authenticated', sub: 'ann' })
    const seen = await ask('/rest/v1/things?select=key,price,at,ok', {}, token)
    expect(await seen.json()).toEqual([{ key: one.key, price: one.price, at: one.at, ok: true }])
    // Of a row that is not theirs the form fails: that must not be told.
    await DB.prepare(
      "INSERT INTO things (key, owner, at, doc) VALUES (x'00000042', 'bob', 'broken', x'7b')",
    ).run()
    try {
      for (const filter of [
        'at=eq.{"x":3,"y":4}',
        'at->x=eq.3',
        'doc=cs.{"a":[1]}',
        'doc->a->0=eq.1',
        'price=like.*',
      ]) {
        const answer = await ask(`/rest/v1/things?select=key&${filter}`, {}, token)
        expect([answer.status, await answer.json()], filter).toEqual([200, [{ key: one.key }]])
      }
    } finally {
      await DB.prepare("DELETE FROM things WHERE key = x'00000042'").run()
    }
  })

  it('are described as what they are in JSON', async () => {
    const { definitions } = await (await ask('/rest/v1/')).json<{
      definitions: Record<string, { properties: object }>
    }>()
    expect(definitions.things?.properties).toMatchObject({
      key: { type: 'string', format: 'uuid' },
      price: { type: 'string', format: 'money' },
      at: { format: 'text' },
      ok: { type: 'boolean', format: 'text' },
      huge: { type: 'integer', format: 'numeric' },
      doc: { format: 'json' },
    })
    const catalog = buildCatalog(tables)
    const types = databaseTypes(catalog, serveSchemas(catalog, {}, null))
    for (const line of [
      'key: string',
      'price: string | null',
      'at: Json | null',
      'ok: boolean | null',
      'huge: number | null',
    ])
      expect(types).toContain(`          ${line}\n`)
  })
})
