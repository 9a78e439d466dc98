import { afterEach, describe, expect, it } from 'vitest'
import { createGateway } from '../../functions/gateway.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases } from '../support/one-and-many.ts'
import { boundedInvocation, workersFree } from '../support/platform-bounds.ts'
import { routed } from '../support/routed.ts'
import { secretKey } from '../support/worker-client.ts'
import { clean, first } from '../support/write-client.ts'

afterEach(clean)

const gateway = createGateway({
  tables,
  config: { cache: false, maxStatementsPerRequest: workersFree.statements },
})

/** One request in an isolate of its own, which knows nothing yet, on the platform's smallest plan. */
async function ask(method: string, path: string, body?: unknown, prefer = '') {
  const { bindings, invocation } = boundedInvocation(databases, workersFree)
  const answer = await fetchFrom(
    gateway,
    new Request(`http://atoll.test/rest/v1/${path}`, {
      method,
      headers: {
        apikey: secretKey,
        'Content-Type': 'application/json',
        ...(prefer ? { Prefer: prefer } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
    { ...bindings, ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off' },
  )
  const text = await answer.text()
  const code = answer.ok ? null : (JSON.parse(text) as { code: string }).code
  return { status: answer.status, code, ...invocation }
}

const invoice = (number: number, customer: number) => ({
  id: routed(first + number, customer),
  customer_id: customer,
  invoice_date: '2026-01-01 00:00:00',
  total: 1,
})

describe('a request in an isolate that has just begun, on four databases', () => {
  it.each<[what: string, method: string, path: string, body?: unknown, prefer?: string]>([
    ['reads all of them', 'GET', 'customers?select=id,email&order=email&limit=20', undefined, 'count=exact'],
    ['groups over all of them', 'GET', 'invoices?select=billing_country,total.sum()&order=billing_country'],
    ['reads deep in them', 'GET', 'invoices?select=id&order=total,id&offset=300&limit=5'],
    [
      'embeds what lies elsewhere',
      'GET',
      'customers?select=id,invoices(id,invoice_items(tracks(name)))&limit=5',
    ],
    ['finds by what is looked up', 'GET', 'customers?email=eq.luisg@embraer.com.br'],
    ['writes one row', 'POST', 'invoices', invoice(1, 7), 'return=representation'],
    ['writes a thousand', 'POST', 'invoices', Array.from({ length: 1000 }, (_, i) => invoice(i, 7))],
    [
      'writes to all',
      'POST',
      'invoices',
      Array.from({ length: 40 }, (_, i) => invoice(i, i + 1)),
      'atomicity=shard',
    ],
    [
      'reserves and merges',
      'POST',
      'customers?on_conflict=id',
      { id: 7, first_name: 'A', last_name: 'B', email: 'astrid.gruber@apple.at' },
      'resolution=merge-duplicates',
    ],
    ['changes what it finds', 'PATCH', 'invoices?total=gt.100000', { billing_city: 'Bergen' }],
    ['deletes what is referred to', 'DELETE', 'genres?id=eq.999999'],
  ])('%s within what the platform allows', async (_, method, path, body, prefer) => {
    const asked = await ask(method, path, body, prefer)
    expect(asked).toMatchObject({ code: null, refused: false })
    expect(asked.statements).toBeLessThanOrEqual(workersFree.statements)
    expect(asked.most).toBeLessThanOrEqual(workersFree.connections)
  })

  it('that would need more is refused by name, before the platform ends it in the middle', async () => {
    const rows = Array.from({ length: 5 }, (_, i) => ({
      ...invoice(i, 7),
      billing_address: 'x'.repeat(1_700_000),
    }))
    const askWithin = async (statements: number) => {
      const { bindings, invocation } = boundedInvocation(databases, { ...workersFree, statements })
      const own = createGateway({ tables, config: { cache: false, maxStatementsPerRequest: statements } })
      const answer = await fetchFrom(
        own,
        new Request('http://atoll.test/rest/v1/invoices', {
          method: 'POST',
          headers: { apikey: secretKey, 'Content-Type': 'application/json' },
          body: JSON.stringify(rows),
        }),
        { ...bindings, ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off' },
      )
      return { status: answer.status, text: await answer.text(), ...invocation }
    }
    const refused = await askWithin(8)
    expect([refused.status, refused.text, refused.refused]).toEqual([
      400,
      expect.stringContaining('BOUND021'),
      false,
    ])
    expect((await ask('GET', `invoices?id=eq.${rows[0]?.id}`)).status).toBe(200)
    expect((await askWithin(50)).status).toBe(201)
  })
})
