/**
 * What an app declares of its jobs.
 * @module
 */
import type { BatchItem } from 'drizzle-orm/batch'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { z } from 'zod'
import type { AppEnv } from '../core/app-env.ts'
import type { ChannelSender, ServiceApi, Shards } from '../own-code/area.ts'

export type ChangeOperation = 'insert' | 'update' | 'delete'

/** A committed change of a row, as jobs and webhooks are given it. */
export interface RowChange {
  readonly table: string
  readonly operation: ChangeOperation
  /** The row's primary key by column. An integer beyond 2^53 is text. */
  readonly key: Readonly<Record<string, unknown>>
  /** The row's distribution value as text; null when its table is not distributed. */
  readonly value: string | null
  /** Columns that an update changed; null for other operations. */
  readonly columns: readonly string[] | null
  /** The row before and after, as the data API shows it; null unless its table has `logValues`, and for rows over 300 KB. */
  readonly old: Readonly<Record<string, unknown>> | null
  readonly new: Readonly<Record<string, unknown>> | null
  /** When it was written, ISO 8601. */
  readonly at: string
  /** Where it stands in the change log: these two name it. */
  readonly database: string
  readonly sequence: number
}

/** Changes that start something. */
export interface ChangeFilter {
  /** Name of the table in SQL. */
  readonly table: string
  readonly operations: readonly ChangeOperation[]
  /** Of updates, those that changed one of these columns. Default all. */
  readonly columns?: readonly string[]
  /** Which of them. Asked when the change is picked up; if it throws, the change lies among the dead letters. Default all. */
  readonly when?: (change: RowChange) => boolean
}

/**
 * Changes of a table's rows, whoever writes them.
 *
 * @example changes('invoices', 'insert')
 * @example changes('customers', ['update'], { columns: ['email'] })
 */
export function changes(
  table: string,
  operations: ChangeOperation | readonly ChangeOperation[],
  options: Pick<ChangeFilter, 'columns' | 'when'> = {},
): ChangeFilter {
  return { table, operations: typeof operations === 'string' ? [operations] : operations, ...options }
}

export interface RetryPolicy {
  /** How often it is tried before it is given up. Default 8. */
  readonly maxAttempts: number
  /** Delay after the first failure. Default 2. Delays vary at random between half of themselves and all. */
  readonly minDelaySeconds: number
  /** Default 3600. */
  readonly maxDelaySeconds: number
  /** What a delay is multiplied by from one failure to the next. Default 4. */
  readonly factor: number
}

export const defaultRetry: RetryPolicy = {
  maxAttempts: 8,
  minDelaySeconds: 2,
  maxDelaySeconds: 3600,
  factor: 4,
}

/** What `once` may be told. */
export interface OnceOptions {
  /** Name of the effect, when a job has several. Default: the number of the call in this run. */
  readonly name?: string
  /** The distribution value of the rows that it writes; null: they lie in `DB`. Default: what the job is about. */
  readonly of?: string | number | null
  /** Jobs that are sent if the effect happens, in the same transaction. */
  readonly send?: readonly Sending[]
}

/** What a job is given. */
export interface JobContext<Input> {
  readonly input: Input
  /** The same each time that the job is tried: an idempotency key for those that it talks to. */
  readonly id: string
  readonly name: string
  /** 1 for the first. */
  readonly attempt: number
  /** Aborted when the job is cancelled, takes longer than its time, or another Worker has taken it over. */
  readonly signal: AbortSignal
  /** The primary database: reference and local tables. */
  readonly database: DrizzleD1Database
  /** The databases that hold distributed rows. */
  readonly shards: Shards
  /** The database of what the job is about: the shard of the changed row, or of what it was sent with; else the primary one. */
  readonly home: DrizzleD1Database
  readonly jobs: Jobs
  /** The data API from inside, with all rights: a job has no caller. */
  readonly api: ServiceApi
  /** Sends messages to channels; in a try that is repeated, again. */
  readonly realtime: ChannelSender
  readonly env: AppEnv
  /**
   * Commits statements together with a note that they are done, in one transaction on one database: however often the job is
   * tried, they take effect once.
   *
   * @returns false when they had been committed before
   */
  once(statements: readonly BatchItem<'sqlite'>[], options?: OnceOptions): Promise<boolean>
  /**
   * Does a part of the work and remembers its result, JSON, so that a later try goes on behind it.
   *
   * @example const page = await step('page 1', () => fetchPage(1))
   */
  step<Result>(name: string, work: () => Promise<Result>): Promise<Result>
  /** Says how far it is, for `/jobs/v1`. Throws when the job has been cancelled. */
  progress(percent: number, note?: string): Promise<void>
}

interface JobOptions {
  /** What it is called in `/jobs/v1`; must stay the same as long as there are jobs of it. */
  readonly name: string
  /** Name of the queue that carries it: `default`, or `high` for the binding `QUEUE_HIGH`. */
  readonly queue?: string
  readonly retry?: Partial<RetryPolicy>
  /** Longest time of one try. Default 60, at most 900 (Cloudflare ends consumers after that). */
  readonly timeoutSeconds?: number
  /** How long after it was sent it is given up, however few tries it had. Default never. */
  readonly deadlineSeconds?: number
  /** How many of its name may be under way at the same time, over all databases and Workers. Default any number. */
  readonly concurrency?: number
}

/** A job that is sent. */
export interface SentJobDefinition<Input extends z.ZodType> extends JobOptions {
  readonly input: Input
  run(context: JobContext<z.output<Input>>): Promise<unknown>
}

/** A job that changes of rows start; those of one row run in the order of its changes. */
export interface ChangeJobDefinition extends JobOptions {
  readonly on: ChangeFilter | readonly ChangeFilter[]
  run(context: JobContext<RowChange>): Promise<unknown>
}

/** What a schedule starts a job with. */
export interface ScheduledRun {
  /** When it was due, ISO 8601. Of runs that were missed, the last. */
  readonly scheduledFor: string
}

/** A job that a schedule starts. */
export interface CronJobDefinition extends JobOptions {
  /** Five fields, or six with seconds first: https://croner.56k.guru/usage/pattern/ */
  readonly cron: string
  /** IANA name. Default `UTC`. */
  readonly timeZone?: string
  run(context: JobContext<ScheduledRun>): Promise<unknown>
}

/** A job as the manifest holds it; `Input` is what it is sent with. */
export interface Job<Input = never> extends JobOptions {
  readonly input?: z.ZodType<unknown, Input>
  readonly on?: ChangeFilter | readonly ChangeFilter[]
  readonly cron?: string
  readonly timeZone?: string
  run(context: JobContext<never>): Promise<unknown>
}

/** A job whose input is no longer known. */
export type AnyJob = Omit<Job, 'input'> & { readonly input?: z.ZodType }

/** The jobs of `functions/app/jobs/`. */
export type JobManifest = readonly AnyJob[]

/**
 * Work that happens later: at least once, and again until it succeeds or is given up.
 *
 * @example
 * export default defineJob({
 *   name: 'greet',
 *   input: z.object({ customerId: z.int() }),
 *   retry: { maxAttempts: 5 },
 *   run: async ({ input, shards, once }) => { … },
 * })
 */
export function defineJob<Input extends z.ZodType>(definition: SentJobDefinition<Input>): Job<z.input<Input>>
export function defineJob(definition: ChangeJobDefinition): Job<RowChange>
export function defineJob(definition: CronJobDefinition): Job<ScheduledRun>
export function defineJob(
  definition: SentJobDefinition<z.ZodType> | ChangeJobDefinition | CronJobDefinition,
): AnyJob {
  return definition as AnyJob
}

/** A failure that no other try would mend: the job is given up at once. */
export class GiveUp extends Error {
  override readonly name = 'GiveUp'
}

/**
 * Throw it in a job whose failure is for good.
 *
 * @example throw giveUp('the customer is gone')
 */
export function giveUp(message: string, cause?: unknown): GiveUp {
  return new GiveUp(message, { cause })
}

/** A failure after which the next try has its time. */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter'
  readonly seconds: number

  constructor(seconds: number, message: string) {
    super(message)
    this.seconds = seconds
  }
}

/**
 * Throw it in a job that knows when it is worth another try. It counts as one.
 *
 * @example throw retryAfter(30, 'the mail server is full')
 */
export function retryAfter(seconds: number, message = `again in ${seconds} seconds`): RetryAfter {
  return new RetryAfter(seconds, message)
}

export interface SendOptions {
  /** How long it waits before its first try. Default 0. */
  readonly delaySeconds?: number
  /**
   * While a job of this name has the same key, another one is not put in. Keys count within a database: that of `of`, or of the
   * write that it is sent with.
   */
  readonly deduplicationKey?: string
  /** When it gives its key up: `started`, so that what comes later is not missed, or `finished`. Default `finished`. */
  readonly deduplicateUntil?: 'started' | 'finished'
  /** Jobs of one name with the same key run one after the other, in the order in which they were sent. */
  readonly orderingKey?: string
  /** Name of the queue that carries it. Default: the job's. */
  readonly queue?: string
  /** The distribution value of what it is about: it lies beside those rows. Default: it lies in `DB`. */
  readonly of?: string | number
}

/** A job and what it is sent with. */
export interface Sending {
  readonly job: Job<never>
  readonly input: unknown
  readonly options: SendOptions
}

/**
 * A job to send with a write.
 *
 * @example await jobs.sendWith(database, [database.insert(notes).values(note)], [sending(index, { id: note.id })])
 */
export function sending<Input>(job: Job<Input>, input: Input, options: SendOptions = {}): Sending {
  return { job: job as Job<never>, input, options }
}

export interface SentJob {
  /** Its own, or that of the job that has its deduplication key. */
  readonly id: string
  /** Whether another job had the key. */
  readonly isDuplicate: boolean
}

/** Sends the app's jobs. */
export interface Jobs {
  /**
   * Sends a job: when this is done, it is committed.
   *
   * @throws AtollError `JOB002` for an input that its schema refuses
   */
  send<Input>(job: Job<Input>, input: Input, options?: SendOptions): Promise<SentJob>
  /**
   * Commits Drizzle statements and jobs in one transaction: both, or neither.
   *
   * @param database where: `database`, or one of `shards`
   * @returns what the statements answered
   */
  sendWith(
    database: DrizzleD1Database,
    statements: readonly BatchItem<'sqlite'>[],
    sendings: readonly Sending[],
  ): Promise<readonly unknown[]>
}
