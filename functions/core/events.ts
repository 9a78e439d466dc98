/**
 * What happens in the Worker, as one union of events.
 * @module
 */

import type { RepairNote } from '../../db/restores/repair-note.ts'
import { currentTrace } from './request-trace.ts'

/** A request failed for a reason that its caller is not told. */
export interface InternalErrorEvent {
  readonly kind: 'internal-error'
  readonly method: string
  readonly path: string
  readonly error: unknown
}

/** The cache store did not take what a write had changed; the relay will deliver it. */
export interface InvalidationFailedEvent {
  readonly kind: 'invalidation-failed'
  readonly error: unknown
}

/** The cache store is no longer believed, since it does not take what is written or lags behind; or it is again. */
export interface CacheTrustEvent {
  readonly kind: 'cache-distrusted' | 'cache-trusted'
  readonly why: string
  /** When that began, in milliseconds since 1970, and how long it has lasted. */
  readonly since: number
  readonly lastedMs: number
}

/** A part of the relay's work failed, and will be tried again. */
export interface RelayFailedEvent {
  readonly kind: 'relay-failed'
  readonly what: string
  readonly error: unknown
}

/** A database has migrations that this version of the code does not know; it is used for as long as what is needed is there. */
export interface DatabaseAheadEvent {
  readonly kind: 'database-ahead'
  readonly database: string
  readonly migrations: readonly string[]
}

/** A shard could not take changed rows of reference tables as they are: it keeps rows that it refers to, or stays behind. */
export interface CopyFailedEvent {
  readonly kind: 'copy-failed'
  readonly database: string
  readonly error: unknown
}

/** A shard has not copied all changes of reference tables though it was asked to; or it has again. */
export interface CopiesBehindEvent {
  readonly kind: 'copies-behind' | 'copies-caught-up'
  readonly database: string
  readonly changes: number
}

/** Slow queries are refused, as they have had their share of a database's time; told once in a while for each reason. */
export interface QueriesRefusedEvent {
  readonly kind: 'queries-refused'
  readonly database: string
  /** Whose share: the caller's, the query's, the role's; or what it would have had to wait for. */
  readonly by: string
  /** Who asked: `sub:` with issuer and subject, or `ip:` with a network. */
  readonly caller: string
  readonly role: string
  readonly retryMs: number
}

/** A database was put back in time: some of what was acknowledged is gone there, and what others know of it is being repaired. */
export interface DatabaseWentBackEvent {
  readonly kind: 'database-went-back'
  readonly database: string
  /** The life that it begins. */
  readonly incarnation: string
  /** Where it was when it was last seen, and where it was found. */
  readonly from: object
  readonly to: object
}

/** What the repair of such a database has done, or found and left to the operator. */
export interface RestoreRepairEvent {
  readonly kind: 'restore-repair'
  readonly database: string
  readonly note: RepairNote
}

/** The repair is over. */
export interface RestoreRepairedEvent {
  readonly kind: 'restore-repaired'
  readonly database: string
}

/** A consumer of the change log stayed behind for so long that it has lost changes. */
export interface ChangesDroppedEvent {
  readonly kind: 'changes-dropped'
  readonly database: string
  readonly consumer: string
  /** Sequence of the last change that it has lost. */
  readonly upTo: number
}

/** A try of a job failed: it will be tried again, or is among the dead letters now. */
export interface JobFailedEvent {
  readonly kind: 'job-failed' | 'job-dead'
  readonly id: string
  readonly name: string
  readonly attempt: number
  readonly error: unknown
}

/** What became of a job could not be noted; it is run again when its lease is over. */
export interface JobNotEndedEvent {
  readonly kind: 'job-not-ended'
  readonly id: string
  readonly name: string
  readonly error: unknown
}

/** A database could not be asked for the jobs that messages name; the messages come again. */
export interface JobsNotClaimedEvent {
  readonly kind: 'jobs-not-claimed'
  readonly database: string
  readonly error: unknown
}

/** A queue did not take messages; they are sent again. */
export interface QueueRefusedEvent {
  readonly kind: 'queue-refused'
  readonly queue: string
  readonly messages: number
  readonly error: unknown
}

/** Jobs name a queue that is not bound; they go by the default one. */
export interface NoSuchQueueEvent {
  readonly kind: 'no-such-queue'
  readonly queue: string
}

/** Jobs of a name that has a limit wait, since JOB_LIMITS is not bound. */
export interface NoJobLimitsEvent {
  readonly kind: 'no-job-limits'
  readonly name: string
}

/** Files were compared with their rows, and did not agree; or uploads were cleared away. */
export interface FilesSweptEvent {
  readonly kind: 'files-swept'
  /** Bytes that no row named, which were taken away. */
  readonly orphans: number
  /** Keys in R2 that rows name and that are not there. */
  readonly missing: readonly string[]
  readonly uploads: number
}

/** An isolate leaves an origin alone for a while, as it failed its requests. */
export interface OriginEjectedEvent {
  readonly kind: 'origin-ejected'
  readonly pool: string
  readonly origin: string
  readonly reason: string
}

/** Checks have found that an origin is ill, or well again. */
export interface OriginHealthEvent {
  readonly kind: 'origin-ill' | 'origin-well'
  readonly pool: string
  readonly origin: string
  /** What the last check found. */
  readonly reason: string
}

/** So few of a pool's origins are well that everybody is tried. */
export interface PoolPanicEvent {
  readonly kind: 'pool-panic'
  readonly pool: string
}

/** A pool's Durable Object could not be asked: isolates go by what they see themselves. */
export interface PoolUnwatchedEvent {
  readonly kind: 'pool-unwatched'
  readonly pool: string
  readonly error: unknown
}

/** What was counted could not be handed over; it is handed over again. */
export interface MetricsNotTakenEvent {
  readonly kind: 'metrics-not-taken'
  readonly error: unknown
}

/** A collector did not take spans; they are dropped. */
export interface SpansNotTakenEvent {
  readonly kind: 'spans-not-taken'
  readonly spans: number
  readonly error: unknown
}

/** Something that `/metrics` shows could not be read. */
export interface GaugesUnreadEvent {
  readonly kind: 'gauges-unread'
  readonly what: string
  readonly error: unknown
}

/** A service level burns its error budget too fast, or no longer does. */
export interface ServiceLevelEvent {
  readonly kind: 'service-level-burning' | 'service-level-recovered'
  readonly objective: string
  /** How many times faster than it may. */
  readonly burnRate: number
}

export type AtollEvent =
  | InternalErrorEvent
  | InvalidationFailedEvent
  | CacheTrustEvent
  | RelayFailedEvent
  | CopiesBehindEvent
  | CopyFailedEvent
  | DatabaseAheadEvent
  | QueriesRefusedEvent
  | DatabaseWentBackEvent
  | RestoreRepairEvent
  | RestoreRepairedEvent
  | ChangesDroppedEvent
  | JobFailedEvent
  | JobNotEndedEvent
  | JobsNotClaimedEvent
  | QueueRefusedEvent
  | NoSuchQueueEvent
  | NoJobLimitsEvent
  | FilesSweptEvent
  | OriginEjectedEvent
  | OriginHealthEvent
  | PoolPanicEvent
  | PoolUnwatchedEvent
  | MetricsNotTakenEvent
  | GaugesUnreadEvent
  | SpansNotTakenEvent
  | ServiceLevelEvent

/** An event as it is kept for operators. */
export interface NotedEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly kind: AtollEvent['kind']
  /** The event as JSON, cut off where it is long. */
  readonly text: string
}

/** What this isolate has told the log and nobody has fetched. */
let noted: NotedEvent[] = []
const maxNoted = 200
const maxTextLength = 2000

/** Writes an event to the Worker's log, as one line of JSON, and keeps it for who hands it over. */
export function emit(event: AtollEvent): void {
  const text = textOf(event, currentTrace()?.requestId)
  console.error(text)
  if (noted.length < maxNoted) {
    noted.push({ at: Date.now(), kind: event.kind, text: text.slice(0, maxTextLength) })
  }
}

/** Events since the last time. */
export function drainEvents(): readonly NotedEvent[] {
  const drained = noted
  noted = []
  return drained
}

/** What was thrown may be anything, also what JSON cannot hold; then its kind is told at least. */
function textOf(event: AtollEvent, requestId: string | undefined): string {
  // Asked of the holder, as the value has been through its `toJSON`: some errors leave out their stack there.
  function plain(this: Record<string, unknown>, name: string, value: unknown) {
    const own = this[name]
    return own instanceof Error ? describe(own) : typeof value === 'bigint' ? String(value) : value
  }
  try {
    return JSON.stringify({ ...event, requestId }, plain)
  } catch {
    return JSON.stringify({ kind: event.kind, error: 'it cannot be shown' })
  }
}

function describe(error: Error) {
  return { name: error.name, message: error.message, stack: error.stack, cause: error.cause }
}
