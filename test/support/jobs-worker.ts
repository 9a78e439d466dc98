/**
 * The sample app's Worker with jobs of a test's own, which write what they do into the databases. Its queues can be told to lose,
 * double, shuffle and delay what they are sent.
 */

import { env } from 'cloudflare:workers'
import { count, sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { z } from 'zod'
import type { App } from '../../functions/areas.ts'
import { changes, defineJob, defineWebhook, type RouteEnv, sending } from '../../functions/define.ts'
import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import { artistSales, dailySales, invoices, receipts } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import receipt from '../fixture-app/functions/app/jobs/receipt.ts'
import refreshArtistSales from '../fixture-app/functions/app/jobs/refresh-artist-sales.ts'

export { JobLimits } from '../../functions/jobs/job-limit.ts'
export { Metrics } from '../../functions/meter/metrics-store.ts'
export { Advisor } from '../../functions/monitor/advise/advisor.ts'

interface Settings {
  readonly RESEND_SECONDS?: string
  readonly LEASE_SECONDS?: string
  readonly RESOLVER?: string
  readonly PRIVATE?: string
  /** How likely a message is lost, doubled, and late. */
  readonly TROUBLE?: string
  /** Whether a job is due every second. */
  readonly SECONDS?: string
}
const {
  RESEND_SECONDS = '2',
  LEASE_SECONDS = '3',
  RESOLVER,
  PRIVATE,
  SECONDS,
  TROUBLE = '0',
} = env as Settings

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms))

/** How many of a name are under way at the same time, in `daily_sales`: the day is the name. */
const narrow = defineJob({
  name: 'narrow',
  input: z.object({ n: z.int() }),
  concurrency: 2,
  run: async ({ database, id }) => {
    await database.run(sql`INSERT INTO daily_sales VALUES (${`running ${id}`}, 1, 1)`)
    const [row] = await database.all<{ n: number }>(
      sql`SELECT count(*) AS n FROM daily_sales WHERE day LIKE 'running %'`,
    )
    const most = { invoices: row?.n ?? 0, cents: sql`${dailySales.cents} + 1` }
    await database
      .insert(dailySales)
      .values({ day: 'most', invoices: row?.n ?? 0, cents: 1 })
      .onConflictDoUpdate({
        target: dailySales.day,
        set: { invoices: sql`max(${dailySales.invoices}, ${most.invoices})`, cents: most.cents },
      })
    await pause(40)
    await database.run(sql`DELETE FROM daily_sales WHERE day = ${`running ${id}`}`)
  },
})

const long = defineJob({
  name: 'long',
  input: z.object({ parts: z.int() }),
  run: async ({ input, progress, step }) => {
    for (let i = 1; i <= input.parts; i++) {
      await step(`part ${i}`, () => pause(100))
      await progress((100 * i) / input.parts, `${i} of ${input.parts}`)
    }
  },
})

const broken = defineJob({
  name: 'broken',
  input: z.object({ until: z.int() }),
  retry: { maxAttempts: 2, minDelaySeconds: 0.1 },
  run: async ({ input }) => {
    if (Date.now() < input.until) throw new Error('not before its time')
  },
})

const everySecond = defineJob({
  name: 'every-second',
  cron: '* * * * * *',
  run: async ({ input, database }) => {
    await database
      .insert(dailySales)
      .values({ day: `at ${input.scheduledFor}`, invoices: 1, cents: 0 })
      .onConflictDoUpdate({ target: dailySales.day, set: { invoices: sql`${dailySales.invoices} + 1` } })
  },
})

/** Counts an effect for the invoice that it is about, in the invoice's own transaction log: `receipts`. */
const note = defineJob({
  name: 'note',
  input: z.object({ invoiceId: z.int(), customerId: z.int() }),
  run: async ({ input, shards, once }) => {
    const home = await shards.of(input.customerId)
    const id = crypto.randomUUID()
    await home.reserve(receipts.id, id)
    await once([home.insert(receipts).values({ id, ...input, email: 'note' })], { of: input.customerId })
  },
})

/** Writes an invoice and sends its note, in one transaction. */
const orders = new Hono<RouteEnv>().post('/', async (c) => {
  const { id, customerId } = z.object({ id: z.int(), customerId: z.int() }).parse(await c.req.json())
  const { shards, jobs } = c.var
  const home = await shards.of(customerId)
  const invoice = home.insert(invoices).values({ id, customerId, invoiceDate: '2026-01-01', total: 1 })
  await jobs.sendWith(home, [invoice], [sending(note, { invoiceId: id, customerId })])
  return c.json({ id }, 201)
})

/** What is seen of sales, straight from the databases. */
const sales = new Hono<RouteEnv>().get('/', async (c) => {
  const all = await c.var.shards.all()
  const [units] = await c.var.database.select({ n: sql<number>`sum(${artistSales.units})` }).from(artistSales)
  const parts = await Promise.all(all.map((shard) => shard.select({ n: count() }).from(receipts)))
  return c.json({ units: units?.n ?? 0, receipts: parts.flat().reduce((sum, { n }) => sum + n, 0) })
})

const app: App = {
  tables,
  config: {
    cache: false,
    jobResendSeconds: Number(RESEND_SECONDS),
    jobLeaseSeconds: Number(LEASE_SECONDS),
    webhooksToPrivateAddresses: PRIVATE === 'on',
    webhookResolver: RESOLVER ?? null,
  },
  routes: { orders, sales },
  jobs: [narrow, long, broken, note, receipt, refreshArtistSales, ...(SECONDS === 'on' ? [everySecond] : [])],
  webhooks: [
    defineWebhook({
      name: 'hook',
      on: changes('genres', ['insert', 'update', 'delete'], { when: ({ key }) => Number(key.id) < 5000 }),
      url: { variable: 'HOOK_URL' },
      secret: 'HOOK_SECRET',
      retry: { maxAttempts: 3, minDelaySeconds: 0.1 },
    }),
  ],
}

export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)

const worker = createWorker(app)
const trouble = Number(TROUBLE)

/** Some messages are lost, some come twice (in their batch, or in another at the same time), and batches come late and shuffled. */
const troubled = (batch: MessageBatch<{ id: string }>) => {
  const messages = batch.messages.flatMap((message) => {
    const chance = Math.random()
    if (chance < trouble) {
      message.ack()
      return []
    }
    return chance < trouble * 2 ? [message, message] : [message]
  })
  return { messages: messages.sort(() => Math.random() - 0.5) }
}

export default {
  ...worker,
  async queue(batch: MessageBatch<{ id: string }>, environment: never, context: ExecutionContext) {
    if (trouble === 0) return worker.queue(batch, environment, context)
    await pause(Math.random() * 200)
    const { messages } = troubled(batch)
    const again = messages.filter(() => Math.random() < trouble)
    await Promise.all([
      worker.queue({ messages }, environment, context),
      pause(Math.random() * 100).then(() => worker.queue({ messages: again }, environment, context)),
    ])
  },
}
