/**
 * Part of `npm run check`: reads the app's schema as the Worker will, and says why it cannot be served.
 * @module
 */
import tables from './app/tables.ts'
import { buildCatalog, SchemaError } from './catalog/build-catalog.ts'

try {
  const { tables: served } = buildCatalog(tables)
  console.log(`The schema can be served: ${served.size} tables.`)
} catch (error) {
  if (!(error instanceof SchemaError)) throw error
  console.error(error.message)
  process.exit(1)
}
