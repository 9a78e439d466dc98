/**
 * The app's jobs and webhooks, read once: what is known of a job by its name, what changes start, and what schedules do.
 * @module
 */
import { Cron } from 'croner'
import { z } from 'zod'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { CoreServices } from '../core/context.ts'
import type { DatabasesServices } from '../databases/area.ts'
import {
  type AnyJob,
  type ChangeFilter,
  defaultRetry,
  type JobContext,
  type RetryPolicy,
} from './define-job.ts'

/** What jobs of the engine's own work with. */
export type EngineServices = Pick<CoreServices, 'setting' | 'files' | 'relay' | 'hub'> &
  Pick<DatabasesServices, 'cluster'>

/** A job of the app, or one of the engine's own. */
export interface EngineJob extends Omit<AnyJob, 'run'> {
  // biome-ignore lint/suspicious/noExplicitAny: what a job is given depends on what it declares
  run(context: JobContext<any>, services: EngineServices): Promise<unknown>
}

/** A job with its defaults. */
export interface RegisteredJob {
  readonly name: string
  readonly input: z.ZodType
  readonly queue: string
  readonly retry: RetryPolicy
  readonly timeoutMs: number
  readonly deadlineMs: number | null
  /** How many may be under way; null: any number. */
  readonly concurrency: number | null
  readonly run: EngineJob['run']
}

/** A job that changes of a table start. */
export interface Subscription {
  readonly job: RegisteredJob
  /** A change that passes one of them starts it, once. */
  readonly filters: readonly ChangeFilter[]
}

export interface Schedule {
  readonly job: RegisteredJob
  readonly cron: string
  readonly timeZone: string
  /** The next time after one, in milliseconds since 1970; null when there is none. */
  nextAfter(ms: number): number | null
}

export interface JobRegistry {
  readonly byName: ReadonlyMap<string, RegisteredJob>
  /** By the name of the table. */
  readonly subscriptions: ReadonlyMap<string, readonly Subscription[]>
  readonly schedules: readonly Schedule[]
}

/** Schemas of what changes and schedules start jobs with. */
const rowChange = z.object({
  table: z.string(),
  operation: z.enum(['insert', 'update', 'delete']),
  key: z.record(z.string(), z.unknown()),
  value: z.string().nullable(),
  columns: z.array(z.string()).nullable(),
  old: z.record(z.string(), z.unknown()).nullable(),
  new: z.record(z.string(), z.unknown()).nullable(),
  at: z.string(),
  database: z.string(),
  sequence: z.number(),
})
const scheduledRun = z.object({ scheduledFor: z.string() })

const nameForm = /^[a-z][a-z0-9_.:-]{0,63}$/i
const queueForm = /^[a-z][a-z0-9-]{0,40}$/
const maxTimeoutSeconds = 900

/** What is wrong with an app's jobs; the app is not served. */
export class JobsError extends Error {
  override readonly name = 'JobsError'

  constructor(problems: readonly string[]) {
    super(`These jobs cannot be run:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
  }
}

/** @throws JobsError that lists all that is wrong */
export function createJobRegistry(jobs: readonly EngineJob[], catalog: Catalog): JobRegistry {
  const problems: string[] = []
  const byName = new Map<string, RegisteredJob>()
  const subscriptions = new Map<string, Subscription[]>()
  const schedules: Schedule[] = []
  for (const job of jobs) {
    problems.push(...problemsOf(job, catalog).map((problem) => `job ${job.name}: ${problem}`))
    if (byName.has(job.name)) problems.push(`job ${job.name}: there are two of this name`)
    const registered = register(job)
    byName.set(job.name, registered)
    for (const [table, filters] of Map.groupBy(filtersOf(job), (filter) => filter.table)) {
      subscriptions.set(table, [...(subscriptions.get(table) ?? []), { job: registered, filters }])
    }
    if (job.cron !== undefined && isPattern(job.cron, job.timeZone ?? 'UTC')) {
      schedules.push(scheduleOf(registered, job.cron, job.timeZone ?? 'UTC'))
    }
  }
  if (problems.length > 0) throw new JobsError(problems)
  return { byName, subscriptions, schedules }
}

function filtersOf({ on }: EngineJob): readonly ChangeFilter[] {
  return on === undefined ? [] : Array.isArray(on) ? on : [on as ChangeFilter]
}

function register(job: EngineJob): RegisteredJob {
  const { name, queue = 'default', retry, timeoutSeconds = 60, deadlineSeconds, concurrency } = job
  return {
    name,
    input: job.input ?? (job.cron === undefined ? rowChange : scheduledRun),
    queue,
    retry: { ...defaultRetry, ...retry },
    timeoutMs: timeoutSeconds * 1000,
    deadlineMs: deadlineSeconds === undefined ? null : deadlineSeconds * 1000,
    concurrency: concurrency ?? null,
    run: job.run,
  }
}

function problemsOf(job: EngineJob, catalog: Catalog): string[] {
  const problems: string[] = []
  const retry = { ...defaultRetry, ...job.retry }
  if (!nameForm.test(job.name)) problems.push('a name is a letter, then letters, digits, - _ . or :')
  if (!queueForm.test(job.queue ?? 'default')) problems.push(`"${job.queue}" is no name of a queue`)
  const begins = [job.input, job.on, job.cron].filter((one) => one !== undefined).length
  if (begins !== 1) problems.push('it has one of input, on and cron')
  if (!Number.isInteger(retry.maxAttempts) || retry.maxAttempts < 1) {
    problems.push('maxAttempts is a whole number of at least 1')
  }
  for (const option of ['minDelaySeconds', 'maxDelaySeconds'] as const) {
    if (!(retry[option] >= 0)) problems.push(`${option} is a number of at least 0`)
  }
  if (!(retry.factor >= 1)) problems.push('factor is a number of at least 1')
  const { timeoutSeconds = 60, deadlineSeconds = 1, concurrency = 1 } = job
  if (!(timeoutSeconds > 0 && timeoutSeconds <= maxTimeoutSeconds)) {
    problems.push(`timeoutSeconds is more than 0 and at most ${maxTimeoutSeconds}`)
  }
  if (!(deadlineSeconds > 0)) problems.push('deadlineSeconds is more than 0')
  if (!Number.isInteger(concurrency) || concurrency < 1) problems.push('concurrency is at least 1')
  if (job.cron !== undefined && !isPattern(job.cron, job.timeZone ?? 'UTC')) {
    problems.push(`"${job.cron}" in the time zone ${job.timeZone ?? 'UTC'} is no schedule`)
  }
  for (const { table, operations, columns } of filtersOf(job)) {
    const known = catalog.tables.get(table)
    if (known?.kind !== 'table') problems.push(`db/app/tables.ts serves no table ${table}`)
    if (operations.length === 0) problems.push(`no operation of ${table} starts it`)
    for (const column of columns ?? []) {
      if (known && !known.columns.has(column)) problems.push(`${table} has no column ${column}`)
    }
  }
  return problems
}

function isPattern(cron: string, timeZone: string): boolean {
  try {
    return new Cron(cron, { timezone: timeZone, paused: true }).nextRun() !== undefined
  } catch {
    return false
  }
}

function scheduleOf(job: RegisteredJob, cron: string, timeZone: string): Schedule {
  const pattern = new Cron(cron, { timezone: timeZone, paused: true })
  return { job, cron, timeZone, nextAfter: (ms) => pattern.nextRun(new Date(ms))?.getTime() ?? null }
}
