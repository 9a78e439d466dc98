/**
 * The app's files, as the engine takes them.
 * @module
 */
import journal from '../db/app/migrations/meta/_journal.json' with { type: 'json' }
import storage from '../db/app/storage.ts'
import tables from '../db/app/tables.ts'
import auth from './app/auth.ts'
import config from './app/config.ts'
import jobs from './app/jobs/index.ts'
import origins from './app/origins.ts'
import realtime from './app/realtime.ts'
import routes from './app/routes/index.ts'
import functions from './app/rpc/index.ts'
import webhooks from './app/webhooks.ts'
import type { App } from './areas.ts'

const migrations = journal.entries.map(({ tag }) => `${tag}.sql`)

export const app: App = {
  tables,
  config,
  auth,
  functions,
  routes,
  jobs,
  webhooks,
  realtime,
  storage,
  origins,
  migrations,
}
