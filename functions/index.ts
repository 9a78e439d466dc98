/**
 * The Worker: joins the app's files and the engine.
 * @module
 */
import tables from '../db/app/tables.ts'
import config from './app/config.ts'
import { createGateway } from './gateway.ts'

export default createGateway({ tables, config })
