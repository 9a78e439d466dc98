/**
 * What takes jobs from a queue and runs them. A message only names a job: its row in the database says whether it is to be run,
 * so messages may come twice, late, or in any order.
 * @module
 */

import type { ClusterSession } from '../../db/cluster/session.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { Batcher } from './batcher.ts'
import { defaultRetry, GiveUp, RetryAfter } from './define-job.ts'
import { emit } from './events.ts'
import { Cancelled, openRun, type Run, TakenOver } from './job-context.ts'
import type { RegisteredJob } from './job-registry.ts'
import {
  type ClaimedJob,
  claim,
  claimedJobOf,
  finish,
  giveUpOn,
  lapsedOf,
  prolong,
  tryAgain,
} from './job-rows.ts'
import { retryDelayMs } from './retry-delay.ts'
import type { Engine, JobMessage, Services } from './services.ts'

/** How soon a message comes again whose database could not be asked, in seconds. */
const againSeconds = 5

/** Longest text of an error that is kept. */
const maxErrorLength = 4000

type Message = Pick<globalThis.Message<JobMessage>, 'body' | 'ack' | 'retry'>
type Later = (work: Promise<unknown>) => void

/** Runs the jobs of a batch that a queue has handed over. */
export async function runBatch(
  messages: readonly Message[],
  engine: Engine,
  services: Services,
  later: Later,
): Promise<void> {
  const byDatabase = Map.groupBy(messages, ({ body }) => body.database ?? databaseOf(body.id))
  await Promise.all(
    [...byDatabase].map(async ([database, own]) => {
      // A database that was taken away took its jobs along.
      if (!services.bindings.has(database)) for (const message of own) message.ack()
      else await runOf(database, own, engine, services, later)
    }),
  )
}

export function databaseOf(id: string): string {
  return id.slice(0, Math.max(0, id.indexOf('.')))
}

/**
 * Runs the jobs of one database: each by itself, so that none holds up the others. Those under which a Worker fell silent before
 * come last and one at a time: if another one dies of them, it takes no others along.
 */
async function runOf(
  database: string,
  messages: readonly Message[],
  engine: Engine,
  services: Services,
  later: Later,
): Promise<void> {
  const session = services.cluster.open({ reads: false, seen: new Map() })
  const token = makeUlid()
  const leaseMs = engine.config.jobLeaseSeconds * 1000
  const ends = new Batcher<BoundStatement, readonly Row[]>((statements) => session.on(database, statements))
  const under = new Map<string, Run>()
  const work: Work = { engine, services, session, database, token, leaseMs, later, ends, under }
  const beat = setInterval(() => void prolongLeases(work).catch(() => undefined), leaseMs / 3)
  try {
    const lapsed = await runClaimed(messages, work, false)
    for (const message of lapsed) await runClaimed([message], work, true)
  } finally {
    clearInterval(beat)
  }
}

/** @returns messages of jobs that are to run alone; of others that could not be claimed, it is done, or somebody runs it */
async function runClaimed(messages: readonly Message[], work: Work, alone: boolean): Promise<Message[]> {
  const { services, session, database, token, leaseMs } = work
  const ids = [...new Set(messages.map(({ body }) => body.id))]
  const jobs = new Map<string, ClaimedJob>()
  const lapsed = new Set<string>()
  try {
    const limited = [...services.registry.byName.values()].flatMap(({ name, concurrency }) =>
      concurrency === null ? [] : [name],
    )
    // Queues that are behind are full of messages that came twice: they must not cost a statement each.
    const [rows = [], others = []] = await session.on(database, [
      claim(ids, token, Date.now(), leaseMs, { limited, alone }),
      ...(alone ? [] : [lapsedOf(ids)]),
    ])
    for (const row of rows) jobs.set(row.id as string, claimedJobOf(row))
    for (const row of others) lapsed.add(row.id as string)
  } catch (error) {
    emit({ kind: 'jobs-not-claimed', database, error })
    for (const message of messages) message.retry({ delaySeconds: againSeconds })
    return []
  }
  const left: Message[] = []
  await Promise.all(
    messages.map(async (message) => {
      const job = jobs.get(message.body.id)
      if (!job || !jobs.delete(job.id)) {
        if (!job && lapsed.has(message.body.id)) left.push(message)
        else message.ack()
        return
      }
      try {
        await runJob(job, work)
        message.ack()
      } catch (error) {
        // Its end could not be noted: once its lease is over, it is run again.
        emit({ kind: 'job-not-ended', id: job.id, name: job.name, error })
        message.retry({ delaySeconds: againSeconds })
      }
    }),
  )
  return left
}

interface Work {
  readonly engine: Engine
  readonly services: Services
  readonly session: ClusterSession
  readonly database: string
  readonly token: string
  readonly leaseMs: number
  readonly later: Later
  readonly ends: Batcher<BoundStatement, readonly Row[]>
  /** Runs that are under way, by their jobs' ids. */
  readonly under: Map<string, Run>
}

/** How a try ended, and what is to be noted of it. */
interface End {
  readonly statements: readonly BoundStatement[]
  /** When the job is due again; null: not by its own doing. */
  readonly due: number | null
}

async function runJob(job: ClaimedJob, work: Work): Promise<void> {
  const registered = work.services.registry.byName.get(job.name) ?? null
  let run: Run | null = null
  let failure: unknown = null
  const start = performance.now()
  try {
    checkClaim(job, registered)
    const payload = JSON.parse(await work.services.payloads.get(job.id, job.payload))
    const input = await registered.input.safeParseAsync(payload)
    if (!input.success) throw new GiveUp(`its input is not what it takes: ${input.error.message}`)
    run = await openRun({ ...work, job, input: input.data }, work.engine, work.services)
    work.under.set(job.id, run)
    await withinTime(registered, run, work.services)
  } catch (error) {
    failure = error ?? new Error('the job threw nothing')
  }
  // What it has written is carried on, whether it failed or not. Nobody waits for its answer, and it must not run again for a cache's sake.
  await run?.databases.settle().catch(() => undefined)
  const end = endOf(job, registered, failure, [...(run?.places ?? [])], work)
  const { meter } = work.services
  const outcome = failure === null ? 'done' : end.due === null ? 'ended' : 'failed'
  meter.count('jobs', { name: registered === null ? 'unknown' : job.name, outcome })
  meter.time('job_seconds', { name: registered === null ? 'unknown' : job.name }, performance.now() - start)
  const noted = await work.ends.add(end.statements)
  work.under.delete(job.id)
  // Of a job that is another Worker's by now, the place is that one's.
  if (registered?.concurrency != null && (noted.at(-1)?.length ?? 0) > 0) {
    work.later(Promise.resolve(work.services.jobLimit?.(job.name).release([job.id])).catch(() => undefined))
  }
  // Whoever waits behind it in its lane may go now.
  const next = end.due ?? (job.hasLane ? Date.now() : null)
  const { relay } = work.services
  if (relay && next !== null) {
    work.later(relay.carry(work.database, Math.max(0, next - Date.now())).catch(() => undefined))
  }
}

/** @throws what ends a job before it is run */
function checkClaim(job: ClaimedJob, registered: RegisteredJob | null): asserts registered is RegisteredJob {
  if (job.cancelled) throw new Cancelled()
  const { maxAttempts } = registered?.retry ?? defaultRetry
  if (job.attempts > maxAttempts) {
    throw new GiveUp(job.error ?? 'no try came to an end: the Worker may have died of it')
  }
  if (isLate(job)) throw new GiveUp(job.error ?? 'its deadline is over')
  // A Worker of another version may know it.
  if (!registered) throw new Error(`there is no job ${job.name}`)
}

function isLate({ deadline }: ClaimedJob): boolean {
  return deadline !== null && deadline <= Date.now()
}

async function withinTime(
  { run, timeoutMs }: RegisteredJob,
  { context, abort }: Run,
  services: Services,
): Promise<void> {
  const timer = setTimeout(
    () => abort.abort(new Error(`the job took longer than ${timeoutMs / 1000} seconds`)),
    timeoutMs,
  )
  const aborted = new Promise<never>((_, fail) => {
    abort.signal.addEventListener('abort', () => fail(abort.signal.reason), { once: true })
  })
  try {
    await Promise.race([run(context, services), aborted])
  } finally {
    clearTimeout(timer)
  }
}

function endOf(
  job: ClaimedJob,
  registered: RegisteredJob | null,
  failure: unknown,
  places: readonly string[],
  { token }: Work,
): End {
  const now = Date.now()
  const none = { statements: [], due: null }
  if (failure === null) return { statements: [finish(job.id, token, 'done', now, places)], due: null }
  if (failure instanceof TakenOver) return none
  if (failure instanceof Cancelled) {
    return { statements: [finish(job.id, token, 'cancelled', now, places)], due: null }
  }
  const policy = registered?.retry ?? defaultRetry
  const delay = failure instanceof RetryAfter ? waitOf(failure) : retryDelayMs(policy, job.attempts)
  const error = describe(failure)
  const isLast =
    failure instanceof GiveUp ||
    job.attempts >= policy.maxAttempts ||
    (job.deadline !== null && now + delay >= job.deadline)
  emit({
    kind: isLast ? 'job-dead' : 'job-failed',
    id: job.id,
    name: job.name,
    attempt: job.attempts,
    error: failure,
  })
  if (isLast) return { statements: giveUpOn(job.id, token, now, error, places), due: null }
  return { statements: [tryAgain(job.id, token, Math.round(now + delay), error)], due: now + delay }
}

const longestWaitMs = 366 * 86_400_000

/** What a job asks for may be anything. */
function waitOf({ seconds }: RetryAfter): number {
  return seconds >= 0 ? Math.min(seconds * 1000, longestWaitMs) : 0
}

function describe(failure: unknown): string {
  const text = failure instanceof Error ? `${failure.name}: ${failure.message}` : textOf(failure)
  return text.slice(0, maxErrorLength)
}

function textOf(failure: unknown): string {
  try {
    return String(failure)
  } catch {
    return 'something was thrown that is no text'
  }
}

/** Prolongs the leases of what is under way, and ends what was cancelled or belongs to another Worker by now. */
async function prolongLeases({ under, token, leaseMs, session, database, services }: Work): Promise<void> {
  const asked = [...under]
  if (asked.length === 0) return
  const ids = asked.map(([id]) => id)
  const [rows = []] = await session.on(database, [prolong(ids, token, Date.now() + leaseMs)])
  const cancelled = new Map(rows.map(({ id, cancel }) => [id as string, cancel === 1]))
  for (const [id, { abort, context }] of asked) {
    const isCancelled = cancelled.get(id)
    if (isCancelled === undefined && under.has(id)) abort.abort(new TakenOver())
    else if (isCancelled) abort.abort(new Cancelled())
    const isLimited = services.registry.byName.get(context.name)?.concurrency != null
    if (isCancelled === false && isLimited) await services.jobLimit?.(context.name).renew([id], leaseMs * 2)
  }
}
