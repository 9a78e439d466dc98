import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import tables from '../../db/app/tables.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import functions from '../../functions/app/rpc/index.ts'
import { databaseTypes } from '../../functions/rest/answer/database-types.ts'

it('the types that the tests of supabase-js are checked with are those that npm run types writes', () => {
  const kept = readFileSync(join(import.meta.dirname, '..', 'support', 'database.ts'), 'utf8')
  expect(kept).toBe(databaseTypes(buildCatalog(tables), functions, 'public'))
})
