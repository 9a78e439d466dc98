/**
 * The ways by which rows are written, each doing the same: the data API from outside and from inside, Drizzle in a function, in a
 * route and in a job.
 */
import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { z } from 'zod'
import { type App, engineOf, servicesFor } from '../../functions/areas.ts'
import {
  defineFunction,
  defineJob,
  type FunctionContext,
  type JobContext,
  type RouteEnv,
  scalar,
} from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { dispatch } from '../../functions/jobs/dispatch.ts'
import { runBatch } from '../../functions/jobs/run-batch.ts'
import type { JobMessage } from '../../functions/jobs/services.ts'
import { customers, invoiceItems, invoices, receipts, tracks } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom, LaterWork } from './later-work.ts'
import { secretKey } from './worker-client.ts'

/** One thing to do; ids are of rows that are there. */
export type Step =
  | { readonly do: 'add customer'; readonly email: string }
  | { readonly do: 'set email'; readonly id: number; readonly email: string }
  | { readonly do: 'add invoice'; readonly customer: number; readonly total: number }
  | { readonly do: 'set total'; readonly id: number; readonly customer: number; readonly total: number }
  | { readonly do: 'drop invoice'; readonly id: number; readonly customer: number }
  | { readonly do: 'add receipt'; readonly customer: number; readonly invoice: number }
  | { readonly do: 'drop receipt'; readonly id: string; readonly customer: number }
  | { readonly do: 'add item of a new track'; readonly customer: number; readonly invoice: number }

export const doors = ['rest', 'api', 'drizzle', 'route', 'job'] as const
export type Door = (typeof doors)[number]

/** What came of a step: the id of a row that it made, or what was refused. */
export interface Done {
  readonly id: number | string | null
  readonly code: string | null
}

type Context = Pick<FunctionContext<unknown>, 'database' | 'shards'>

const person = (email: string) => ({ firstName: 'Ada', lastName: 'Byron', email })
const track = { name: 'Études', mediaTypeId: 1, milliseconds: 1000, unitPrice: 0.99 }

/** By Drizzle, as an app's own code would: ids and unique values come from the shard's door. */
async function byDrizzle(step: Step, { database, shards }: Context, once?: JobContext<unknown>['once']) {
  const commit = async (
    statements: Parameters<JobContext<unknown>['once']>[0],
    of: number,
  ): Promise<unknown> => {
    if (once) return once(statements, { of })
    for (const statement of statements) await statement
    return undefined
  }
  switch (step.do) {
    case 'add customer': {
      const id = await shards.newId(customers.id)
      const shard = await shards.of(id)
      await shard.reserve(customers.email, step.email)
      await commit([shard.insert(customers).values({ id, ...person(step.email) })], id)
      return id
    }
    case 'set email': {
      const shard = await shards.of(step.id)
      await shard.reserve(customers.email, step.email)
      await commit(
        [shard.update(customers).set({ email: step.email }).where(eq(customers.id, step.id))],
        step.id,
      )
      return null
    }
    case 'add invoice': {
      const shard = await shards.of(step.customer)
      const id = await shard.idFor(invoices.id)
      const invoice = { id, customerId: step.customer, invoiceDate: '2026-01-01', total: step.total }
      await commit([shard.insert(invoices).values(invoice)], step.customer)
      return id
    }
    case 'set total': {
      const shard = await shards.of(step.customer)
      await commit(
        [shard.update(invoices).set({ total: step.total }).where(eq(invoices.id, step.id))],
        step.customer,
      )
      return null
    }
    case 'drop invoice': {
      const shard = await shards.of(step.customer)
      const items = shard.delete(invoiceItems).where(eq(invoiceItems.invoiceId, step.id))
      await commit([items, shard.delete(invoices).where(eq(invoices.id, step.id))], step.customer)
      return null
    }
    case 'add receipt': {
      const shard = await shards.of(step.customer)
      const id = crypto.randomUUID()
      await shard.reserve(receipts.id, id)
      const receipt = { id, invoiceId: step.invoice, customerId: step.customer, email: 'a@b.c' }
      await commit([shard.insert(receipts).values(receipt)], step.customer)
      return id
    }
    case 'drop receipt': {
      const shard = await shards.of(step.customer)
      await commit([shard.delete(receipts).where(eq(receipts.id, step.id))], step.customer)
      return null
    }
    case 'add item of a new track': {
      const [made] = await database.insert(tracks).values(track).returning({ id: tracks.id })
      const shard = await shards.of(step.customer)
      const id = await shard.idFor(invoiceItems.id)
      const item = { id, invoiceId: step.invoice, trackId: made?.id as number, unitPrice: 1, quantity: 1 }
      await commit([shard.insert(invoiceItems).values({ ...item, customerId: step.customer })], step.customer)
      return id
    }
  }
}

/** By the data API: requests say nothing of where rows lie. */
interface Sent {
  readonly method: 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: object
}

function requestFor(step: Step, trackId: number): Sent[] {
  switch (step.do) {
    case 'add customer':
      return [
        {
          method: 'POST',
          path: 'customers',
          body: { first_name: 'Ada', last_name: 'Byron', email: step.email },
        },
      ]
    case 'set email':
      return [{ method: 'PATCH', path: `customers?id=eq.${step.id}`, body: { email: step.email } }]
    case 'add invoice':
      return [
        {
          method: 'POST',
          path: 'invoices',
          body: { customer_id: step.customer, invoice_date: '2026-01-01', total: step.total },
        },
      ]
    case 'set total':
      // As forms do: the whole row, its key and its distribution column included.
      return [
        {
          method: 'PATCH',
          path: `invoices?id=eq.${step.id}`,
          body: { id: step.id, customer_id: step.customer, total: step.total },
        },
      ]
    case 'drop invoice':
      return [
        { method: 'DELETE', path: `invoice_items?invoice_id=eq.${step.id}` },
        { method: 'DELETE', path: `invoices?id=eq.${step.id}` },
      ]
    case 'add receipt':
      return [
        {
          method: 'POST',
          path: 'receipts',
          body: { invoice_id: step.invoice, customer_id: step.customer, email: 'a@b.c' },
        },
      ]
    case 'drop receipt':
      return [{ method: 'DELETE', path: `receipts?id=eq.${step.id}` }]
    case 'add item of a new track':
      return [
        {
          method: 'POST',
          path: 'invoice_items',
          body: {
            invoice_id: step.invoice,
            track_id: trackId,
            unit_price: 1,
            quantity: 1,
            customer_id: step.customer,
          },
        },
      ]
  }
}

const newTrack: Sent = {
  method: 'POST',
  path: 'tracks',
  body: { name: 'Études', media_type_id: 1, milliseconds: 1000, unit_price: 0.99 },
}

type Send = (request: Sent) => Promise<{ status: number; body: unknown }>

async function byRequests(step: Step, send: Send): Promise<Done> {
  let trackId = 0
  if (step.do === 'add item of a new track') {
    const { body } = await send(newTrack)
    trackId = (body as { id: number }[])[0]?.id ?? 0
  }
  let last: unknown = null
  for (const request of requestFor(step, trackId)) {
    const { status, body } = await send(request)
    if (status >= 400) return { id: null, code: (body as { code: string }).code }
    last = body
  }
  const adds = step.do.startsWith('add')
  return { id: adds ? ((last as { id: number | string }[])[0]?.id ?? null) : null, code: null }
}

/** An app whose function, route and job do what they are told. */
function appOf(results: Map<string, Done>, cache: boolean): App {
  const input = z.object({ door: z.string(), step: z.json() })
  const act = defineFunction({
    input,
    returns: scalar,
    run: async ({ input: { door, step: given }, api, database, shards, jobs }) => {
      const step = given as unknown as Step
      if (door === 'drizzle') return { id: await byDrizzle(step, { database, shards }), code: null }
      if (door === 'job') {
        const token = crypto.randomUUID()
        await jobs.send(work, { token, step: given })
        return token
      }
      return byRequests(step, async ({ method, path, body }) => {
        const [table = '', query = ''] = path.split('?')
        const [column = '', value = ''] = query.split('=eq.')
        const from = api.asService.from(table)
        const answer =
          method === 'POST'
            ? await from.insert(body as never).select()
            : method === 'PATCH'
              ? await from
                  .update(body as never)
                  .eq(column, value)
                  .select()
              : await from.delete().eq(column, value).select()
        return { status: answer.status, body: answer.error ?? answer.data }
      })
    },
  })
  const work = defineJob({
    name: 'act',
    input: z.object({ token: z.string(), step: z.json() }),
    retry: { maxAttempts: 1 },
    run: async ({ input: { token, step }, database, shards, once }) => {
      try {
        const id = await byDrizzle(step as unknown as Step, { database, shards }, once)
        results.set(token, { id, code: null })
      } catch (error) {
        results.set(token, { id: null, code: codeOf(error) })
      }
    },
  })
  const route = new Hono<RouteEnv>().post('/', async (c) => {
    const step = (await c.req.json()) as Step
    const { database, shards } = c.var
    return c.json({ id: await byDrizzle(step, { database, shards }), code: null })
  })
  return {
    tables,
    functions: { act },
    routes: { act: route },
    jobs: [work],
    config: { maxRows: null, cache },
  }
}

function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause as Error) {
    if ('body' in at) return (at.body as { code: string }).code
  }
  return String(error)
}

export interface World {
  /** Does a step by a door. */
  act(door: Door, step: Step): Promise<Done>
  get(path: string): Promise<unknown>
}

/**
 * @param databases `DB` and the shards
 * @param cache whether answers are kept
 */
export function openWorld(databases: Readonly<Record<string, unknown>>, cache: boolean): World {
  const results = new Map<string, Done>()
  const app = appOf(results, cache)
  const engine = engineOf(app)
  const gateway = createGateway(app)
  const queued: string[] = []
  const queue = {
    sendBatch: async (messages: Iterable<{ body: JobMessage }>) => {
      for (const { body } of messages) queued.push(body.id)
    },
  }
  const environment = { ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off', QUEUE: queue, ...databases }
  const services = servicesFor(engine)(environment as never)
  const names = [...engine.registry.byName.keys()]

  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { apikey: secretKey, 'Content-Type': 'application/json', ...init.headers }
    const request = new Request(`http://atoll.test${path}`, { ...init, headers })
    const response = await fetchFrom(gateway, request, environment)
    const text = await response.text()
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) }
  }
  const post = (path: string, body: object) => ask(path, { method: 'POST', body: JSON.stringify(body) })
  const doneOf = ({ status, body }: { status: number; body: unknown }): Done =>
    status >= 400 ? { id: null, code: (body as { code: string }).code } : (body as Done)

  const runJobs = async () => {
    const later = new LaterWork()
    const session = services.cluster.open({ reads: false, seen: new Map() })
    for (const name of Object.keys(databases)) {
      await dispatch(services, engine.config, session, name, names, { inARow: 0, until: 0 })
    }
    const messages = queued
      .splice(0)
      .map((id) => ({ body: { id }, ack: () => undefined, retry: () => undefined }))
    await runBatch(messages, engine, services, (work) => later.context.waitUntil(work))
    await later.done()
  }

  return {
    async act(door, step) {
      if (door === 'rest') {
        return byRequests(step, ({ method, path, body }) =>
          ask(`/rest/v1/${path}`, {
            method,
            headers: { Prefer: 'return=representation' },
            ...(body ? { body: JSON.stringify(body) } : {}),
          }),
        )
      }
      if (door === 'route') return doneOf(await post('/functions/v1/act', step))
      const answer = await post('/rest/v1/rpc/act', { door, step })
      if (door !== 'job') return doneOf(answer)
      await runJobs()
      return results.get(answer.body as string) ?? { id: null, code: 'the job did not run' }
    },
    get: async (path) => (await ask(`/rest/v1/${path}`)).body,
  }
}
