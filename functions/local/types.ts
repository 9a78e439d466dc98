/**
 * `npm run types [-- FILE]`: writes the `Database` type for supabase-js to the file, or prints it.
 * @module
 */
import { writeFileSync } from 'node:fs'
import tables from '../../db/app/tables.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import config from '../app/config.ts'
import functions from '../app/rpc/index.ts'
import { databaseTypes } from '../rest/answer/database-types.ts'
import { serveSchemas } from '../rest/plan/served-schemas.ts'

const catalog = buildCatalog(tables)
const schemas = serveSchemas(catalog, functions, config.schemas ?? null)
const source = databaseTypes(catalog, schemas)
const [file] = process.argv.slice(2)
if (file === undefined) process.stdout.write(source)
else writeFileSync(file, source)
