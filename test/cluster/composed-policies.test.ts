import { eq, gt, sql, and as sqlAnd } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { and, type Condition, distributed, not, or } from '../../db/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import * as schema from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { askMany, databases } from '../support/one-and-many.ts'
import { secretKey } from '../support/worker-client.ts'
import { countingCalls } from '../support/wrap-database.ts'

const jwtSecret = 'a-secret-of-composed-conditions-that-is-long-enough'
const own: Condition<{ readonly customerId: SQLiteColumn }> = ({ caller, row }) =>
  eq(row.customerId, caller.sub)
const dear: Condition<{ readonly total: SQLiteColumn }> = ({ row }) => gt(row.total, 0.99)
const free: Condition<{ readonly total: SQLiteColumn }> = ({ row }) => eq(row.total, 0)

/** By the role that has it: what is the customer's own and costs more than the cheapest, each said in another way. */
const pinned: Record<string, Condition<typeof schema.invoices>> = {
  both: and(own, dear),
  reversed: and(dear, own),
  given: (context) => and(dear(context), true, own(context)),
  nested: and(dear, and(or(own, false), not(free))),
  drizzle: and(dear, ({ caller, row }) => sqlAnd(gt(row.id, 0), eq(row.customerId, caller.sub))),
  /** Whose OR would reach further than it looks, were it not put in parentheses. */
  loose: and(own, ({ row }) => sql`${row.total} > 0.99 or ${row.total} < 0`),
}
const spread: Record<string, Condition<typeof schema.invoices>> = {
  either: or(own, ({ row }) => gt(row.total, 1_000_000)),
}
const denying: Record<string, Condition<typeof schema.invoices>> = {
  undefinedFirst: and(() => undefined, own),
  undefinedLast: (context) => and(own(context), undefined),
  drizzleOfNothing: and(own, () => sqlAnd()),
}

const access = Object.fromEntries(
  Object.entries({ ...pinned, ...spread, ...denying }).map(([role, select]) => [role, { select }]),
)
const gateway = createGateway({
  tables: { ...tables, invoices: distributed(schema.invoices, { by: 'customerId', access }) },
  config: { cache: false, maxRows: null },
})
let calls = 0
const bindings = {
  ...countingCalls(databases, () => calls++),
  ATOLL_SECRET_KEY: secretKey,
  ATOLL_JWT_SECRET: jwtSecret,
  ATOLL_RATE_LIMITS: 'off',
}

async function ask(role: string, sub = '7') {
  const token = await new SignJWT({ role, sub })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwtSecret))
  const request = new Request('http://atoll.test/rest/v1/invoices?select=id,customer_id&order=id', {
    headers: { Authorization: `Bearer ${token}` },
  })
  const before = calls
  const answer = await fetchFrom(gateway, request, bindings)
  return { rows: await answer.json<{ id: number; customer_id: number }[]>(), calls: calls - before }
}

let theirs: unknown[] = []
beforeAll(async () => {
  const seen = await askMany('invoices?select=id,customer_id&customer_id=eq.7&total=gt.0.99&order=id')
  theirs = await seen.json()
  expect(theirs.length).toBeGreaterThan(1)
  // The shard map and the schema of each database are looked at once.
  await ask('either')
})

describe('a composed policy', () => {
  it.each(Object.keys(pinned))(
    'that compares the distribution column asks one database: %s',
    async (role) => {
      expect(await ask(role)).toEqual({ rows: theirs, calls: 1 })
    },
  )

  it.each(Object.keys(spread))('that leaves it open asks all of them: %s', async (role) => {
    const answer = await ask(role)
    expect(answer.calls).toBe(4)
    expect(answer.rows.every(({ customer_id }) => customer_id === 7)).toBe(true)
  })

  it.each(Object.keys(denying))('with a part that is undefined shows nothing: %s', async (role) => {
    expect((await ask(role)).rows).toEqual([])
  })
})
