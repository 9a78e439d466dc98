/**
 * The Worker: joins the app's files and the engine.
 * @module
 */
import tables from '../db/app/tables.ts'
import config from './app/config.ts'
import routes from './app/routes/index.ts'
import functions from './app/rpc/index.ts'
import { createGateway } from './gateway.ts'

export default createGateway({ tables, config, functions, routes })
