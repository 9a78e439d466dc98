/**
 * What the platform calls: requests, batches of a queue, and the schedule that keeps the relays awake.
 * @module
 */
import { type Env, servicesFor } from './context.ts'
import { type App, engineOf } from './engine.ts'
import { createGateway } from './gateway.ts'
import { createQueueHandler, type JobMessage } from './jobs/run-batch.ts'

export function createWorker(app: App) {
  const gateway = createGateway(app)
  const servicesOf = servicesFor(engineOf(app))
  return {
    fetch: gateway.fetch,
    queue: createQueueHandler(app),
    // A deployment that nobody asks has schedules and retries as well.
    scheduled: async (_: ScheduledController, env: Env) => servicesOf(env).relay?.repair(),
  } satisfies ExportedHandler<Env, JobMessage>
}
