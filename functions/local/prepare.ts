/**
 * Gets a local server's databases ready: migrated and seeded.
 * @module
 */
import { applyMigrations } from '../../db/apply-migrations.ts'
import type { Catalog } from '../../db/catalog/catalog.ts'
import { appMigrations, readMigrations } from '../../db/migrations.ts'
import { seedOnce } from '../../db/seed.ts'
import { reconcileSearch } from '../../db/system/search-objects.ts'
import type { LocalServer } from './serve.ts'

export interface Prepared {
  /** Names of the migrations that were applied now. */
  readonly migrations: readonly string[]
  /** Rows that were put in now; null when the database had been seeded before. */
  readonly seeded: number | null
}

export async function prepareDatabases(server: LocalServer, catalog: Catalog): Promise<Prepared> {
  const database = await server.database('DB')
  const migrations = readMigrations(appMigrations)
  const applied = await applyMigrations(database, migrations)
  const loadSeed = async () => (await import('../../db/app/seed.ts')).default
  const seeded = await seedOnce(database, loadSeed, migrations)
  await reconcileSearch(database, catalog)
  return { migrations: applied, seeded }
}
