/**
 * Gets a local server's databases ready: migrated and seeded.
 * @module
 */

import tables from '../../db/app/tables.ts'
import { applyMigrations } from '../../db/apply-migrations.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
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

export async function prepareDatabases(server: LocalServer): Promise<Prepared> {
  const database = await server.database('DB')
  const migrations = readMigrations(appMigrations)
  const applied = await applyMigrations(database, migrations)
  const loadSeed = async () => (await import('../../db/app/seed.ts')).default
  await reconcileSearch(database, buildCatalog(tables))
  return { migrations: applied, seeded: await seedOnce(database, loadSeed, migrations) }
}
