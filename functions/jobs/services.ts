import type { CacheServices } from '../cache/area.ts'
import type { CoreConfig } from '../core/config.ts'
import type { AtollEnv as AtollEnvOf, CoreEnv, CoreServices } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { DatabasesServices } from '../databases/area.ts'
import type { MeterServices } from '../meter/area.ts'
import type { JobsConfig } from './config.ts'
import type { JobLimit, JobLimitAccess } from './job-limit.ts'
import type { JobRegistry } from './job-registry.ts'
import type { PayloadStore } from './payload-store.ts'

/** A message on a queue. */
export interface JobMessage {
  /** The job's id, which begins with the name of the database that it was put into. */
  readonly id: string
  /** Where it is now: jobs move along with the slots of what they are about. Left out by an older Atoll: where it was put. */
  readonly database?: string
}

export interface JobsEnv extends CoreEnv {
  /** Carries jobs; others are `QUEUE_HIGH` and so on. */
  readonly QUEUE?: Queue<JobMessage>
  /** Counts the jobs that are under way: one for each name that has a limit. */
  readonly JOB_LIMITS?: DurableObjectNamespace<JobLimit>
}

/** What the area makes of an app. */
export interface JobsEngine {
  readonly registry: JobRegistry
}

/** What the area offers. */
export interface JobsServices {
  readonly registry: JobRegistry
  /** Queues by the names that jobs call them by. */
  readonly queues: ReadonlyMap<string, Queue<JobMessage>>
  readonly jobLimit: ((name: string) => JobLimitAccess) | null
  readonly payloads: PayloadStore
}

/** What its code uses. */
export interface Services
  extends CoreServices,
    CacheServices,
    MeterServices,
    DatabasesServices,
    JobsServices {}

export interface Engine extends CoreEngine<CoreConfig & JobsConfig>, JobsEngine {}

export type AtollEnv = AtollEnvOf<Services>
