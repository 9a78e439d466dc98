/**
 * Sends jobs: puts their rows into a database, by themselves or in the transaction of a write. The relay carries them on.
 * @module
 */
import { makeUlid, slotOf } from '../../db/slots/slots.ts'
import type { AppDatabases } from '../own-code/area.ts'
import type { Jobs, SendOptions, SentJob } from './define-job.ts'
import { boundStatementOf, resultOf } from './drizzle-statement.ts'
import { errors } from './errors.ts'
import type { JobRegistry, RegisteredJob } from './job-registry.ts'
import { insertJobs, type NewJob } from './job-rows.ts'
import type { Services } from './services.ts'

/**
 * `jobs` of a function, route or job: what it sends is committed when the call is done.
 *
 * @param databases those that the same code was given, for `sendWith`
 */
export function createJobs(services: Services, databases: AppDatabases): Jobs {
  const { registry, payloads } = services
  return {
    async send(job, input, options = {}) {
      databases.checkWritable('jobs.send()')
      return sendTo(services, databases, knownJob(registry, job.name), input, options)
    },
    async sendWith(database, statements, sendings) {
      databases.checkWritable('jobs.sendWith()')
      const name = databases.nameOf(database)
      if (name === null) throw new Error('sendWith takes a database that this request was given')
      const jobs = await Promise.all(
        sendings.map(({ job, input, options }) =>
          makeJob(knownJob(registry, job.name), input, options, name, payloads),
        ),
      )
      const session = services.cluster.open({ reads: false, seen: new Map() })
      // An answer that is lost is no sign that nothing was written.
      databases.wrote(name)
      const reserved = databases.around(name)
      const before = reserved?.before ?? []
      const results = await session.on(name, [
        ...before,
        ...statements.map((statement) => boundStatementOf(statement, [database])),
        ...insertJobs(jobs),
        ...(reserved ? [reserved.after] : []),
      ])
      reserved?.done(results.at(-1) ?? [])
      databases.sent(name)
      return statements.map((statement, i) => resultOf(statement, results[before.length + i] ?? []))
    },
  }
}

/** Sends one job by itself, to the database of what it is about. */
export async function sendTo(
  { cluster, payloads }: Pick<Services, 'cluster' | 'payloads'>,
  databases: Pick<AppDatabases, 'sent'>,
  job: RegisteredJob,
  input: unknown,
  options: SendOptions,
): Promise<SentJob> {
  const session = cluster.open({ reads: false, seen: new Map() })
  const { of } = options
  const name = of === undefined ? cluster.primary : await cluster.ownerOf(String(of), session)
  const made = await makeJob(job, input, options, name, payloads)
  const [rows = []] = await session.on(name, insertJobs([made]))
  const id = rows[0]?.id as string
  if (id !== made.id && made.payload === null) await payloads.remove([made.id])
  databases.sent(name)
  return { id, isDuplicate: id !== made.id }
}

/** Checks a job's input, and makes its row; a large payload is stored at once. */
export async function makeJob(
  job: RegisteredJob,
  input: unknown,
  options: SendOptions,
  database: string,
  payloads: Services['payloads'],
  now = Date.now(),
): Promise<NewJob> {
  const {
    delaySeconds = 0,
    deduplicationKey,
    deduplicateUntil = 'finished',
    orderingKey,
    queue,
    of,
  } = options
  if (!(delaySeconds >= 0 && Number.isFinite(delaySeconds))) {
    throw errors.invalidSend(`delaySeconds is a number of at least 0, not ${String(delaySeconds)}`)
  }
  if (delaySeconds > 0 && orderingKey !== undefined) {
    throw errors.invalidSend(
      'A job with an orderingKey cannot have delaySeconds: others would wait behind it.',
    )
  }
  // What arrives is JSON, so that is what is checked.
  const payload = JSON.stringify(input) ?? 'null'
  const checked = await job.input.safeParseAsync(JSON.parse(payload))
  if (!checked.success) throw errors.invalidJobInput(job.name, checked.error.issues)
  const id = `${database}.${makeUlid(now)}`
  return {
    id,
    name: job.name,
    queue: queue ?? job.queue,
    payload: await payloads.put(id, payload),
    value: of === undefined ? null : String(of),
    lane: orderingKey ?? null,
    key: deduplicationKey ?? null,
    key_until: deduplicationKey === undefined ? null : deduplicateUntil,
    due: Math.round(now + delaySeconds * 1000),
    created: now,
    deadline: job.deadlineMs === null ? null : now + job.deadlineMs,
  }
}

/** @throws AtollError for a name that the app's manifest lacks */
export function knownJob({ byName }: JobRegistry, name: string): RegisteredJob {
  const job = byName.get(name)
  if (!job) throw errors.unknownJob(name)
  return job
}

/** Where what a job is about lies. */
export function siteOfValue(value: string | null) {
  return value === null
    ? ({ kind: 'primary' } as const)
    : ({ kind: 'slots', slots: [slotOf(value)] } as const)
}
