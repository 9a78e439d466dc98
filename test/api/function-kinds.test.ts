/** All kinds of functions that PostgREST has: overloads, whole bodies, variadic arguments, records, sets, media types; and which may write. */
import { integer, text } from 'drizzle-orm/sqlite-core'
import { beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  defineFunction,
  defineJob,
  type FunctionManifest,
  record,
  records,
  rows,
  scalar,
  value,
  values,
  wholeBody,
} from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { genres } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases } from '../support/one-and-many.ts'
import { secretKey } from '../support/worker-client.ts'
import { errorOf } from '../support/write-client.ts'

const nothing = z.object({})
const ping = defineJob({ name: 'ping', input: nothing, run: async () => undefined })
let ran = 0

const sum = defineFunction({
  input: z.object({ a: z.int(), b: z.int().default(10) }),
  returns: value({ type: z.int() }),
  stable: true,
  run: async ({ input: { a, b } }) => a + b,
})

const functions: FunctionManifest = {
  over: [
    sum,
    defineFunction({ input: nothing, returns: values(z.int()), run: async () => [1, 2, 3] }),
    defineFunction({
      input: z.object({ a: z.string(), b: z.string(), c: z.string() }),
      returns: scalar,
      run: async ({ input: { a, b, c } }) => a + b + c,
    }),
    defineFunction({
      input: wholeBody('json', z.array(z.int())),
      returns: scalar,
      run: async ({ input }) => input.length,
    }),
    defineFunction({
      input: wholeBody('text'),
      returns: value({ media: 'text/plain' }),
      run: async ({ input }) => input,
    }),
    defineFunction({
      input: wholeBody('bytes'),
      returns: value({ media: 'application/octet-stream' }),
      run: async ({ input }) => input.toReversed(),
    }),
  ],
  twice: [
    defineFunction({ input: z.object({ a: z.int() }), returns: scalar, run: async () => 1 }),
    defineFunction({
      input: z.object({ a: z.int(), b: z.int().optional() }),
      returns: scalar,
      run: async () => 2,
    }),
  ],
  tagged: defineFunction({
    input: z.object({ tags: z.array(z.string()).default([]), ids: z.array(z.int()).optional() }),
    variadic: 'tags',
    returns: scalar,
    run: async ({ input }) => input,
  }),
  anything: defineFunction({
    input: z.object({ arg: z.json() }),
    returns: scalar,
    run: async ({ input }) => [input.arg],
  }),
  digits: defineFunction({
    input: z.object({ n: z.number(), big: z.bigint().optional() }),
    returns: scalar,
    run: async ({ input }) => [input.n, String(input.big)],
  }),
  point: defineFunction({
    input: z.object({ there: z.boolean().default(true) }),
    returns: record({ x: integer(), label: text() }),
    run: async ({ input }) => (input.there ? { x: 10, label: 'p' } : null),
  }),
  points: defineFunction({
    input: z.object({ x: z.int().optional() }),
    returns: records({ x: integer(), at: integer({ mode: 'timestamp' }), shape: text({ mode: 'json' }) }),
    run: async ({ input: { x = 0 } }) =>
      [9, 10, 100].map((n) => ({ x: n + x, at: new Date(n * 1000), shape: { v: n, tags: ['a', n] } })),
  }),
  page: defineFunction({
    input: nothing,
    returns: value({ media: 'text/html' }),
    run: async () => '<p>hi</p>',
  }),
  any: defineFunction({
    input: nothing,
    returns: value({ media: '*/*' }),
    run: async ({ response }) => {
      response.headers.set('Content-Type', 'image/x-own')
      return new Uint8Array([1, 2])
    },
  }),
  writes: defineFunction({
    input: nothing,
    returns: rows(genres),
    run: ({ database }) => database.update(genres).set({ name: 'changed' }).returning(),
  }),
  sends: defineFunction({
    input: nothing,
    returns: scalar,
    run: ({ jobs }) => jobs.send(ping, {}),
  }),
  asks: defineFunction({
    input: nothing,
    returns: scalar,
    run: async ({ api }) => {
      const { error } = await api.asService.from('genres').delete().gte('id', 0)
      return error?.code
    },
  }),
  lies: defineFunction({
    input: nothing,
    returns: scalar,
    stable: true,
    run: ({ database }) => database.insert(genres).values({ name: 'x' }),
  }),
  pays: defineFunction({ input: nothing, returns: scalar, undoable: false, run: async () => ++ran }),
  kept: [
    defineFunction({ input: nothing, returns: scalar, roles: ['anon'], run: async () => 'for all' }),
    defineFunction({ input: z.object({ secret: z.string() }), returns: scalar, run: async () => 'for one' }),
  ],
}

const gateway = createGateway({ tables, config: { cache: false }, functions, jobs: [ping] })
const bindings = {
  ATOLL_SECRET_KEY: secretKey,
  ATOLL_PUBLISHABLE_KEY: 'sb_publishable_x',
  ATOLL_RATE_LIMITS: 'off',
  ...databases,
}

function ask(path: string, init: RequestInit & { key?: string } = {}) {
  const { key = secretKey, headers, ...rest } = init
  const request = new Request(`http://atoll.test/rest/v1/rpc/${path}`, {
    ...rest,
    headers: { apikey: key, ...headers },
  })
  return fetchFrom(gateway, request, bindings)
}

const post = (path: string, body: string, type = 'application/json', headers: Record<string, string> = {}) =>
  ask(path, { method: 'POST', body, headers: { 'Content-Type': type, ...headers } })

const shown = async (response: Response | Promise<Response>) => {
  const answer = await response
  return [answer.status, answer.headers.get('content-type'), await answer.text()]
}
const json = 'application/json; charset=utf-8'

beforeEach(() => {
  ran = 0
})

describe('functions of one name', () => {
  it('are told apart by the names of what comes, defaults left out', async () => {
    expect(await shown(ask('over?a=1&b=2'))).toEqual([200, json, '3'])
    expect(await shown(ask('over?a=1'))).toEqual([200, json, '11'])
    expect(await shown(post('over', '{"a":"1","b":"2","c":"3"}'))).toEqual([200, json, '"123"'])
    expect(await shown(ask('over'))).toEqual([200, json, '[1,2,3]'])
    expect(await shown(post('over?columns=a,b', '{"a":1,"b":2,"c":3}'))).toEqual([200, json, '3'])
    expect(await shown(post('over', '[{"a":1,"b":2},{"a":9,"b":9}]'))).toEqual([200, json, '3'])
  })

  it('fall back to the one that takes the whole body, by its type', async () => {
    expect(await shown(post('over', '{"z":1}'))).toEqual([400, json, expect.stringContaining('22023')])
    expect(await shown(post('over', '[1,2,3,4]', 'application/json'))).toEqual([200, json, '[1,2,3]'])
    expect(await shown(post('over', 'ä\n', 'text/plain', { Accept: 'text/plain' }))).toEqual([
      200,
      'text/plain; charset=utf-8',
      'ä\n',
    ])
    const bytes = await ask('over', {
      method: 'POST',
      body: new Uint8Array([0, 255, 7]),
      headers: { 'Content-Type': 'application/octet-stream', Accept: 'application/octet-stream' },
    })
    expect([...(await bytes.bytes())]).toEqual([7, 255, 0])
    expect(await errorOf(await post('over', '<a/>', 'text/xml'))).toMatchObject({
      status: 404,
      code: 'PGRST202',
      details: expect.stringContaining('with a single unnamed xml parameter'),
    })
  })

  it('that fit alike are refused, and those that fit nothing are told what is like them', async () => {
    expect(await errorOf(await ask('twice?a=1'))).toMatchObject({
      status: 300,
      code: 'PGRST203',
      message: expect.stringContaining('public.twice(a), public.twice(a, b)'),
    })
    expect(await errorOf(await ask('over?a=1&b=2&wrong=3'))).toMatchObject({
      status: 404,
      hint: 'Perhaps you meant to call the function public.over(a, b, c)',
    })
  })

  it('are chosen among those that the caller may call', async () => {
    const key = 'sb_publishable_x'
    expect(await shown(ask('kept', { key }))).toEqual([200, json, '"for all"'])
    const denied = await errorOf(await ask('kept?secret=1', { key }))
    expect(denied).toMatchObject({ status: 404, code: 'PGRST202' })
    expect(JSON.stringify(denied)).not.toContain('(secret)"')
    expect(await shown(ask('kept?secret=1'))).toEqual([200, json, '"for one"'])
    expect(await errorOf(await ask('over?a=1&b=2', { key }))).toMatchObject({ status: 401, code: '42501' })
  })
})

describe('arguments', () => {
  it('may be repeated where the function says so, in queries and forms', async () => {
    const tags = async (response: Promise<Response>) => (await (await response).json()) as unknown
    expect(await tags(ask('tagged?tags=a&tags=b'))).toEqual({ tags: ['a', 'b'] })
    expect(await tags(ask('tagged?tags={a,b}&ids=1&ids={1,2}'))).toEqual({ tags: ['a', 'b'], ids: [1, 2] })
    expect(await tags(ask('tagged'))).toEqual({ tags: [] })
    expect(await tags(post('tagged', 'tags=x&tags=1', 'application/x-www-form-urlencoded'))).toEqual({
      tags: ['x', '1'],
    })
  })

  it('of any JSON are read as JSON', async () => {
    const read = async (text: string) => (await ask(`anything?arg=${encodeURIComponent(text)}`)).json()
    expect(await read('{"a":[1]}')).toEqual([{ a: [1] }])
    expect(await read('null')).toEqual([null])
    expect(await read('plain')).toEqual(['plain'])
  })

  it('with more digits than JavaScript keeps are numbers all the same, or every digit where that is taken', async () => {
    const answer = await post('digits', '{"n":3.14159265358979323846,"big":9007199254740993}')
    expect(await answer.json()).toEqual([Math.PI, '9007199254740993'])
  })
})

describe('what belongs to no table', () => {
  it('is one object, or null', async () => {
    expect(await shown(ask('point'))).toEqual([200, json, '{"x":10,"label":"p"}'])
    expect(await shown(ask('point?there=false'))).toEqual([200, json, 'null'])
    expect(await shown(ask('point?select=n:x::text'))).toEqual([200, json, '{"n":"10"}'])
    expect(await shown(ask('point', { headers: { Prefer: 'count=exact' } }))).toEqual([
      200,
      json,
      '{"x":10,"label":"p"}',
    ])
  })

  it('is filtered, ordered, counted and cut by what its columns are', async () => {
    const x = async (query: string) =>
      ((await (await ask(`points?${query}`)).json()) as { x: number }[]).map((one) => one.x)
    expect(await x('x=gt.9&order=x.desc')).toEqual([100, 10])
    expect(await x('x=1&order=x')).toEqual([10, 11, 101])
    expect(await x('shape->v=gte.10')).toEqual([10, 100])
    expect(await x('at=lt.1970-01-01T00:01:00Z')).toEqual([9, 10])
    expect(await x('shape->tags=cs.[100]')).toEqual([100])
    const part = await ask('points?limit=2&order=x', { headers: { Prefer: 'count=exact' } })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, '0-1/3'])
    expect(await errorOf(await ask('points?select=genres(*)'))).toMatchObject({
      status: 400,
      code: 'PGRST200',
    })
    expect(await errorOf(await ask('points?select=nope'))).toMatchObject({ status: 400, code: '42703' })
  })

  it('may be values, which a range cuts', async () => {
    const cut = await ask('over?offset=1&limit=1', { headers: { Prefer: 'count=exact' } })
    expect([cut.status, cut.headers.get('content-range'), await cut.text()]).toEqual([206, '1-1/3', '[2]'])
    const ranged = await ask('over', { headers: { Range: '1-5' } })
    expect(await ranged.text()).toBe('[2,3]')
    expect(await errorOf(await ask('over', { headers: { Accept: 'text/plain' } }))).toMatchObject({
      code: 'PGRST107',
    })
  })
})

describe('media types', () => {
  it('that a function declares are answered to whom wants them, JSON to all others', async () => {
    expect(await shown(ask('page', { headers: { Accept: 'text/html' } }))).toEqual([
      200,
      'text/html',
      '<p>hi</p>',
    ])
    expect(await shown(ask('page'))).toEqual([200, json, '"<p>hi</p>"'])
    expect(await errorOf(await ask('page', { headers: { Accept: 'image/png' } }))).toMatchObject({
      code: 'PGRST107',
    })
    expect(await shown(ask('any', { headers: { Accept: 'who/knows' } }))).toEqual([
      200,
      'image/x-own',
      '\u0001\u0002',
    ])
  })
})

describe('a GET', () => {
  it.each(['writes', 'sends', 'lies'])(
    'of a function that %s is refused, and nothing has happened',
    async (name) => {
      expect(await errorOf(await ask(name))).toMatchObject({ status: 405, code: '25006' })
      const found = await databases.DB.prepare(
        "SELECT count(*) AS n FROM genres WHERE name IN ('changed', 'x')",
      ).first('n')
      expect(found).toBe(0)
      expect(await databases.DB.prepare('SELECT count(*) AS n FROM _atoll_jobs').first('n')).toBe(0)
    },
  )

  it('keeps a function from writing through the data API', async () => {
    expect(await shown(ask('asks'))).toEqual([200, json, '"25006"'])
    expect(await databases.DB.prepare('SELECT count(*) AS n FROM genres').first('n')).toBeGreaterThan(0)
  })

  it('of one that cannot be undone is not made', async () => {
    expect(await errorOf(await ask('pays'))).toMatchObject({ status: 405, code: 'PGRST101' })
    expect(ran).toBe(0)
    expect(await (await post('pays', '{}')).json()).toBe(1)
  })

  it('does not keep a function that says it is stable from being held to it', async () => {
    expect(await errorOf(await post('lies', '{}'))).toMatchObject({ status: 405, code: '25006' })
  })

  it('is offered for those that say they are stable', async () => {
    const allowed = async (name: string) => (await ask(name, { method: 'OPTIONS' })).headers.get('allow')
    expect(await allowed('over')).toBe('OPTIONS,GET,HEAD,POST')
    expect(await allowed('writes')).toBe('OPTIONS,POST')
  })
})
