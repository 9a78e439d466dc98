/**
 * Gets databases of this machine ready: migrated and seeded.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { Seed, TableDeclarations } from '../../db/catalog/declarations.ts'
import type { StorageDeclarations } from '../../db/catalog/storage-policy.ts'
import type { Staying } from '../../db/migrate/as-rows-lie.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import { readMigrations } from '../../db/migrate/migration-files.ts'
import { seedOnce } from '../../db/seed/seed.ts'

export interface Prepared {
  /** Names of the migrations that were applied now. */
  readonly migrations: readonly string[]
  /** Rows that were put in now; null when the database had been seeded before. */
  readonly seeded: number | null
  /** Tables that stay where they are until they are converted. */
  readonly staying: readonly Staying[]
}

/** What of an app they are made ready for. */
export interface PreparedFor {
  readonly declared: TableDeclarations
  readonly catalog: Catalog
  readonly storage: StorageDeclarations
  /** Folder of its migrations. */
  readonly migrations: string
  /** Loaded only for databases that have not been seeded. */
  loadSeed(): Promise<Seed>
  /** Is told what is being done, in words. */
  readonly tell?: (line: string) => void
}

/** @param databases by their bindings, `DB` first */
export async function prepareDatabases(
  databases: ReadonlyMap<string, D1Database>,
  { declared, catalog, storage, migrations: folder, loadSeed, tell = () => undefined }: PreparedFor,
): Promise<Prepared> {
  const migrations = readMigrations(folder)
  tell('looking at the databases')
  const reports = await migrateCluster(databases, catalog, migrations, { storage, declared, tell })
  const seeded = await seedOnce(databases, loadSeed, migrations, catalog)
  const applied = new Set(reports.flatMap((report) => report.applied))
  return { migrations: [...applied], seeded, staying: reports.flatMap(({ staying }) => staying) }
}
