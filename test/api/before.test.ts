/** `before`: what an app asks of every request once it is known who calls; policies and functions read what it says. */
import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTables, local } from '../../db/define.ts'
import { type Before, defineFunction, type RouteEnv, refuse, scalar } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { fetchFrom } from '../support/later-work.ts'
import { secretKey } from '../support/worker-client.ts'

const notes = sqliteTable('tenant_notes', { id: integer('id').primaryKey(), tenant: text('tenant') })
const { DB } = env as unknown as { DB: D1Database }
const asked: Before[] = []
const gateway = createGateway({
  tables: defineTables({
    notes: local(notes, {
      access: {
        anon: {
          select: ({ row, caller }) => eq(row.tenant, caller.values.tenant),
          insert: ({ row, caller }) => eq(row.tenant, caller.values.tenant),
        },
      },
    }),
  }),
  config: {
    before: async (call) => {
      asked.push(call)
      const tenant = call.request.headers.get('x-tenant')
      if (tenant === 'banned') throw refuse(403, 'P0403', 'not here', { headers: { 'X-Why': 'banned' } })
      if (tenant === 'broken') throw new Error('a fault of the app')
      return tenant === null ? undefined : { tenant }
    },
  },
  functions: {
    tenant: defineFunction({
      input: z.object({}),
      returns: scalar,
      roles: ['anon'],
      run: async ({ caller, api }) => [
        caller.values,
        (await api.asCaller.from('tenant_notes').select('id')).data,
      ],
    }),
  },
  routes: { tenant: new Hono<RouteEnv>().post('/', (c) => c.json(c.var.caller.values ?? null)) },
})
const bindings = {
  ...(env as unknown as Record<string, unknown>),
  ATOLL_SECRET_KEY: secretKey,
  ATOLL_RATE_LIMITS: 'off',
}

const ask = (path: string, tenant: string | null, init: RequestInit = {}) =>
  fetchFrom(
    gateway,
    new Request(`http://atoll.test${path}`, {
      ...init,
      headers: { ...(tenant === null ? {} : { 'X-Tenant': tenant }), ...init.headers },
    }),
    bindings,
  )
const ids = async (tenant: string | null) =>
  ((await (await ask('/rest/v1/tenant_notes?select=id&order=id', tenant)).json()) as { id: number }[]).map(
    ({ id }) => id,
  )

beforeAll(async () => {
  await DB.prepare('CREATE TABLE tenant_notes (id INTEGER PRIMARY KEY, tenant TEXT)').run()
  await DB.prepare("INSERT INTO tenant_notes VALUES (1, 'a'), (2, 'b'), (3, 'a'), (4, NULL)").run()
})
beforeEach(() => void asked.splice(0))
afterAll(() => DB.prepare('DROP TABLE tenant_notes').run())

describe('what an app asks before', () => {
  it('is read by policies, and no answer is another tenant’s', async () => {
    for (let round = 0; round < 3; round++) {
      expect(await ids('a')).toEqual([1, 3])
      expect(await ids('b')).toEqual([2])
      expect(await ids(null)).toEqual([])
    }
    const post = (tenant: string, body: object) =>
      ask('/rest/v1/tenant_notes', 'a', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ...body, tenant }),
      })
    expect((await post('b', {})).status).toBe(401)
    expect((await post('a', { id: 5 })).status).toBe(201)
    // This table has no change log, by which caches would know: it is asked otherwise.
    const all = await ask('/rest/v1/tenant_notes?select=id&order=id&limit=9', 'a')
    expect(await all.json()).toEqual([{ id: 1 }, { id: 3 }, { id: 5 }])
    await DB.prepare('DELETE FROM tenant_notes WHERE id = 5').run()
  })

  it('is seen by functions and routes, and by what they ask as the caller', async () => {
    const called = await ask('/rest/v1/rpc/tenant', 'b', { method: 'POST' })
    expect(await called.json()).toEqual([{ tenant: 'b' }, [{ id: 2 }]])
    expect(await (await ask('/functions/v1/tenant', 'b', { method: 'POST' })).json()).toEqual({ tenant: 'b' })
    expect(await (await ask('/functions/v1/tenant', null, { method: 'POST' })).json()).toBeNull()
    // Once for each that came from outside.
    expect(asked).toHaveLength(3)
  })

  it('may refuse, and what fails in it is told to nobody', async () => {
    const refused = await ask('/rest/v1/tenant_notes', 'banned')
    expect([refused.status, refused.headers.get('x-why'), await refused.json()]).toEqual([
      403,
      'banned',
      { code: 'P0403', message: 'not here', details: null, hint: null },
    ])
    expect((await ask('/storage/v1/bucket', 'banned')).status).toBe(403)
    const broken = await ask('/rest/v1/tenant_notes', 'broken')
    expect([broken.status, ((await broken.json()) as { message: string }).message]).toEqual([
      500,
      'Internal error',
    ])
  })

  it('knows who calls, and not the body', async () => {
    const init = {
      method: 'POST',
      headers: { apikey: secretKey, 'Content-Type': 'application/json' },
      body: '{"id":9}',
    }
    expect((await ask('/rest/v1/tenant_notes?select=id', null, init)).status).toBe(201)
    const [{ request, caller, env: given }] = asked as [Before]
    expect([request.method, request.url, request.body, caller.role, given.DB]).toEqual([
      'POST',
      'http://atoll.test/rest/v1/tenant_notes?select=id',
      null,
      'service_role',
      DB,
    ])
    await DB.prepare('DELETE FROM tenant_notes WHERE id = 9').run()
  })

  it('is not asked of pages, nor of what browsers ask first', async () => {
    await ask('/health', 'banned')
    const headers = { Origin: 'https://one.example', 'Access-Control-Request-Method': 'POST' }
    expect((await ask('/rest/v1/tenant_notes', 'banned', { method: 'OPTIONS', headers })).status).toBe(204)
    expect(asked).toEqual([])
  })
})
