/**
 * Part of `npm run check`: reads the app's schema and jobs as the Worker will, and says why they cannot be served.
 * @module
 */
import { OriginsError } from '../../functions/balancer/check-origins.ts'
import { JobsError } from '../../functions/jobs/job-registry.ts'
import { app } from '../../functions/join-app.ts'
import { readApp } from '../../functions/read-app.ts'
import { StorageError } from '../../functions/storage/check-storage.ts'
import { SchemaError } from '../catalog/build-catalog.ts'

try {
  const { catalog, registry } = readApp(app)
  console.log(
    `The app can be served: ${catalog.tables.size} tables, ${registry.byName.size} kinds of jobs, ${Object.keys(app.storage ?? {}).length} buckets, ${app.origins?.routes.length ?? 0} routes to origins.`,
  )
} catch (error) {
  if (
    !(
      error instanceof SchemaError ||
      error instanceof JobsError ||
      error instanceof StorageError ||
      error instanceof OriginsError
    )
  )
    throw error
  console.error(error.message)
  process.exit(1)
}
