import type { Catalog } from '../../db/catalog/catalog.ts'
import { openAppDatabases } from '../own-code/area.ts'
import type { Visit } from './services.ts'

/** Before a write is answered again: it is acknowledged once more, and must be seen. */
export async function carryOnAgain(
  visit: Visit,
  catalog: Catalog,
  databases: readonly string[],
): Promise<void> {
  if (databases.length === 0) return
  const written = openAppDatabases(visit.services, catalog, visit.later)
  for (const name of databases) written.wrote(name)
  await written.settle()
}
