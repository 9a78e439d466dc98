/**
 * The app's files, imported only when a command runs, so that what is wrong with them is told like any other mistake.
 * @module
 */
import { buildCatalog } from '../catalog/build-catalog.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { TableDeclarations } from '../catalog/declarations.ts'
import type { StorageDeclarations } from '../catalog/storage-policy.ts'
import { UsageError } from '../doors/usage-error.ts'

/** The app's tables and buckets. */
export async function readAppTables(): Promise<{
  readonly declared: TableDeclarations
  readonly catalog: Catalog
  readonly storage: StorageDeclarations
}> {
  const { default: tables } = await readable(() => import('../app/tables.ts'))
  const { default: storage } = await readable(() => import('../app/storage.ts'))
  return { declared: tables, catalog: buildCatalog(tables), storage }
}

/** What the app's schema exports. */
export async function readAppSchema(): Promise<Readonly<Record<string, unknown>>> {
  return readable(() => import('../app/schema.ts'))
}

async function readable<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (error) {
    throw new UsageError(`The app cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}
