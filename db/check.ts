/**
 * Part of `npm run check`: reads the app's schema as the Worker will, and says why it cannot be served.
 * @module
 */
import tables from './app/tables.ts'
import { buildCatalog, SchemaError } from './catalog/build-catalog.ts'
import { checkPolicies } from './catalog/check-policies.ts'

try {
  const catalog = buildCatalog(tables)
  const problems = checkPolicies(catalog)
  if (problems.length > 0) throw new SchemaError(problems)
  console.log(`The schema can be served: ${catalog.tables.size} tables.`)
} catch (error) {
  if (!(error instanceof SchemaError)) throw error
  console.error(error.message)
  process.exit(1)
}
