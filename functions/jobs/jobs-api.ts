/**
 * `/jobs/v1`: what jobs there are and how they are doing, for the secret key.
 * @module
 */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { ClusterSession } from '../../db/cluster/session.ts'
import type { Row } from '../../db/sql/statement.ts'
import type { CoreConfig } from '../core/config.ts'
import { readJsonOf } from '../core/read-body.ts'
import { forgetJobs } from './clean-up.ts'
import { errors } from './errors.ts'
import { cancel, discard, revive } from './job-rows.ts'
import { databaseOf } from './run-batch.ts'
import { readSchedules, shownSchedules } from './schedules.ts'
import { knownJob, sendTo } from './send-jobs.ts'
import type { AtollEnv, Services } from './services.ts'
import { countJobs, isHere, listJobs, readJob, type ShownJob, shownJob } from './show-jobs.ts'

const states = ['waiting', 'held', 'sent', 'running', 'done', 'cancelled', 'dead'] as const

const listing = z.strictObject({
  state: z.enum(states).optional(),
  name: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z
    .string()
    .regex(/^[0-9A-Z]{26}$/)
    .optional(),
})

const toSend = z.strictObject({
  name: z.string(),
  input: z.unknown(),
  delay_seconds: z
    .number()
    .min(0)
    .max(366 * 86_400)
    .optional(),
  deduplication_key: z.string().min(1).max(500).optional(),
  deduplicate_until: z.enum(['started', 'finished']).optional(),
  ordering_key: z.string().min(1).max(500).optional(),
  queue: z.string().max(64).optional(),
  of: z.union([z.string(), z.number()]).optional(),
})

export function createJobsApi({ maxBodyBytes }: CoreConfig) {
  const area = new Hono<AtollEnv>({ strict: false })
  area.use(async ({ var: { caller } }, next) => {
    if (caller.role !== 'service_role') throw errors.jobsNeedSecretKey(caller.signedIn)
    await next()
  })

  area.get('/jobs', async (c) => {
    const { apikey: _, ...query } = c.req.query()
    const asked = listing.safeParse(query)
    if (!asked.success) throw errors.invalidJobsQuery(asked.error.issues)
    const jobs = await listJobs(c.var.services, asked.data)
    const last = jobs.length === asked.data.limit ? jobs.at(-1) : undefined
    return c.json({ jobs, next: last ? last.id.slice(last.id.indexOf('.') + 1) : null })
  })

  area.post('/jobs', async (c) => {
    const { pending } = c.var.services
    const body = toSend.safeParse(await readJsonOf(c.req.raw, maxBodyBytes, pending))
    if (!body.success) throw errors.invalidJobsQuery(body.error.issues)
    const { name, input, ...rest } = body.data
    const options = {
      ...(rest.delay_seconds === undefined ? {} : { delaySeconds: rest.delay_seconds }),
      ...(rest.deduplication_key === undefined ? {} : { deduplicationKey: rest.deduplication_key }),
      ...(rest.deduplicate_until === undefined ? {} : { deduplicateUntil: rest.deduplicate_until }),
      ...(rest.ordering_key === undefined ? {} : { orderingKey: rest.ordering_key }),
      ...(rest.queue === undefined ? {} : { queue: rest.queue }),
      ...(rest.of === undefined ? {} : { of: rest.of }),
    }
    const { services } = c.var
    const sent = (database: string) => c.executionCtx.waitUntil(carry(services, database))
    const job = await sendTo(services, { sent }, knownJob(services.registry, name), input, options)
    return c.json({ id: job.id, duplicate: job.isDuplicate }, job.isDuplicate ? 200 : 201)
  })

  area.get('/jobs/:id', async (c) => c.json(await find(c)))

  area.post('/jobs/:id/retry', async (c) => {
    const job = await find(c)
    if (job.state !== 'dead') throw errors.wrongJobState(job.state, 'Only dead letters can be retried.')
    const { session, database } = await at(c, job.id)
    await session.on(database, revive(job.id, Date.now()))
    c.executionCtx.waitUntil(carry(c.var.services, database))
    return c.json(await find(c), 202)
  })

  area.post('/jobs/:id/cancel', async (c) => {
    const job = await find(c)
    if (['dead', 'done', 'cancelled'].includes(job.state)) {
      throw errors.wrongJobState(job.state, 'It is over: discard it.')
    }
    const { session, database } = await at(c, job.id)
    const [, , [row] = []] = await session.on(database, cancel(job.id, Date.now()))
    // One that was on its way has a place that nobody else would give back.
    const { byName } = c.var.services.registry
    if (row?.state === 'cancelled' && byName.get(job.name)?.concurrency != null) {
      await c.var.services.jobLimit?.(job.name).release([job.id])
    }
    c.executionCtx.waitUntil(carry(c.var.services, database))
    return c.json(await find(c), 202)
  })

  area.delete('/jobs/:id', async (c) => {
    const job = await find(c)
    const { session, database } = await at(c, job.id)
    const [ended = [], dead = []] = await session.on(database, discard(job.id))
    const gone: Row[] = [...ended, ...dead]
    if (gone.length === 0) throw errors.wrongJobState(job.state, 'Cancel it first.')
    await forgetJobs(c.var.services, session, database, gone)
    return c.body(null, 204)
  })

  area.get('/summary', async (c) => c.json(await countJobs(c.var.services)))

  area.get('/schedules', async (c) => {
    const { cluster, registry } = c.var.services
    const [rows = []] = await cluster.open({ reads: true, seen: new Map() }).primary([readSchedules])
    return c.json(shownSchedules(registry.schedules, rows))
  })
  return area
}

/** Where a job lies, and a session that sees its latest state. */
async function at(c: Context<AtollEnv>, id: string): Promise<{ session: ClusterSession; database: string }> {
  const { cluster, bindings } = c.var.services
  const session = cluster.open({ reads: false, seen: new Map() })
  const home = databaseOf(id)
  const hasIt = async (databases: readonly string[]) => {
    const outcomes = await session.onAll(databases, [isHere(id)])
    return outcomes.find((outcome) => 'results' in outcome && (outcome.results[0]?.length ?? 0) > 0)
  }
  if (bindings.has(home) && (await hasIt([home]))) return { session, database: home }
  // It may have moved along with what it is about.
  const found = await hasIt(cluster.databases.filter((database) => database !== home))
  if (!found) throw errors.noSuchJob(id)
  return { session, database: found.part.database }
}

async function find(c: Context<AtollEnv>): Promise<ShownJob> {
  const id = c.req.param('id') ?? ''
  const { session, database } = await at(c, id)
  const found = await session.on(database, readJob(id))
  const job = await shownJob(found, c.var.services.payloads)
  if (job === null) throw errors.noSuchJob(id)
  return job
}

async function carry({ relay }: Services, database: string): Promise<void> {
  await relay?.carry(database).catch(() => undefined)
}
