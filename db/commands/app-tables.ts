import { buildCatalog } from '../catalog/build-catalog.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { StorageDeclarations } from '../storage-policy.ts'

/** The app's tables and buckets; imported only now, so that what is wrong with them is told like any other mistake. */
export async function readAppTables(): Promise<{ catalog: Catalog; storage: StorageDeclarations }> {
  const { default: tables } = await import('../app/tables.ts')
  const { default: storage } = await import('../app/storage.ts')
  return { catalog: buildCatalog(tables), storage }
}
