import { eq } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Condition, distributed } from '../../db/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import * as schema from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases } from '../support/one-and-many.ts'
import { secretKey } from '../support/worker-client.ts'
import { replaceDatabases, wrapDatabase } from '../support/wrap-database.ts'

const jwtSecret = 'a-secret-of-what-comes-before-policies-that-is-long-enough'
const own: Condition<{ readonly customerId: SQLiteColumn }> = ({ caller, row }) =>
  eq(row.customerId, caller.sub)
const access = { authenticated: { select: own, insert: own, update: own } }
const gateway = createGateway({
  tables: {
    ...tables,
    invoices: distributed(schema.invoices, { by: 'customerId', access }),
    receipts: distributed(schema.receipts, { by: 'customerId', ids: 'free', access }),
  },
  config: { cache: false },
})
/** What the engine has asked of databases since it was cleared. */
const asked: string[] = []
const listening = (database: D1Database) =>
  wrapDatabase((constraint) => {
    const session = database.withSession(constraint)
    const prepare = (text: string) => {
      asked.push(text)
      return session.prepare(text)
    }
    return {
      session: { prepare, batch: (statements: D1PreparedStatement[]) => session.batch(statements) },
      getBookmark: () => session.getBookmark(),
      around: (run) => run(),
    }
  })
const bindings = {
  ...replaceDatabases(databases, listening),
  ATOLL_SECRET_KEY: secretKey,
  ATOLL_JWT_SECRET: jwtSecret,
  ATOLL_RATE_LIMITS: 'off',
}

let token = ''
beforeAll(async () => {
  token = await new SignJWT({ role: 'authenticated', sub: '7' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwtSecret))
})

/** @param key the secret key, or a customer's token */
async function post(path: string, body: unknown, key: string, prefer = '') {
  const answer = await fetchFrom(
    gateway,
    new Request(`http://atoll.test/rest/v1/${path}`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${key}`,
        'Content-Type': 'application/json',
        Prefer: `return=representation${prefer}`,
      },
      body: JSON.stringify(body),
    }),
    bindings,
  )
  const said = await answer.json<{ code?: string }>()
  return { status: answer.status, said }
}

async function rowsOf(text: string, ...values: string[]): Promise<number> {
  const found = await Promise.all(
    Object.values(databases).map((database) =>
      database
        .prepare(text)
        .bind(...values)
        .all(),
    ),
  )
  return found.flatMap(({ results }) => results).length
}

const entriesOf = (value: string) => rowsOf('SELECT 1 FROM _atoll_unique WHERE value = ?', value)
const sequences = async () =>
  (await databases.DB.prepare('SELECT name, next FROM _atoll_sequences ORDER BY name').all()).results

/** Of an invoice that lies where its customer does. */
async function receipt(id: string, customer: number) {
  const made = await post('invoices', invoiceOf(customer), secretKey)
  return { id, customer_id: customer, invoice_id: idIn(made), email: 'a@b.test' }
}

const invoiceOf = (customer: number) => ({
  customer_id: customer,
  invoice_date: '2026-01-01 00:00:00',
  total: 1,
})
const idIn = ({ said }: Awaited<ReturnType<typeof post>>) =>
  (said as unknown as { id: number }[])[0]?.id as number

describe('before the policy has let a write through', () => {
  it('no value is reserved', async () => {
    const id = crypto.randomUUID()
    const denied = await receipt(id, 8)
    asked.length = 0
    expect(await post('receipts', denied, token)).toMatchObject({ status: 403, said: { code: '42501' } })
    expect(asked.length).toBeGreaterThan(0)
    expect(asked.filter((text) => /^(?:INSERT|UPDATE|DELETE)/i.test(text.trim()))).toEqual([])
    expect((await post('receipts', { ...denied, customer_id: 7 }, token)).status).not.toBe(201)
    expect(await entriesOf(id)).toBe(0)
    expect((await post('receipts', await receipt(id, 7), token)).status).toBe(201)
    expect(await entriesOf(id)).toBe(1)
  })

  it('no number is used up', async () => {
    const numberOf = async () => idIn(await post('invoices', invoiceOf(8), secretKey))
    await numberOf()
    const before = await sequences()
    for (let i = 0; i < 300; i++) {
      const denied = await post('invoices', invoiceOf(8), token)
      expect(denied.status).toBe(403)
    }
    expect(await sequences()).toEqual(before)
    await numberOf()
  })
})

describe('a write that is undone', () => {
  it('reserves nothing, and is told of a value that another row has', async () => {
    const id = crypto.randomUUID()
    const row = await receipt(id, 8)
    asked.length = 0
    expect((await post('receipts', row, secretKey, ',tx=rollback')).status).toBe(201)
    expect(asked.filter((text) => text.includes('INSERT INTO _atoll_unique '))).toEqual([])
    expect(await entriesOf(id)).toBe(0)
    expect((await post('receipts', row, secretKey)).status).toBe(201)
    for (const customer of [8, 9, 10, 11])
      expect(await post('receipts', await receipt(id, customer), secretKey, ',tx=rollback')).toMatchObject({
        status: 409,
        said: { code: '23505' },
      })
  })

  it('uses no number up', async () => {
    const made = async (prefer: string) => idIn(await post('invoices', invoiceOf(8), secretKey, prefer))
    const tried = await made(',tx=rollback')
    expect(await made(',tx=rollback')).toBe(tried)
    expect(await made('')).toBe(tried)
    expect(await made('')).not.toBe(tried)
  })
})
