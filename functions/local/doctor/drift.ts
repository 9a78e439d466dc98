import type { Catalog } from '../../../db/catalog/catalog.ts'
import { pendingOf } from '../../../db/migrate/drift.ts'
import { lookAt } from '../../../db/migrate/look.ts'
import { checkCluster } from '../../../db/migrate/migrate-cluster.ts'
import { appMigrations, readMigrations } from '../../../db/migrate/migration-files.ts'
import type { MigrationDatabase } from '../../../db/sql/migration-database.ts'
import type { Fact } from './facts.ts'

/** What is found out, or the reason why not. */
export async function factOf<Value>(find: () => Promise<Value>): Promise<Fact<Value>> {
  try {
    return { value: await find() }
  } catch (error) {
    return { unknown: error instanceof Error ? error.message : String(error) }
  }
}

/** Why databases are not what the code says; null when they are. They are read, and nothing is tried on them. */
export async function driftOf(
  databases: ReadonlyMap<string, MigrationDatabase>,
  catalog: Catalog,
): Promise<string | null> {
  const migrations = readMigrations(appMigrations)
  try {
    await checkCluster(databases, catalog, migrations)
  } catch (error) {
    if ((error as Error).name === 'MigrationError') return (error as Error).message
    throw error
  }
  const lacking: string[] = []
  for (const [name, database] of databases) {
    const pending = pendingOf((await lookAt(database)).applied, migrations)
    if (pending.length > 0)
      lacking.push(`${name} lacks ${pending.map((migration) => migration.name).join(', ')}`)
  }
  return lacking.length === 0 ? null : lacking.join('\n')
}
