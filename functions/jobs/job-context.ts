/**
 * What a job is given while it runs, and the ways in which it ends early.
 * @module
 */
import type { BatchItem } from 'drizzle-orm/batch'
import type { Catalog } from '../../db/catalog/catalog.ts'
import { withCopies } from '../../db/cluster/bring-up-copies.ts'
import { StillReferredError, whileRetired } from '../../db/cluster/retire.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { ConstraintError, UnretiredError } from '../../db/errors/constraint-error.ts'
import type { Part } from '../../db/slots/parts.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import {
  type AppDatabases,
  createChannelSender,
  nameViolation,
  openAppDatabases,
  openServiceApi,
} from '../own-code/area.ts'
import type { JobContext, OnceOptions } from './define-job.ts'
import { boundStatementOf } from './drizzle-statement.ts'
import { type ClaimedJob, insertJobs, markEffect, noteProgress, noteStep, stepsOf } from './job-rows.ts'
import { createJobs, knownJob, makeJob, siteOfValue } from './send-jobs.ts'
import type { Engine, Services } from './services.ts'

/** Somebody has cancelled the job. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled'

  constructor() {
    super('the job has been cancelled')
  }
}

/** Another Worker runs the job by now; what this one has to say of it no longer counts. */
export class TakenOver extends Error {
  override readonly name = 'TakenOver'

  constructor() {
    super('the job was taken over by another Worker')
  }
}

/** One try of a job. */
export interface Run {
  readonly context: JobContext<unknown>
  readonly databases: AppDatabases
  /** Databases other than the job's own where it has left marks of effects. */
  readonly places: ReadonlySet<string>
  readonly abort: AbortController
}

export interface RunTerms {
  readonly job: ClaimedJob
  readonly input: unknown
  /** The database that has the job. */
  readonly database: string
  readonly token: string
  readonly leaseMs: number
  readonly later: (work: Promise<unknown>) => void
}

export async function openRun(terms: RunTerms, engine: Engine, services: Services): Promise<Run> {
  const { job, token } = terms
  const { catalog } = engine
  const databases = openAppDatabases(services, catalog, terms.later)
  const session = services.cluster.open({ reads: false, seen: new Map() })
  const abort = new AbortController()
  const places = new Set<string>()
  const steps = await readSteps(job, terms.database, session)
  const until = () => Date.now() + terms.leaseMs
  let effects = 0

  /** What the job's row answered to who has the token: whether to go on. */
  const goOn = (row: Row | undefined) => {
    if (!row) throw new TakenOver()
    if (row.cancel === 1) throw new Cancelled()
  }
  const context: JobContext<unknown> = {
    input: terms.input,
    id: job.id,
    name: job.name,
    attempt: job.attempts,
    signal: abort.signal,
    database: databases.database,
    shards: databases.shards,
    home: job.value === null ? databases.database : await databases.shards.of(job.value),
    jobs: createJobs(services, databases),
    api: openServiceApi(services, databases, terms.later),
    realtime: createChannelSender(services, databases, terms.later),
    env: services.env,
    once: async (statements, options = {}) => {
      if (options.name === undefined && effects++ > 0) {
        throw new Error('a job with several effects names them: once(statements, { name })')
      }
      const effect = options.name ?? 'effect'
      abort.signal.throwIfAborted()
      return commitOnce({ job, effect, options, statements, services, databases, catalog, session, places })
    },
    async step(name, work) {
      const known = steps.get(name)
      if (known !== undefined) return JSON.parse(known)
      abort.signal.throwIfAborted()
      const result = JSON.stringify((await work()) ?? null)
      const answers = await session.on(terms.database, noteStep(job.id, token, until(), name, result))
      goOn(answers[1]?.[0])
      steps.set(name, result)
      return JSON.parse(result)
    },
    async progress(percent, note) {
      const statement = noteProgress(job.id, token, until(), percent, note ?? null)
      const [rows = []] = await session.on(terms.database, [statement])
      goOn(rows[0])
    },
  }
  return { context, databases, places, abort }
}

/** Results of steps that are done, as JSON by name. */
async function readSteps(
  { id, attempts }: ClaimedJob,
  database: string,
  session: ClusterSession,
): Promise<Map<string, string>> {
  if (attempts === 1) return new Map()
  const [rows = []] = await session.on(database, [stepsOf(id)])
  return new Map(rows.map(({ step, result }) => [step as string, result as string]))
}

interface Effect {
  readonly job: ClaimedJob
  readonly effect: string
  readonly options: OnceOptions
  readonly statements: readonly BatchItem<'sqlite'>[]
  readonly services: Services
  readonly databases: AppDatabases
  readonly catalog: Catalog
  readonly session: ClusterSession
  readonly places: Set<string>
}

/** Commits an effect and the mark that it has happened, in one transaction where the rows are. */
async function commitOnce(work: Effect): Promise<boolean> {
  const { job, effect, options, statements, services, databases, catalog, session, places } = work
  const value = options.of === undefined ? job.value : options.of === null ? null : String(options.of)
  const site = siteOfValue(value)
  const { cluster, registry, payloads } = services
  const [expected] = await cluster.partsOf(site, session)
  // Ids of jobs name their database, so they are made for where the effect is expected to be.
  const sent = await Promise.all(
    (options.send ?? []).map(({ job: { name }, input, options: how }) =>
      makeJob(knownJob(registry, name), input, how, expected?.database ?? cluster.primary, payloads),
    ),
  )
  const targets = databases.givenOf(expected?.database ?? cluster.primary)
  const bound = statements.map((statement) => boundStatementOf(statement, targets))
  const outbox = insertJobs(sent)
  const reserved = databases.around(expected?.database ?? cluster.primary)
  const statementsOn = ({ database }: Part) => {
    if (outbox.length > 0 && database !== expected?.database) throw new Error('the rows have just moved')
    // An answer that is lost is no sign that nothing was written.
    if (!job.id.startsWith(`${database}.`)) places.add(database)
    databases.wrote(database)
    const own = [markEffect(job.id, effect, Date.now()), ...bound, ...outbox]
    return reserved === null ? own : [...reserved.before, ...own, reserved.after]
  }
  /** @throws what the database says */
  const commit = async (before: readonly BoundStatement[], after: readonly BoundStatement[]) => {
    const around = (part: Part) => [...before, ...statementsOn(part), ...after]
    const [outcome] = await withCopies(() => cluster.run(site, around, session), session, catalog)
    if (!outcome) throw new Error('no database is where the effect belongs')
    const { database } = outcome.part
    if (sent.length > 0) databases.sent(database)
    if ('error' in outcome) throw outcome.error
    if (reserved !== null) reserved.done(outcome.results.at(-1 - after.length) ?? [])
  }
  try {
    await commit([], []).catch((error) => {
      if (!(error instanceof UnretiredError)) throw error
      return whileRetired(bound, session, catalog, commit)
    })
    return true
  } catch (error) {
    if (isMark(error)) return false
    throw nameViolation(error instanceof StillReferredError ? error.violation : error, catalog) ?? error
  }
}

function isMark(error: unknown): boolean {
  return error instanceof ConstraintError && error.subject.startsWith('_atoll_job_effects.')
}
