/**
 * The app that the engine's tests stand on: the record store, apart from the one in `db/app` and `functions/app`, which is its owner's to
 * change.
 * @module
 */
import type { App } from '../../functions/areas.ts'
import journal from './db/app/migrations/meta/_journal.json' with { type: 'json' }
import storage from './db/app/storage.ts'
import tables from './db/app/tables.ts'
import config from './functions/app/config.ts'
import jobs from './functions/app/jobs/index.ts'
import origins from './functions/app/origins.ts'
import realtime from './functions/app/realtime.ts'
import routes from './functions/app/routes/index.ts'
import functions from './functions/app/rpc/index.ts'
import webhooks from './functions/app/webhooks.ts'

const migrations = journal.entries.map(({ tag }) => `${tag}.sql`)

export const app: App = {
  tables,
  config,
  functions,
  routes,
  jobs,
  webhooks,
  realtime,
  storage,
  origins,
  migrations,
}
