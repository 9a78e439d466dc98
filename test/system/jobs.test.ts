import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../functions/local/serve.ts'
import { publishableKey, secretKey, startTestServer, type TestServer } from '../support/local-server.ts'
import { routed } from '../support/routed.ts'

/** Real queues, relays and limits, and a real receiver of webhooks, from outside. */
let server: TestServer
let receiver: Server
let received: { path: string; headers: IncomingHttpHeaders; body: string }[] = []
/** What the receiver answers next; 200 when it is empty. */
const answers: number[] = []
const secret = `whsec_${Buffer.from('a secret of thirty-two bytes!!!!').toString('base64')}`

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    received.push({ path: request.url ?? '', headers: request.headers, body })
    const status = answers.shift() ?? 200
    response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end()
  })
  await new Promise<void>((ready) => receiver.listen(0, '127.0.0.1', ready))
  const { port } = receiver.address() as AddressInfo
  server = await startTestServer({
    entry: join(root, 'test', 'support', 'jobs-worker.ts'),
    isWhole: true,
    variables: {
      HOOK_URL: `http://127.0.0.1:${port}/hook`,
      HOOK_SECRET: secret,
      PRIVATE: 'on',
      SECONDS: 'on',
    },
  })
}, 60_000)

afterAll(async () => {
  await server?.stop()
  receiver?.close()
})

const headers = { apikey: secretKey, 'Content-Type': 'application/json', Prefer: 'return=representation' }

async function call<T = unknown>(
  path: string,
  method = 'GET',
  body?: unknown,
): Promise<T & { status: number }> {
  const response = await fetch(server.address + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const json = text === '' ? {} : JSON.parse(text)
  return { ...(Array.isArray(json) ? { rows: json } : json), status: response.status }
}

/** Asks again until what comes is as wanted. */
async function until<T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean, ms = 15_000): Promise<T> {
  const end = Date.now() + ms
  for (;;) {
    const answer = await ask()
    if (isWanted(answer) || Date.now() > end) return answer
    await sleep(60)
  }
}

interface Job {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly attempts: number
  readonly error: string | null
  readonly percent: number | null
  readonly note: string | null
  readonly payload: unknown
  readonly steps: Record<string, unknown>
}
const send = async (name: string, input: unknown, rest = {}) =>
  call<{ id: string; duplicate: boolean; code?: string }>('/jobs/v1/jobs', 'POST', { name, input, ...rest })
const job = (id: string) => call<Job>(`/jobs/v1/jobs/${id}`)
const ended = (id: string) =>
  until(
    () => job(id),
    ({ state }) => ['done', 'dead', 'cancelled'].includes(state),
  )

describe('a new invoice', () => {
  it('has one receipt, and its items are added to what the artist has sold', async () => {
    const before = await call<{ units: number; receipts: number }>('/functions/v1/sales')
    for (const customer of [1, 2, 3, 4]) {
      const id = routed(70_000, customer)
      const invoice = { id, customer_id: customer, invoice_date: '2026-01-01', total: 2 }
      expect((await call('/rest/v1/invoices', 'POST', invoice)).status).toBe(201)
      const items = [1, 2].map((track) => ({
        id: routed(70_000 + track, customer),
        invoice_id: id,
        customer_id: customer,
        track_id: track,
        unit_price: 1,
        quantity: track,
      }))
      expect((await call('/rest/v1/invoice_items', 'POST', items)).status).toBe(201)
    }
    expect(
      (await call(`/rest/v1/invoice_items?id=eq.${routed(70_001, 1)}`, 'PATCH', { quantity: 5 })).status,
    ).toBe(200)
    expect((await call(`/rest/v1/invoice_items?id=eq.${routed(70_002, 1)}`, 'DELETE')).status).toBe(200)
    const wanted = { units: before.units + 4 * 3 + 4 - 2, receipts: before.receipts + 4 }
    const sales = () => call<{ units: number; receipts: number }>('/functions/v1/sales')
    const found = await until(
      sales,
      ({ units, receipts }) => units === wanted.units && receipts === wanted.receipts,
    )
    expect(found).toMatchObject(wanted)
    await sleep(300)
    expect(await sales()).toMatchObject(wanted)
  })

  it('that a route writes with its job has both, and neither when it is refused', async () => {
    const order = { id: routed(71_000, 5), customerId: 5 }
    expect((await call('/functions/v1/orders', 'POST', order)).status).toBe(201)
    expect((await call('/functions/v1/orders', 'POST', order)).status).toBe(409)
    const notes = () => call<{ rows: unknown[] }>(`/rest/v1/receipts?invoice_id=eq.${order.id}&email=eq.note`)
    expect((await until(notes, ({ rows }) => rows.length > 0)).rows).toHaveLength(1)
    const { jobs } = await call<{ jobs: Job[] }>('/jobs/v1/jobs?name=note')
    expect(jobs).toHaveLength(1)
  })
})

describe('a limit', () => {
  it('bounds how many jobs of a name are under way, over all databases', async () => {
    const sent = await Promise.all(Array.from({ length: 12 }, (_, n) => send('narrow', { n }, { of: n })))
    expect(sent.every(({ status }) => status === 201)).toBe(true)
    expect(new Set(sent.map(({ id }) => id.split('.')[0])).size).toBeGreaterThan(1)
    const most = () =>
      call<{ rows: { invoices: number; cents: number }[] }>('/rest/v1/daily_sales?day=eq.most')
    const { rows } = await until(most, ({ rows: [row] }) => row?.cents === 12, 30_000)
    expect(rows).toMatchObject([{ cents: 12 }])
    expect(rows[0]?.invoices).toBeLessThanOrEqual(2)
  })
})

describe('a schedule', () => {
  it('starts its job once each time', async () => {
    const runs = () =>
      call<{ rows: { day: string; invoices: number }[] }>('/rest/v1/daily_sales?day=like.at*')
    const { rows } = await until(runs, ({ rows }) => rows.length >= 3)
    expect(rows.length).toBeGreaterThanOrEqual(3)
    expect(rows.every(({ invoices }) => invoices === 1)).toBe(true)
    const { rows: schedules } = await call<{ rows: { name: string; next: string }[] }>('/jobs/v1/schedules')
    expect(schedules).toMatchObject([{ name: 'every-second', time_zone: 'UTC', next: expect.any(String) }])
  })
})

describe('/jobs/v1', () => {
  it('is for the secret key only', async () => {
    for (const key of [publishableKey, '']) {
      const response = await fetch(`${server.address}/jobs/v1/jobs`, { headers: key ? { apikey: key } : {} })
      expect(response.status).toBe(401)
      expect(await response.json()).toMatchObject({ code: 'JOB006' })
    }
  })

  it('sends a job, shows how far it is, and what came of it', async () => {
    const { id, status } = await send('long', { parts: 4 })
    expect(status).toBe(201)
    const midway = await until(
      () => job(id),
      ({ percent }) => percent !== null && percent >= 25,
    )
    expect(midway).toMatchObject({ state: 'running', payload: { parts: 4 } })
    expect(midway.note).toMatch(/^[123] of 4$/)
    expect(await ended(id)).toMatchObject({ state: 'done', percent: 100, attempts: 1 })
    expect(Object.keys((await job(id)).steps)).toHaveLength(4)
    expect((await call(`/jobs/v1/jobs/${id}`, 'DELETE')).status).toBe(204)
    expect(await job(id)).toMatchObject({ status: 404, code: 'JOB003' })
  })

  it('cancels a job that waits, and one that runs', async () => {
    const waiting = await send('long', { parts: 1 }, { delay_seconds: 3600 })
    expect(await call(`/jobs/v1/jobs/${waiting.id}/cancel`, 'POST')).toMatchObject({
      status: 202,
      state: 'cancelled',
    })
    const running = await send('long', { parts: 100 })
    await until(
      () => job(running.id),
      ({ state }) => state === 'running',
    )
    expect((await call(`/jobs/v1/jobs/${running.id}`, 'DELETE')).status).toBe(409)
    expect(await call(`/jobs/v1/jobs/${running.id}/cancel`, 'POST')).toMatchObject({
      status: 202,
      cancelling: true,
    })
    expect(await ended(running.id)).toMatchObject({ state: 'cancelled' })
  })

  it('shows dead letters, tries one again, and discards one', async () => {
    // Long enough for both attempts, on a machine that does other work as well.
    const { id } = await send('broken', { until: Date.now() + 12_000 })
    const other = await send('broken', { until: Number.MAX_SAFE_INTEGER })
    const dead = await ended(id)
    expect(dead).toMatchObject({ state: 'dead', attempts: 2, error: 'Error: not before its time' })
    await ended(other.id)
    const { jobs } = await call<{ jobs: Job[] }>('/jobs/v1/jobs?state=dead&name=broken')
    expect(jobs.map((one) => one.id).sort()).toEqual([id, other.id].sort())
    await sleep(Math.max(0, (dead.payload as { until: number }).until - Date.now()))
    expect((await call(`/jobs/v1/jobs/${id}/retry`, 'POST')).status).toBe(202)
    expect(await ended(id)).toMatchObject({ state: 'done' })
    expect(await call(`/jobs/v1/jobs/${id}/retry`, 'POST')).toMatchObject({ status: 409, code: 'JOB004' })
    expect((await call(`/jobs/v1/jobs/${other.id}`, 'DELETE')).status).toBe(204)
    expect((await call<{ jobs: Job[] }>('/jobs/v1/jobs?state=dead')).jobs).toEqual([])
  })

  it('lists the newest first, page by page, and counts', async () => {
    const sent: string[] = []
    for (let n = 0; n < 5; n++)
      sent.push((await send('long', { parts: 0 }, { of: n, delay_seconds: 600 })).id)
    type Page = { jobs: Job[]; next: string | null }
    const first = await call<Page>('/jobs/v1/jobs?state=waiting&name=long&limit=3')
    const second = await call<Page>(`/jobs/v1/jobs?state=waiting&name=long&limit=3&after=${first.next}`)
    expect([...first.jobs, ...second.jobs].map(({ id }) => id)).toEqual(sent.reverse())
    expect(second.next).toBeNull()
    expect(await call('/jobs/v1/summary')).toMatchObject({ long: { waiting: 5 } })
  })

  it('says what is wrong with a request', async () => {
    expect(await send('unheard-of', {})).toMatchObject({ status: 404, code: 'JOB001' })
    expect(await send('long', { parts: 'four' })).toMatchObject({ status: 400, code: 'JOB002' })
    expect(await send('long', { parts: 1 }, { delay: 5 })).toMatchObject({ status: 400, code: 'JOB008' })
    expect(await call('/jobs/v1/jobs?state=asleep')).toMatchObject({ status: 400, code: 'JOB008' })
    expect(await call('/jobs/v1/jobs?limit=0')).toMatchObject({ status: 400, code: 'JOB008' })
    for (const id of ['nonsense', 'DB.', 'SHARD_77.01ARZ3NDEKTSV4RRFFQ69G5FAV', "DB.' OR 1=1 --"]) {
      expect(await job(encodeURIComponent(id))).toMatchObject({ status: 404, code: 'JOB003' })
    }
    const response = await fetch(`${server.address}/jobs/v1/jobs`, { method: 'POST', headers, body: '{' })
    expect(response.status).toBe(400)
  })
})

describe('a webhook', () => {
  it('tells of a change, signed so that others can check it', async () => {
    received = []
    expect((await call('/rest/v1/genres', 'POST', { id: 801, name: 'Ska' })).status).toBe(201)
    await until(
      async () => received,
      (all) => all.length > 0,
    )
    const [{ path, headers: sent, body }] = received as [(typeof received)[0]]
    expect(path).toBe('/hook')
    expect(new Webhook(secret).verify(body, sent as Record<string, string>)).toMatchObject({
      type: 'genres.insert',
      data: { table: 'genres', operation: 'insert', key: { id: 801 }, record: null, old_record: null },
    })
    expect(() => new Webhook(secret).verify(`${body} `, sent as Record<string, string>)).toThrow()
  })

  it('comes again under the same id when the receiver fails, and in the order of the changes', async () => {
    received = []
    answers.push(500, 302)
    await call('/rest/v1/genres?id=eq.801', 'PATCH', { name: 'Dub' })
    await call('/rest/v1/genres?id=eq.801', 'DELETE')
    await until(
      async () => received,
      (all) => all.length >= 4,
    )
    expect(received.map(({ body }) => JSON.parse(body).data.operation)).toEqual([
      'update',
      'update',
      'update',
      'delete',
    ])
    expect(new Set(received.map(({ headers: sent }) => sent['webhook-id'])).size).toBe(2)
    expect(received.every(({ path }) => path === '/hook')).toBe(true)
  })

  it('is given up when the receiver wants no more, and does not tell what it filters', async () => {
    received = []
    answers.push(410)
    await call('/rest/v1/genres', 'POST', [
      { id: 802, name: 'a' },
      { id: 5002, name: 'b' },
    ])
    const dead = () => call<{ jobs: Job[] }>('/jobs/v1/jobs?state=dead&name=webhook:hook')
    const { jobs } = await until(dead, (found) => found.jobs.length > 0)
    expect(jobs).toMatchObject([{ error: expect.stringContaining('410') }])
    expect(received).toHaveLength(1)
    await call('/rest/v1/genres?id=in.(802,5002)', 'DELETE')
  })
})
