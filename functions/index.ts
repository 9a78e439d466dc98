/**
 * The Worker: joins the app's files and the engine.
 * @module
 */
import journal from '../db/app/migrations/meta/_journal.json' with { type: 'json' }
import tables from '../db/app/tables.ts'
import config from './app/config.ts'
import routes from './app/routes/index.ts'
import functions from './app/rpc/index.ts'
import { type App, createGateway } from './gateway.ts'
import { createRelay } from './relay.ts'

const migrations = journal.entries.map(({ tag }) => `${tag}.sql`)
const app: App = { tables, config, functions, routes, migrations }

export const Relay = createRelay(app)
export default createGateway(app)
