/** Calls of functions as PostgREST takes and answers them: arguments in a query, media types, counts, profiles. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineFunction, type FunctionManifest, row, rows, scalar } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { genres } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases } from '../support/one-and-many.ts'
import { secretKey } from '../support/worker-client.ts'
import { errorOf } from '../support/write-client.ts'

const stable = { stable: true } as const
let ran = 0

const functions: FunctionManifest = {
  echo: defineFunction({
    ...stable,
    input: z.object({
      ids: z.array(z.int()).optional(),
      words: z.array(z.string().nullable()).optional(),
      flags: z.array(z.boolean()).optional(),
      grid: z.array(z.array(z.number())).optional(),
      flag: z.boolean().optional(),
      n: z.number().nullable().optional(),
      text: z.string().optional(),
      object: z.object({ a: z.int().optional() }).optional(),
    }),
    returns: scalar,
    run: async ({ input }) => input,
  }),
  value: defineFunction({
    ...stable,
    input: z.object({ json: z.any() }),
    returns: scalar,
    run: async ({ input }) => input.json,
  }),
  some_genres: defineFunction({
    ...stable,
    input: z.object({ count: z.int(), name: z.string().optional(), id: z.int().optional() }),
    returns: rows(genres),
    run: async ({ input, database }) => database.select().from(genres).orderBy(genres.id).limit(input.count),
  }),
  one_genre: defineFunction({
    ...stable,
    input: z.object({}),
    returns: row(genres),
    run: async ({ database }) => (await database.select().from(genres).orderBy(genres.id).limit(1))[0],
  }),
  write: defineFunction({ input: z.object({}), returns: scalar, run: async () => [++ran] }),
}

const gateway = createGateway({ tables, config: { cache: false }, functions })
const bindings = { ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off', ...databases }

function ask(path: string, headers: Record<string, string> = {}, method = 'GET', body?: string) {
  const request = new Request(`http://atoll.test/rest/v1/rpc/${path}`, {
    method,
    headers: { apikey: secretKey, ...headers },
    ...(body === undefined ? {} : { body }),
  })
  return fetchFrom(gateway, request, bindings)
}

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(path, { 'Content-Type': 'application/json', ...headers }, 'POST', JSON.stringify(body))

describe('arguments in a query', () => {
  it.each([
    ['ids={1,2}', { ids: [1, 2] }],
    ['ids={}', { ids: [] }],
    ['ids=[3]', { ids: [3] }],
    ['ids={ 1 , 2 }', { ids: [1, 2] }],
    ['words={a,"b, c","q\\"}",NULL,"NULL",12}', { words: ['a', 'b, c', 'q"}', null, 'NULL', '12'] }],
    ['flags={t,f,true,no}', { flags: [true, false, true, false] }],
    [
      'grid={{1,2},{3.5,4}}',
      {
        grid: [
          [1, 2],
          [3.5, 4],
        ],
      },
    ],
    ['flag=t', { flag: true }],
    ['flag=false', { flag: false }],
    ['flag=off', { flag: false }],
    ['n=1.5&text=1.5', { n: 1.5, text: '1.5' }],
    ['n=null&text={1}', { n: null, text: '{1}' }],
    ['object={"a":1}', { object: { a: 1 } }],
    ['object={}', { object: {} }],
  ])('%s are read as the function takes them', async (query, expected) => {
    const url = query.replaceAll('"', '%22').replaceAll('\\', '%5C')
    expect(await (await ask(`echo?${url}`)).json()).toEqual(expected)
  })

  it.each(['ids={1', 'ids={1,}', 'ids={1}{2}', 'ids=1,2', 'ids={a}', 'flag=maybe', 'grid={1}', 'ids={{}'])(
    '%s are refused',
    async (query) => {
      expect(await errorOf(await ask(`echo?${query}`))).toMatchObject({ status: 400, code: '22023' })
    },
  )

  it('are filters when they read as one and the argument cannot be that', async () => {
    const ids = async (query: string) =>
      (await (await ask(`some_genres?${query}`)).json<{ id: number }[]>()).map(({ id }) => id)
    expect(await ids('count=5&id=eq.2')).toEqual([2])
    expect(await ids('count=5&id=7&id=in.(1,3)')).toEqual([1, 3])
    expect(await ids('count=5&and=(id.gt.1,id.lt.4)')).toEqual([2, 3])
    // Text may be anything.
    expect(await ids('count=5&name=eq.nothing')).toHaveLength(5)
  })
})

describe('a value', () => {
  it('is counted as one', async () => {
    const counted = await ask('value?json=7', { Prefer: 'count=exact' })
    expect(counted.status).toBe(200)
    expect(counted.headers.get('content-range')).toBe('0-0/1')
    expect(counted.headers.get('preference-applied')).toBe('count=exact')
    expect((await ask('value?json=7')).headers.get('content-range')).toBe('0-0/*')
  })

  it.each([
    ['', { a: null }, 'application/json; charset=utf-8', '{"a":null}'],
    ['application/json', 'x', 'application/json; charset=utf-8', '"x"'],
    ['text/csv;q=0.1, */*', 1, 'application/json; charset=utf-8', '1'],
    ['application/vnd.pgrst.object+json', 2, 'application/vnd.pgrst.object+json; charset=utf-8', '2'],
    [
      'application/vnd.pgrst.object+json;nulls=stripped',
      { a: null, b: [null, { c: null }] },
      'application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8',
      '{"b":[null,{}]}',
    ],
    ['text/plain', 'é "q"', 'text/plain; charset=utf-8', 'é "q"'],
    ['text/plain', true, 'text/plain; charset=utf-8', 'true'],
    ['text/plain', null, 'text/plain; charset=utf-8', ''],
    ['application/octet-stream', 'ab', 'application/octet-stream', 'ab'],
  ])('as %s: %o', async (accept, json, type, body) => {
    const response = await post('value', { json }, accept === '' ? {} : { Accept: accept })
    expect(response.headers.get('content-type')).toBe(type)
    expect(new TextDecoder().decode(await response.arrayBuffer())).toBe(body)
  })

  it.each([
    ['text/csv', 1],
    ['image/png', 1],
    ['text/plain', [1]],
    ['application/octet-stream', { a: 1 }],
  ])('is not answered as %s: %o', async (accept, json) => {
    const refused = await errorOf(await post('value', { json }, { Accept: accept }))
    expect(refused).toMatchObject({ status: 406, code: 'PGRST107' })
  })

  it('is refused before the function runs when no type fits, and undone when its own does not', async () => {
    expect((await post('write', {}, { Accept: 'image/png' })).status).toBe(406)
    expect(ran).toBe(0)
    expect((await post('write', {}, { Accept: 'text/plain' })).status).toBe(406)
    expect(ran).toBe(1)
  })

  it('has no body for HEAD', async () => {
    const head = await ask('value?json=7', { Prefer: 'count=exact' }, 'HEAD')
    expect([head.status, head.headers.get('content-range'), await head.text()]).toEqual([200, '0-0/1', ''])
  })
})

describe('a call', () => {
  it('of one row that filters leave out answers null', async () => {
    const none = await ask('one_genre?id=eq.-1')
    expect([none.status, await none.text()]).toEqual([200, 'null'])
    const singular = { Accept: 'application/vnd.pgrst.object+json' }
    expect(await errorOf(await ask('one_genre?id=eq.-1', singular))).toMatchObject({ code: 'PGRST116' })
    expect(await (await ask('one_genre?select=id', singular)).json()).toEqual({ id: 1 })
  })

  it('says which methods there are', async () => {
    const allow = async (name: string) => {
      const response = await ask(name, {}, 'OPTIONS')
      return [response.status, response.headers.get('allow')]
    }
    expect(await allow('value')).toEqual([200, 'OPTIONS,GET,HEAD,POST'])
    expect(await allow('write')).toEqual([200, 'OPTIONS,POST'])
    expect((await ask('unheard_of', {}, 'OPTIONS')).status).toBe(404)
  })

  it('for another schema is refused', async () => {
    const before = ran
    for (const refused of [
      await ask('value?json=1', { 'Accept-Profile': 'secret' }),
      await post('write', {}, { 'Content-Profile': 'secret' }),
    ]) {
      expect(await errorOf(refused)).toMatchObject({ status: 406, code: 'PGRST106' })
    }
    expect(ran).toBe(before)
    expect((await post('value', { json: 1 }, { 'Content-Profile': 'public' })).status).toBe(200)
  })
})
