/**
 * Work that happens later: jobs, schedules, webhooks, over queues. `/jobs/v1`.
 * @module
 */
import type { Area } from '../core/area.ts'
import type { CoreConfig } from '../core/config.ts'
import type { CoreServices } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import { type JobsConfig, jobsDefaults } from './config.ts'
import type { JobManifest } from './define-job.ts'
import type { WebhookManifest } from './define-webhook.ts'
import { duties } from './duties.ts'
import { errors } from './errors.ts'
import { gauges } from './gauges.ts'
import { createJobRegistry, type EngineJob } from './job-registry.ts'
import { createJobsApi } from './jobs-api.ts'
import { PayloadStore } from './payload-store.ts'
import type { JobMessage, JobsEngine, JobsEnv, JobsServices } from './services.ts'
import { webhookJob } from './webhook-job.ts'

export type { JobsConfig } from './config.ts'
export type { JobContext, Jobs, Sending } from './define-job.ts'
export { type ErasedJobs, eraseJobs } from './erase-jobs.ts'
// What areas above it use.
export type { JobsEvent } from './events.ts'
export { oldestDue } from './gauges.ts'
export type { EngineJob, EngineServices } from './job-registry.ts'
export { insertJobs } from './job-rows.ts'
export { createQueuedJobs } from './send-in-transaction.ts'
export { createJobs, knownJob, sendTo } from './send-jobs.ts'
export type { JobsServices } from './services.ts'
export { countJobs } from './show-jobs.ts'
export { sendSigned, webhookRetry } from './webhook-job.ts'

/** What an app brings for it. */
export interface JobsApp {
  readonly jobs?: JobManifest
  readonly webhooks?: WebhookManifest
}

export const jobs = {
  name: 'jobs',
  defaults: jobsDefaults,
  errors,
  gauges,
  duties,

  /** @throws JobsError for jobs that cannot be run */
  read(
    { jobs: own = [], webhooks = [], engineJobs }: JobsApp & { readonly engineJobs: readonly EngineJob[] },
    { config, catalog }: CoreEngine<CoreConfig & JobsConfig>,
  ): JobsEngine {
    const hooks = webhooks.map((webhook) => webhookJob(webhook, config))
    return {
      registry: createJobRegistry([...(own as readonly EngineJob[]), ...hooks, ...engineJobs], catalog),
    }
  },

  routes: ({ config }: CoreEngine<CoreConfig>) => [['/jobs/v1', createJobsApi(config)]],

  open(env: JobsEnv, { registry }: JobsEngine, { files }: CoreServices): JobsServices {
    return {
      registry,
      queues: queuesOf(env),
      jobLimit: jobLimitOf(env),
      payloads: new PayloadStore(files),
    }
  },
} satisfies Area

/** A stub belongs to the request that made it, so each call makes its own. */
function jobLimitOf({ JOB_LIMITS }: JobsEnv): JobsServices['jobLimit'] {
  if (!JOB_LIMITS) return null
  return (name) => ({
    take: async (request) => JOB_LIMITS.getByName(name).take(request),
    release: async (ids) => JOB_LIMITS.getByName(name).release(ids),
    renew: async (ids, holdMs) => JOB_LIMITS.getByName(name).renew(ids, holdMs),
  })
}

/** `QUEUE` is the queue `default`, `QUEUE_HIGH` the queue `high`. */
function queuesOf(env: JobsEnv): JobsServices['queues'] {
  const found = Object.entries(env).flatMap(([binding, queue]) => {
    const [, name = 'default'] = /^QUEUE(?:_([A-Z0-9_]+))?$/.exec(binding) ?? [null, null]
    return name === null
      ? []
      : [[name.toLowerCase().replaceAll('_', '-'), queue as Queue<JobMessage>] as const]
  })
  return new Map(found)
}
