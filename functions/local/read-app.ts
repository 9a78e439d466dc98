/**
 * What a script reads of an app before it is served.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import { readSchema } from '../../db/catalog/read-schema.ts'
import { type App, engineOf } from '../areas.ts'
import type { JobRegistry } from '../jobs/job-registry.ts'
import type { ServedSchemas } from '../rest/plan/served-schemas.ts'
import { checkStorage } from '../storage/check-storage.ts'

/**
 * The app's schema and jobs, with every policy asked once.
 *
 * @throws SchemaError, JobsError or StorageError when they cannot be served as they are
 */
export function readApp(app: App): {
  readonly catalog: Catalog
  readonly schemas: ServedSchemas
  readonly registry: JobRegistry
} {
  const catalog = readSchema(app.tables)
  checkStorage(app.storage ?? {}, catalog)
  const { schemas, registry } = engineOf(app)
  return { catalog, schemas, registry }
}
