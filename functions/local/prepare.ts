/**
 * Gets a local server's databases ready: migrated and seeded.
 * @module
 */
import storage from '../../db/app/storage.ts'
import type { Catalog } from '../../db/catalog/catalog.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import { appMigrations, readMigrations } from '../../db/migrate/migration-files.ts'
import { seedOnce } from '../../db/seed/seed.ts'
import type { LocalServer } from './serve.ts'

export interface Prepared {
  /** Names of the migrations that were applied now. */
  readonly migrations: readonly string[]
  /** Rows that were put in now; null when the database had been seeded before. */
  readonly seeded: number | null
}

export async function prepareDatabases(server: LocalServer, catalog: Catalog): Promise<Prepared> {
  const migrations = readMigrations(appMigrations)
  const databases = await server.databases()
  const reports = await migrateCluster(databases, catalog, migrations, { storage })
  const loadSeed = async () => (await import('../../db/app/seed.ts')).default
  const seeded = await seedOnce(databases, loadSeed, migrations, catalog)
  const applied = new Set(reports.flatMap((report) => report.applied))
  return { migrations: [...applied], seeded }
}
