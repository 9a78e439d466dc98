/**
 * What the area tells the log.
 * @module
 */
import { type Emit, emitter } from '../core/events.ts'

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

/** All that is told to the log of jobs and queues. */
export type JobsEvent =
  | JobFailedEvent
  | JobNotEndedEvent
  | JobsNotClaimedEvent
  | QueueRefusedEvent
  | NoSuchQueueEvent
  | NoJobLimitsEvent

export const emit: Emit<JobsEvent> = emitter<JobsEvent>()
