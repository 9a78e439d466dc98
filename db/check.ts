/**
 * Part of `npm run check`: reads the app's schema as the Worker will, and says why it cannot be served.
 * @module
 */
import tables from './app/tables.ts'
import { SchemaError } from './catalog/build-catalog.ts'
import { readSchema } from './catalog/read-schema.ts'

try {
  console.log(`The schema can be served: ${readSchema(tables).tables.size} tables.`)
} catch (error) {
  if (!(error instanceof SchemaError)) throw error
  console.error(error.message)
  process.exit(1)
}
