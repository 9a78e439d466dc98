import { env } from 'cloudflare:workers'
import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import {
  defineFunction,
  type FunctionContext,
  type FunctionManifest,
  nothing,
  type RouteEnv,
  refuse,
  row,
  rows,
  scalar,
} from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { albums, artists, customers, genres } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { clinicTables, gatewayOver, makeWorld, patients, prepareClinic } from '../support/clinic.ts'
import { fetchFrom } from '../support/later-work.ts'
import { clean, errorOf, first } from '../support/write-client.ts'

/** What the function under test does, and with what it is given. */
let behave: (context: FunctionContext<{ n?: number | undefined }>) => unknown = () => null
const input = z.object({ n: z.int().optional() })
const common = { input, roles: ['anon'] }
const run = async (context: FunctionContext<{ n?: number | undefined }>) => behave(context)

const functions: FunctionManifest = {
  value: defineFunction({ ...common, returns: scalar, run }),
  none: defineFunction({ ...common, returns: nothing, run }),
  one: defineFunction({ ...common, returns: row(genres), run }),
  many: defineFunction({ ...common, returns: rows(genres), run }),
}
let handle: (c: { var: RouteEnv['Variables'] }) => unknown = () => null
const gateway = createGateway({
  tables,
  config: {},
  functions,
  routes: {
    plain: new Hono<RouteEnv>().post('/', async (c) => c.json(await handle(c))),
    own: new Hono<RouteEnv>()
      .post('/', async (c) => c.json(await handle(c)))
      .onError((error, c) => c.text(`own: ${error.name}`, 418)),
    reads: new Hono<RouteEnv>()
      .post('/json', async (c) => c.json(await c.req.json()))
      .post('/text', async (c) => c.json(await c.req.text()))
      .post('/form', async (c) => c.json(await c.req.parseBody()))
      .post('/raw', async (c) => c.json([...(await c.req.raw.bytes())]))
      .post('/twice', async (c) => c.json([await c.req.text(), await c.req.json()]))
      .post('/stream', async (c) => c.json((await new Response(c.req.raw.body).text()).length)),
  },
})
const bindings = { ...(env as unknown as Record<string, unknown>), STORE_NAME: 'Vinyl' }
const ask = (path: string, init: RequestInit = {}) =>
  fetchFrom(gateway, new Request(`http://atoll.test${path}`, init), bindings)
const call = (name: string, headers: Record<string, string> = {}, method = 'POST') =>
  ask(`/rest/v1/rpc/${name}`, { method, headers })

const sample = [{ id: 1, name: 'Rock' }]
const answers: Record<string, unknown> = { value: 7, none: undefined, one: sample[0], many: sample }

beforeEach(() => {
  behave = () => null
  handle = () => null
})
afterEach(async () => {
  vi.restoreAllMocks()
  await clean()
})

describe('what a function is given', () => {
  it('is the request, with its method, address and headers', async () => {
    behave = ({ request }) => [request.method, new URL(request.url).search, request.headers.get('cookie')]
    const answer = await ask('/rest/v1/rpc/value?n=3', { headers: { cookie: 'a=b' } })
    expect(await answer.json()).toEqual(['GET', '?n=3', 'a=b'])
    expect(await (await call('value', { cookie: 'c=d' })).json()).toEqual(['POST', '', 'c=d'])
  })

  it('is the environment, with what the app adds to it', async () => {
    behave = ({ env }) => [(env as { readonly STORE_NAME?: string }).STORE_NAME, typeof env.DB.prepare]
    expect(await (await call('value')).json()).toEqual(['Vinyl', 'function'])
  })

  it('is never answered from the cache, as it may depend on any header', async () => {
    behave = ({ request }) => request.headers.get('x-who')
    for (const who of ['ann', 'bob']) {
      const answer = await call('value', { 'x-who': who }, 'GET')
      expect(await answer.json()).toBe(who)
      expect(answer.headers.get('cache-control')).toBe('private, no-cache')
      expect(answer.headers.has('cache-status')).toBe(false)
    }
  })
})

describe('what a function says of its answer', () => {
  it.each(Object.keys(answers))('is on the answer of one that returns %s', async (name) => {
    behave = ({ response }) => {
      response.status = 202
      response.headers.set('X-Mood', 'good')
      response.headers.set('Cache-Control', 'public, max-age=60')
      response.headers.append('Set-Cookie', 'a=1')
      response.headers.append('Set-Cookie', 'b=2; Path=/')
      return answers[name]
    }
    const answer = await call(name)
    expect(answer.status).toBe(202)
    expect(answer.headers.get('x-mood')).toBe('good')
    expect(answer.headers.get('cache-control')).toBe('public, max-age=60')
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2; Path=/'])
    const text = await answer.text()
    expect(text === '' ? undefined : JSON.parse(text)).toEqual(answers[name])
  })

  it('may be a status without a body, or one in the place of 304', async () => {
    behave = ({ response }) => {
      response.status = 204
      return sample
    }
    const empty = await call('many')
    expect([empty.status, await empty.text()]).toEqual([204, ''])
    behave = () => sample
    const tag = (await call('many', {}, 'GET')).headers.get('etag') ?? ''
    expect((await call('many', { 'If-None-Match': tag }, 'GET')).status).toBe(304)
    behave = ({ response }) => {
      response.status = 203
      return sample
    }
    const same = await call('many', { 'If-None-Match': tag }, 'GET')
    expect([same.status, await same.json()]).toEqual([203, sample])
  })

  it('is dropped when it throws, as PostgREST does', async () => {
    behave = ({ response }) => {
      response.status = 202
      response.headers.set('X-Mood', 'bad')
      throw refuse(409, 'P0001', 'the order is closed')
    }
    const answer = await call('value')
    expect(answer.headers.has('x-mood')).toBe(false)
    expect(await errorOf(answer)).toMatchObject({ status: 409, code: 'P0001' })
  })

  it('is refused when it cannot be sent', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    for (const status of [99, 199, 600, 200.5, Number.NaN, '200' as unknown as number]) {
      behave = ({ response }) => {
        response.status = status
      }
      expect(await errorOf(await call('value'))).toMatchObject({ status: 500, code: 'PGRST112' })
    }
    const headers = [
      ['no name', 'x'],
      ['x-line', 'a\nb'],
    ] as const
    for (const [name, value] of headers) {
      behave = ({ response }) => response.headers.set(name, value)
      const error = await errorOf(await call('value'))
      expect(error).toMatchObject({ status: 500, code: 'PGRST111', message: expect.stringContaining(name) })
    }
  })
})

describe('constraints that statements of a function or route break', () => {
  const cases: [string, (context: Pick<FunctionContext<never>, 'database' | 'shards'>) => unknown, object][] =
    [
      [
        'a key that is taken',
        ({ database }) => database.insert(genres).values({ id: 1, name: 'x' }),
        {
          status: 409,
          code: '23505',
          message: 'duplicate key value violates unique constraint "genres_pkey"',
        },
      ],
      [
        'a unique column, on a shard',
        async ({ shards }) => {
          const shard = await shards.of(1)
          const [one] = await shard.select().from(customers).limit(1)
          if (one) await shard.insert(customers).values({ ...one, id: first })
        },
        {
          status: 409,
          code: '23505',
          message: 'duplicate key value violates unique constraint "customers_email_unique"',
        },
      ],
      [
        'a column that is not null',
        ({ database }) => database.run(sql`INSERT INTO albums (id, artist_id) VALUES (${first}, 1)`),
        {
          status: 400,
          code: '23502',
          message: 'null value in column "title" of relation "albums" violates not-null constraint',
        },
      ],
      [
        'a parent that is not there',
        ({ database }) => database.insert(albums).values({ id: first, title: 'x', artistId: first }),
        {
          status: 409,
          code: '23503',
          message:
            'insert or update on table "albums" violates foreign key constraint "albums_artist_id_fkey"',
        },
      ],
      [
        'one of several parents',
        ({ database }) =>
          database.run(sql`INSERT INTO playlist_tracks (playlist_id, track_id) VALUES (1, ${first})`),
        {
          status: 409,
          code: '23503',
          message: 'a write to table "playlist_tracks" violates a foreign key constraint',
        },
      ],
      [
        'one statement of a batch',
        ({ database }) =>
          database.batch([
            database.insert(artists).values({ id: first, name: 'x' }),
            database.insert(genres).values({ id: 1, name: 'x' }),
          ]),
        { status: 409, code: '23505' },
      ],
    ]

  it.each(cases)('are told as the data API tells them: %s', async (_, work, error) => {
    behave = work
    expect(await errorOf(await call('value'))).toMatchObject(error)
    handle = (c) => work(c.var)
    expect(await errorOf(await ask('/functions/v1/plain', { method: 'POST' }))).toMatchObject(error)
    expect(await (await ask('/functions/v1/own', { method: 'POST' })).text()).toMatch(
      /^own: (DrizzleQuery)?Error$/,
    )
  })

  it('names checks, and keys where only one can be meant', async () => {
    await prepareClinic()
    await makeWorld('with secrets')
    let work: (context: FunctionContext<never>) => unknown = () => null
    const clinic = gatewayOver(
      clinicTables,
      {},
      {
        value: defineFunction({ ...common, returns: scalar, run: async (context) => work(context as never) }),
      },
    )
    const error = async (doing: typeof work) => {
      work = doing
      return errorOf(await clinic('/rest/v1/rpc/value', { method: 'POST' }))
    }
    expect(
      await error(({ database }) =>
        database.insert(patients).values({ id: 50, owner: 'x', name: 'x', diagnosis: 'forbidden' }),
      ),
    ).toMatchObject({
      status: 400,
      code: '23514',
      message: 'new row for relation "patients" violates check constraint "patients_check"',
    })
    expect(
      await error(({ database }) => database.run(sql`INSERT INTO visits VALUES (99, 999, 'x', 1)`)),
    ).toMatchObject({
      code: '23503',
      message: expect.stringMatching(
        /^insert or update on table "visits" violates foreign key constraint "\w+"$/,
      ),
    })
    expect(await error(({ database }) => database.run(sql`DELETE FROM wards WHERE id = 1`))).toMatchObject({
      code: '23503',
      message: expect.stringMatching(
        /^update or delete on table "wards" violates foreign key constraint "\w+" on table "patients"$/,
      ),
    })
  })

  it('does not take text of a query for a failure', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const text = 'UNIQUE constraint failed: genres.id: SQLITE_CONSTRAINT'
    behave = ({ database }) => database.run(sql`SELECT * FROM nowhere WHERE name = ${text}`)
    expect(await errorOf(await call('value'))).toMatchObject({ status: 500, code: 'XX000' })
  })
})

describe('bodies that routes read', () => {
  const post = (way: string, body: BodyInit, type = 'application/json') =>
    ask(`/functions/v1/reads/${way}`, { method: 'POST', body, headers: { 'content-type': type } })

  it('are what was sent, in whichever way they are read', async () => {
    expect(await (await post('json', '{"a":[1,"é"]}')).json()).toEqual({ a: [1, 'é'] })
    expect(await (await post('text', 'plain', 'text/plain')).json()).toBe('plain')
    expect(await (await post('form', 'a=1&b=2', 'application/x-www-form-urlencoded')).json()).toEqual({
      a: '1',
      b: '2',
    })
    expect(await (await post('raw', new Uint8Array([0, 255, 128]))).json()).toEqual([0, 255, 128])
    expect(await (await post('twice', '[1]')).json()).toEqual(['[1]', [1]])
    const form = new FormData()
    form.append('name', 'value')
    const sent = await ask('/functions/v1/reads/form', { method: 'POST', body: form })
    expect(await sent.json()).toEqual({ name: 'value' })
    expect(await (await ask('/functions/v1/reads/text', { method: 'POST' })).json()).toBe('')
  })

  it('have bounds in bytes, and as JSON in values; what is read as a stream has none', async () => {
    const empties = `[${Array<string>(60_000).fill('{}').join(',')}]`
    for (const way of ['json', 'text'])
      expect(await errorOf(await post(way, empties))).toMatchObject({ status: 413, code: 'BOUND017' })
    expect((await post('text', empties, 'text/plain')).status).toBe(200)
    const large = 'x'.repeat(10_000_001)
    for (const way of ['text', 'raw']) expect((await post(way, large, 'text/plain')).status).toBe(413)
    expect(await (await post('stream', large, 'text/plain')).json()).toBe(10_000_001)
  })

  it('and those of who signs in to the dashboard are small', async () => {
    const headers = { 'content-type': 'application/json', 'x-atoll-dashboard': '1' }
    const signIn = (body: string) => ask('/_atoll/session', { method: 'POST', body, headers })
    expect((await signIn(`{"key":"${'x'.repeat(10_000)}"}`)).status).toBe(413)
    expect((await signIn('{"key":"no"}')).status).toBe(401)
    expect((await signIn('no JSON')).status).toBe(400)
  })
})
