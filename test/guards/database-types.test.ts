import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { databaseTypes } from '../../functions/rest/answer/database-types.ts'
import { serveSchemas } from '../../functions/rest/plan/served-schemas.ts'
import tables from '../fixture-app/db/app/tables.ts'
import config from '../fixture-app/functions/app/config.ts'
import functions from '../fixture-app/functions/app/rpc/index.ts'

it('the types that the tests of supabase-js are checked with are those that npm run types writes', () => {
  const catalog = buildCatalog(tables)
  const kept = readFileSync(join(import.meta.dirname, '..', 'support', 'database.ts'), 'utf8')
  expect(kept).toBe(databaseTypes(catalog, serveSchemas(catalog, functions, config.schemas ?? null)))
})
