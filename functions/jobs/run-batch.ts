/**
 * What takes jobs from a queue and runs them. A message only names a job: its row in the database says whether it is to be run,
 * so messages may come twice, late, or in any order.
 * @module
 */
import type { BoundStatement } from '../../db/cluster/cluster.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { makeUlid } from '../../db/cluster/slots.ts'
import { type Env, type Services, servicesFor } from '../context.ts'
import { type App, type Engine, engineOf } from '../engine.ts'
import { emit } from '../events.ts'
import { Batcher } from './batcher.ts'
import { defaultRetry, GiveUp, RetryAfter } from './define-job.ts'
import { Cancelled, openRun, type Run, TakenOver } from './job-context.ts'
import type { RegisteredJob } from './job-registry.ts'
import { type ClaimedJob, claim, claimedJobOf, finish, giveUpOn, prolong, tryAgain } from './job-rows.ts'
import { retryDelayMs } from './retry-delay.ts'

/** A message on a queue. */
export interface JobMessage {
  /** The job's id, which begins with the name of its database. */
  readonly id: string
}

/** How soon a message comes again whose database could not be asked, in seconds. */
const againSeconds = 5

/** Longest text of an error that is kept. */
const maxErrorLength = 4000

type Message = Pick<globalThis.Message<JobMessage>, 'body' | 'ack' | 'retry'>
type Later = (work: Promise<unknown>) => void

/** The Worker's `queue` handler, for an app. */
export function createQueueHandler(app: App) {
  const engine = engineOf(app)
  const servicesOf = servicesFor(engine)
  return async (batch: { readonly messages: readonly Message[] }, env: Env, context: ExecutionContext) =>
    runBatch(batch.messages, engine, servicesOf(env), (work) => context.waitUntil(work))
}

export async function runBatch(
  messages: readonly Message[],
  engine: Engine,
  services: Services,
  later: Later,
): Promise<void> {
  const byDatabase = Map.groupBy(messages, ({ body }) => databaseOf(body.id))
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

/** Runs the jobs of one database: each by itself, so that none holds up the others. */
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
  const ids = [...new Set(messages.map(({ body }) => body.id))]
  let results: Awaited<ReturnType<ClusterSession['on']>>
  try {
    results = await session.on(database, claim(ids, token, Date.now(), leaseMs))
  } catch (error) {
    emit({ kind: 'jobs-not-claimed', database, error })
    for (const message of messages) message.retry({ delaySeconds: againSeconds })
    return
  }
  const jobs = new Map((results[0] ?? []).map((row) => [row.id as string, claimedJobOf(row)]))
  const ends = new Batcher<BoundStatement>((statements) => session.on(database, statements))
  const under = new Map<string, Run>()
  const beat = setInterval(
    () => void prolongLeases(under, token, leaseMs, session, database).catch(() => undefined),
    leaseMs / 3,
  )
  const work = { engine, services, session, database, token, leaseMs, later, ends, under }
  try {
    await Promise.all(
      messages.map(async (message) => {
        const job = jobs.get(message.body.id)
        // It is done, somebody runs it, or its time has not come; or it came twice in this very batch.
        if (!job || !jobs.delete(job.id)) return message.ack()
        const steps = new Map(
          (results[1] ?? []).flatMap(({ job: of, step, result }) =>
            of === job.id ? [[step as string, result as string] as const] : [],
          ),
        )
        try {
          await runJob(job, steps, work)
          message.ack()
        } catch (error) {
          // Its end could not be noted: once its lease is over, it is run again.
          emit({ kind: 'job-not-ended', id: job.id, name: job.name, error })
          message.retry({ delaySeconds: againSeconds })
        }
      }),
    )
  } finally {
    clearInterval(beat)
  }
}

interface Work {
  readonly engine: Engine
  readonly services: Services
  readonly session: ClusterSession
  readonly database: string
  readonly token: string
  readonly leaseMs: number
  readonly later: Later
  readonly ends: Batcher<BoundStatement>
  /** Runs that are under way, by their jobs' ids. */
  readonly under: Map<string, Run>
}

/** How a try ended, and what is to be noted of it. */
interface End {
  readonly statements: readonly BoundStatement[]
  /** When the job is due again; null: not by its own doing. */
  readonly due: number | null
}

async function runJob(job: ClaimedJob, steps: ReadonlyMap<string, string>, work: Work): Promise<void> {
  const registered = work.services.registry.byName.get(job.name) ?? null
  let run: Run | null = null
  let failure: unknown = null
  try {
    checkClaim(job, registered)
    const payload = JSON.parse(await work.services.payloads.get(job.id, job.payload))
    const input = await registered.input.safeParseAsync(payload)
    if (!input.success) throw new GiveUp(`its input is not what it takes: ${input.error.message}`)
    run = await openRun({ ...work, job, input: input.data, steps }, work.engine, work.services)
    work.under.set(job.id, run)
    await withinTime(registered, run, work.services)
  } catch (error) {
    failure = error ?? new Error('the job threw nothing')
  }
  // What it has written is carried on, whether it failed or not.
  await run?.databases.settle()
  const end = endOf(job, registered, failure, [...(run?.places ?? [])], work)
  await work.ends.add(end.statements)
  work.under.delete(job.id)
  if (registered?.concurrency != null && !(failure instanceof TakenOver)) {
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
  const delay = failure instanceof RetryAfter ? failure.seconds * 1000 : retryDelayMs(policy, job.attempts)
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
  if (isLast) return { statements: giveUpOn(job.id, token, now, error), due: null }
  return { statements: [tryAgain(job.id, token, Math.round(now + delay), error)], due: now + delay }
}

function describe(failure: unknown): string {
  const text = failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure)
  return text.slice(0, maxErrorLength)
}

/** Prolongs the leases of what is under way, and ends what was cancelled or belongs to another Worker by now. */
async function prolongLeases(
  under: ReadonlyMap<string, Run>,
  token: string,
  leaseMs: number,
  session: ClusterSession,
  database: string,
): Promise<void> {
  const asked = [...under]
  if (asked.length === 0) return
  const ids = asked.map(([id]) => id)
  const [rows = []] = await session.on(database, [prolong(ids, token, Date.now() + leaseMs)])
  const cancelled = new Map(rows.map(({ id, cancel }) => [id as string, cancel === 1]))
  for (const [id, { abort }] of asked) {
    const isCancelled = cancelled.get(id)
    if (isCancelled === undefined && under.has(id)) abort.abort(new TakenOver())
    else if (isCancelled) abort.abort(new Cancelled())
  }
}
