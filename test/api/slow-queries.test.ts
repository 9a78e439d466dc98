import { env } from 'cloudflare:workers'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { AtollConfig } from '../../functions/areas.ts'
import { defineFunction, type FunctionManifest, scalar } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { secretKey } from '../support/worker-client.ts'
import { replaceDatabases, wrapDatabase } from '../support/wrap-database.ts'

const own = env as unknown as Record<string, unknown>

/** The databases, but statements that compare composers say that they took more than a second. */
function slowed(): Record<string, unknown> {
  return replaceDatabases(own, (database) =>
    wrapDatabase((constraint) => {
      const session = database.withSession(constraint)
      let isSlow = false
      return {
        session: {
          prepare: (text) => {
            if (text.includes('"composer"')) isSlow = true
            return session.prepare(text)
          },
          batch: (statements: D1PreparedStatement[]) => session.batch(statements),
        },
        getBookmark: () => session.getBookmark(),
        around: async (call) => {
          const result = await call()
          for (const one of [result].flat() as D1Result[]) if (isSlow) one.meta.duration = 1100
          return result
        },
      }
    }),
  )
}

let ran = 0
const functions: FunctionManifest = {
  count: defineFunction({
    roles: ['anon'],
    input: z.object({ to: z.int() }),
    returns: scalar,
    run: async ({ input, database }) => {
      ran++
      const [row] = await database.all<{ n: number }>(
        sql`WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${input.to}) SELECT max(n) AS n FROM c`,
      )
      return row?.n
    },
  }),
  ask: defineFunction({
    roles: ['anon'],
    input: z.object({ times: z.int() }),
    returns: scalar,
    run: async ({ input, database }) => {
      ran = 0
      for (; ran < input.times; ran++) await database.run(sql`SELECT 1`)
      return ran
    },
  }),
  read: defineFunction({
    roles: ['anon'],
    input: z.object({ times: z.int() }),
    returns: scalar,
    run: async ({ input, database }) => {
      ran = 0
      for (; ran < input.times; ran++)
        await database.run(sql`SELECT count(*) FROM tracks WHERE composer IS NOT NULL`)
      return ran
    },
  }),
}

function open(bindings: Record<string, unknown>, config: Partial<AtollConfig>) {
  const gateway = createGateway({ tables, functions, config: { cache: false, ...config } })
  return async (path: string, address = '192.0.2.1', headers: Record<string, string> = {}, body?: object) => {
    const answer = await fetchFrom(
      gateway,
      new Request(`http://atoll.test/rest/v1/${path}`, {
        headers: { 'cf-connecting-ip': address, 'content-type': 'application/json', ...headers },
        ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
      }),
      bindings,
    )
    const said = await answer.json<{ code?: string }>()
    return { status: answer.status, code: said.code ?? null, retryAfter: answer.headers.get('retry-after') }
  }
}

const scan = 'tracks?select=id&composer=ilike.*zz*&limit=1'
const fine = { status: 200, code: null, retryAfter: null }

describe('a caller whose queries are slow', () => {
  it('is refused those, in time and with the reason, when they have had their share; nobody else is, and nothing that is fast', async () => {
    const ask = open(slowed(), {
      databaseShare: { anon: { caller: 0.05, shape: 1, role: 1 }, service_role: null },
    })
    await ask('tracks?select=id&id=eq.1')
    const statuses: number[] = []
    for (let i = 0; i < 6; i++) statuses.push((await ask(`tracks?select=id&composer=ilike.*z${i}*`)).status)
    // Three seconds at once are 0.05 of a minute.
    expect(statuses).toEqual([200, 200, 200, 503, 503, 503])
    const refused = await ask(scan)
    expect(refused).toMatchObject({ status: 503, code: 'BOUND020' })
    expect(Number(refused.retryAfter)).toBeGreaterThan(0)
    // Worded otherwise, it is still the same caller's.
    expect((await ask('tracks?select=name&composer=ilike.*q*&limit=2')).code).toBe('BOUND020')
    expect(await ask('tracks?select=id&id=eq.1')).toEqual(fine)
    expect(await ask(scan, '198.51.100.7')).toEqual(fine)
    expect(await ask(scan, '192.0.2.1', { apikey: secretKey })).toEqual(fine)
  })

  it('cannot have a statement refused to all others alone; all together can', async () => {
    const ask = open(slowed(), {
      databaseShare: { anon: { caller: 0.05, shape: 0.1, role: 1 }, service_role: null },
    })
    const codes: (string | null)[] = []
    for (let caller = 0; caller < 4; caller++) {
      for (let i = 0; i < 4; i++) codes.push((await ask(scan, `203.0.113.${caller}`)).code)
    }
    expect(codes.slice(0, 4)).toEqual([null, null, null, 'BOUND020'])
    expect(codes[4]).toBeNull()
    expect(codes.slice(12)).toEqual(['BOUND020', 'BOUND020', 'BOUND020', 'BOUND020'])
    expect(await ask(scan, '203.0.113.9', { apikey: secretKey })).toEqual(fine)
  })

  it('is refused a function as a whole, before it has run', async () => {
    const ask = open(own, {
      slowQueryMs: 5,
      databaseShare: { anon: { caller: 0.001, shape: 1, role: 1 } },
    })
    ran = 0
    let last = await ask('rpc/count', '192.0.2.1', {}, { to: 300_000 })
    for (let i = 0; i < 20 && last.status === 200; i++)
      last = await ask('rpc/count', '192.0.2.1', {}, { to: 300_000 })
    expect(last).toMatchObject({ status: 503, code: 'BOUND020' })
    const before = ran
    expect((await ask('rpc/count', '192.0.2.1', {}, { to: 1 })).code).toBe('BOUND020')
    expect(ran).toBe(before)
    expect(await ask('rpc/count', '198.51.100.7', {}, { to: 1 })).toEqual(fine)
  })
})

describe('a request', () => {
  it('that would run too many statements is refused before the one that is too many', async () => {
    const ask = open(own, { maxStatementsPerRequest: 20 })
    expect(await ask('rpc/ask', '192.0.2.1', {}, { times: 10 })).toEqual(fine)
    expect(await ask('rpc/ask', '192.0.2.1', {}, { times: 100 })).toMatchObject({
      status: 400,
      code: 'BOUND021',
    })
    expect(ran).toBeLessThanOrEqual(20)
    // No part of a write begins that could not be finished.
    const bounded = open(own, { maxStatementsPerRequest: 2 })
    expect(await bounded('customers?select=id', '192.0.2.1', { apikey: secretKey })).toMatchObject({
      status: 400,
      code: 'BOUND021',
    })
  })

  it('that has had too many rows read is refused what it asks next', async () => {
    const ask = open(own, { maxRowsReadPerRequest: 5000 })
    expect(await ask('rpc/read', '192.0.2.1', {}, { times: 1 })).toEqual(fine)
    expect(await ask('rpc/read', '192.0.2.1', {}, { times: 10 })).toMatchObject({
      status: 400,
      code: 'BOUND022',
    })
    expect(ran).toBeLessThan(4)
    expect(await ask('rpc/read', '192.0.2.1', { apikey: secretKey }, { times: 10 })).toEqual(fine)
  })
})
