import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'
import { Hono } from 'hono'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { defineTables, local } from '../../db/define.ts'
import type { App } from '../../functions/areas.ts'
import {
  defineFunction,
  defineJob,
  type FunctionManifest,
  nothing,
  type RouteEnv,
  row,
  rows,
  scalar,
} from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { genres } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { anyTables } from '../support/any-tables.ts'
import { jwtSecret, tokenFor } from '../support/clinic.ts'
import { createBench } from '../support/job-bench.ts'
import { LaggingDatabase } from '../support/lagging-database.ts'
import { fetchFrom } from '../support/later-work.ts'
import { rows as rowsOf, secretKey } from '../support/worker-client.ts'
import { clean, first } from '../support/write-client.ts'

const roles = ['anon', 'authenticated']
const anything = z.object({ id: z.int().optional() })

const functions: FunctionManifest = {
  /** How many invoices the caller sees, and how many there are. */
  invoices_seen: defineFunction({
    input: anything,
    returns: scalar,
    roles,
    stable: true,
    run: async ({ api }) => {
      const own = await anyTables(api.asCaller).from('invoices').select('customer_id')
      const all = await anyTables(api.asService).from('invoices').select('*', { count: 'exact', head: true })
      return { own: own.data, error: own.error, all: all.count }
    },
  }),
  rename_genre: defineFunction({
    input: z.object({ id: z.int(), name: z.string() }),
    returns: rows(genres),
    roles,
    run: async ({ api, input }) => {
      const { data } = await anyTables(api.asService)
        .from('genres')
        .update({ name: input.name })
        .eq('id', input.id)
        .select()
      return data
    },
  }),
  /** What each way of failing answers. */
  failures: defineFunction({
    input: anything,
    returns: scalar,
    roles,
    run: async ({ api }) => ({
      denied: await anyTables(api.asCaller).from('genres').insert({ id: first, name: 'Polka' }),
      taken: await anyTables(api.asService).from('genres').insert({ id: 1, name: 'Polka' }),
      unknown: await anyTables(api.asService).from('polkas').select(),
      single: await anyTables(api.asService).from('genres').select().eq('id', -1).single(),
    }),
  }),
  throws: defineFunction({
    input: z.object({
      as: z.enum(['asCaller', 'asService']),
      what: z.enum(['genres', 'polkas']),
      id: z.int(),
    }),
    returns: scalar,
    roles,
    run: async ({ api, input }) => {
      await anyTables(api[input.as]).from(input.what).insert({ id: input.id, name: 'Polka' }).throwOnError()
    },
  }),
  best: defineFunction({
    input: anything,
    returns: scalar,
    roles: ['authenticated'],
    run: async ({ api, caller }) => {
      const service = await anyTables(api.asService).rpc('who', {}).select()
      const own = await anyTables(api.asCaller).rpc('who', {})
      return { service: service.data, own: own.data, caller: caller.sub }
    },
  }),
  who: defineFunction({
    input: anything,
    returns: scalar,
    roles,
    run: async ({ caller }) => [caller.role, caller.sub],
  }),
  deeper: defineFunction({
    input: z.object({ levels: z.int() }),
    returns: scalar,
    roles,
    run: async ({ api, input: { levels } }): Promise<unknown> => {
      if (levels === 0) return 0
      const { data, error } = await anyTables(api.asCaller).rpc('deeper', { levels: levels - 1 })
      return error ?? (typeof data === 'number' ? data + 1 : data)
    },
  }),
  aborted: defineFunction({
    input: anything,
    returns: scalar,
    roles,
    run: async ({ api }) => {
      const { error } = await anyTables(api.asCaller).from('genres').select().abortSignal(AbortSignal.abort())
      return error
    },
  }),
}

const routes: App['routes'] = {
  rename: new Hono<RouteEnv>().post('/', async (c) => {
    const { id } = anything.parse(await c.req.json())
    const { error } = await anyTables(c.var.api.asService).from('genres').upsert({ id, name: 'Route' })
    const { data } = await anyTables(c.var.api.asCaller).from('genres').select().eq('id', id)
    return c.json({ error, data })
  }),
}

const gateway = createGateway({ tables, config: {}, functions, routes })
const bindings = { ...(env as unknown as Record<string, unknown>), ATOLL_JWT_SECRET: jwtSecret }
const ask = (
  path: string,
  body: unknown = undefined,
  headers: Readonly<Record<string, string>> = {},
  on = gateway,
  over: unknown = bindings,
) =>
  fetchFrom(
    on,
    new Request(`http://atoll.test${path}`, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      headers: { 'Content-Type': 'application/json', ...headers },
    }),
    over,
  )
const rpc = (name: string, body: unknown = {}, headers: Readonly<Record<string, string>> = {}) =>
  ask(`/rest/v1/rpc/${name}`, body, headers)
const customer = async (sub: unknown) => ({
  Authorization: `Bearer ${await tokenFor({ role: 'authenticated', sub })}`,
})
const secret = { apikey: secretKey }

afterEach(clean)

describe('the data API from inside', () => {
  it('shows the caller what is theirs, and the service everything', async () => {
    const seven = await (await rpc('invoices_seen', {}, await customer('7'))).json<{
      own: object[]
      all: number
    }>()
    expect(seven.own.length).toBeGreaterThan(0)
    expect(new Set(seven.own.map((one) => JSON.stringify(one)))).toEqual(new Set(['{"customer_id":7}']))
    expect(seven.all).toBeGreaterThan(seven.own.length)
    expect(await (await rpc('invoices_seen')).json()).toMatchObject({
      own: null,
      error: { code: '42501', message: 'permission denied for table invoices' },
      all: seven.all,
    })
  })

  it('writes what caches, log and copies hear of at once', async () => {
    await ask('/rest/v1/genres', { id: first, name: 'Before' }, secret)
    const read = () => ask(`/rest/v1/genres?id=eq.${first}&select=name`)
    expect(await (await read()).json()).toEqual([{ name: 'Before' }])
    expect((await read()).headers.get('cache-status')).toContain('hit')
    const renamed = await rpc('rename_genre', { id: first, name: 'After' })
    expect(await renamed.json()).toEqual([{ id: first, name: 'After' }])
    expect(await (await read()).json()).toEqual([{ name: 'After' }])
    expect(
      await rowsOf(`SELECT operation FROM _atoll_changes WHERE name = 'genres' AND key = '[${first}]'`),
    ).toEqual([{ operation: 'insert' }, { operation: 'update' }])
    const { SHARD_1 } = env as unknown as { SHARD_1: D1Database }
    const copy = await SHARD_1.prepare(`SELECT name FROM genres WHERE id = ${first}`).first()
    expect(copy).toEqual({ name: 'After' })
  })

  it('answers errors as it answers others', async () => {
    const failed = await (await rpc('failures')).json()
    expect(failed).toMatchObject({
      denied: { data: null, status: 401, error: { code: '42501' } },
      taken: {
        data: null,
        status: 409,
        error: { code: '23505', message: expect.stringContaining('"genres_pkey"') },
      },
      unknown: { data: null, status: 404, error: { code: 'PGRST205' } },
      single: { data: null, status: 406, error: { code: 'PGRST116' } },
    })
  })

  it('lets errors through that are the caller’s, and broken constraints, when they are thrown', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const told = async (as: string, what: string, id: number) => {
      const response = await rpc('throws', { as, what, id })
      return [response.status, (await response.json<{ code: string }>()).code]
    }
    expect(await told('asCaller', 'genres', first)).toEqual([401, '42501'])
    expect(await told('asCaller', 'polkas', first)).toEqual([404, 'PGRST205'])
    expect(await told('asService', 'genres', 1)).toEqual([409, '23505'])
    expect(await told('asService', 'polkas', first)).toEqual([500, 'XX000'])
    vi.restoreAllMocks()
  })

  it('calls functions, with the rights of who is asked for', async () => {
    const answer = await rpc('best', {}, await customer('7'))
    expect(await answer.json()).toEqual({
      service: ['service_role', null],
      own: ['authenticated', '7'],
      caller: '7',
    })
  })

  it('stops functions that call themselves without end', async () => {
    expect(await (await rpc('deeper', { levels: 8 })).json()).toBe(8)
    expect(await (await rpc('deeper', { levels: 9 })).json()).toMatchObject({
      code: 'CALL001',
      message: 'Functions call each other more than 8 deep',
    })
  })

  it('gives up when it is told to', async () => {
    expect(await (await rpc('aborted')).json()).toMatchObject({
      message: expect.stringContaining('AbortError'),
    })
  })

  it('is there for routes, whose answers carry the session as well', async () => {
    const answer = await ask('/functions/v1/rename', { id: first })
    expect(await answer.json()).toEqual({ error: null, data: [{ id: first, name: 'Route' }] })
    expect(answer.headers.get('atoll-session')).not.toBeNull()
  })

  it('is there for jobs, with all rights', async () => {
    const found: unknown[] = []
    const job = defineJob({
      name: 'inside',
      input: z.object({ id: z.int() }),
      run: async ({ input, api, env: settings }) => {
        await anyTables(api.asService).from('genres').insert({ id: input.id, name: 'Job' }).throwOnError()
        const { data } = await anyTables(api.asService).from('genres').select('name').eq('id', input.id)
        found.push(data, 'DB' in settings, 'asCaller' in api)
      },
    })
    const bench = createBench([job])
    await bench.clear()
    await bench.open().jobs.send(job, { id: first })
    await bench.drain()
    expect(found).toEqual([[{ name: 'Job' }], true, false])
  })
})

const registers = sqliteTable('registers', {
  id: integer('id').primaryKey(),
  value: integer('value').notNull(),
})
const { ALONE, DB } = env as unknown as { ALONE: D1Database; DB: D1Database }

describe('over a replica that lags', () => {
  const open = async () => {
    await DB.batch([
      DB.prepare('CREATE TABLE IF NOT EXISTS registers (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)'),
      DB.prepare('DELETE FROM registers'),
      DB.prepare('INSERT INTO registers VALUES (1, 0)'),
    ])
    const lagging = new LaggingDatabase(DB, ALONE, [{ name: 'registers', columns: ['id', 'value'] }])
    await lagging.catchUp()
    const value = z.object({ value: z.int() })
    const own = createGateway({
      tables: defineTables({ registers: local(registers) }),
      config: { cache: false },
      functions: {
        set: defineFunction({
          input: value,
          returns: row(registers),
          run: async ({ api, input }) => {
            await anyTables(api.asService).from('registers').update(input).eq('id', 1).throwOnError()
            const { data } = await anyTables(api.asService).from('registers').select().eq('id', 1).single()
            return data
          },
        }),
        set_by_drizzle: defineFunction({
          input: value,
          returns: scalar,
          run: async ({ api, database, input }) => {
            await database.update(registers).set(input).where(eq(registers.id, 1))
            const [one] = await Promise.all(
              [1, 1].map(
                async (id) =>
                  (await anyTables(api.asService).from('registers').select().eq('id', id).single()).data,
              ),
            )
            return one
          },
        }),
        set_inside: defineFunction({
          input: value,
          returns: nothing,
          run: async ({ api, input }) => {
            await anyTables(api.asService).rpc('set', input).throwOnError()
          },
        }),
      },
    })
    const over = {
      DB: { ...lagging.binding(), prepare: (text: string) => DB.prepare(text) },
      ATOLL_SECRET_KEY: secretKey,
      ATOLL_RATE_LIMITS: 'off',
    }
    const send = (path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) =>
      ask(`/rest/v1/${path}`, body, { ...secret, ...headers }, own, over)
    const seen = async (session: string | null) => {
      const headers: Record<string, string> = session === null ? {} : { 'Atoll-Session': session }
      return (await send('registers?select=value', undefined, headers)).json()
    }
    return { send, seen }
  }
  beforeAll(async () => {
    await ALONE.prepare(
      'CREATE TABLE IF NOT EXISTS registers (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)',
    ).run()
  })

  it('a function reads what it has written, and its caller’s session does', async () => {
    const { send, seen } = await open()
    const answer = await send('rpc/set', { value: 5 })
    expect(await answer.json()).toEqual({ id: 1, value: 5 })
    const session = answer.headers.get('atoll-session')
    expect(session).not.toBeNull()
    expect(await seen(session)).toEqual([{ value: 5 }])
    // Without it, the replica may answer: so the test sees a difference.
    expect(await seen(null)).toEqual([{ value: 0 }])
  })

  it('so do those that called it through another function, and those that go on with a session', async () => {
    const { send, seen } = await open()
    const answer = await send('rpc/set_inside', { value: 6 })
    expect(answer.status).toBe(204)
    const session = answer.headers.get('atoll-session') ?? ''
    expect(await seen(session)).toEqual([{ value: 6 }])
    const next = await send('rpc/set_by_drizzle', { value: 7 }, { 'Atoll-Session': session })
    expect(await seen(next.headers.get('atoll-session'))).toEqual([{ value: 7 }])
    expect((await send('rpc/set', { value: 8 }, { 'Atoll-Session': 'invented' })).status).toBe(400)
    expect(await seen(session)).toEqual([{ value: 7 }])
  })

  it('what was written by Drizzle is read by the API in the same function', async () => {
    const { send } = await open()
    expect(await (await send('rpc/set_by_drizzle', { value: 9 })).json()).toEqual({ id: 1, value: 9 })
  })
})
