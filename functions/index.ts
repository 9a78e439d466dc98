/**
 * The Worker: joins the app's files and the engine.
 * @module
 */
import journal from '../db/app/migrations/meta/_journal.json' with { type: 'json' }
import tables from '../db/app/tables.ts'
import config from './app/config.ts'
import jobs from './app/jobs/index.ts'
import routes from './app/routes/index.ts'
import functions from './app/rpc/index.ts'
import webhooks from './app/webhooks.ts'
import type { App } from './engine.ts'
import { createRelay } from './relay.ts'
import { createWorker } from './worker.ts'

const migrations = journal.entries.map(({ tag }) => `${tag}.sql`)
const app: App = { tables, config, functions, routes, jobs, webhooks, migrations }

export { JobLimits } from './jobs/job-limit.ts'
export const Relay = createRelay(app)
export default createWorker(app)
