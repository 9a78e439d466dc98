/**
 * Migrations inside of workerd, for tests that run there: as they are written, on databases without rows. What plans them needs Node.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { StorageDeclarations } from '../../db/catalog/storage-policy.ts'
import { type ClusterDatabases, makeOwnObjects, settleCluster } from '../../db/migrate/settle-cluster.ts'
import { splitMigration } from '../../db/migrate/split-statements.ts'

export interface PlainMigration {
  readonly name: string
  readonly sql: string
}

/** @returns whether anything was applied */
export async function migrateInWorker(
  databases: ClusterDatabases,
  catalog: Catalog,
  migrations: readonly PlainMigration[],
  storage: StorageDeclarations = {},
): Promise<boolean> {
  let isNew = false
  for (const [name, database] of databases) {
    await makeOwnObjects(database, name === 'DB')
    const { results } = await database.prepare('SELECT name FROM d1_migrations').all<{ name: string }>()
    for (const migration of migrations) {
      if (results.some((row) => row.name === migration.name)) continue
      isNew = true
      await database.batch([
        ...splitMigration(migration.sql).map((statement) => database.prepare(statement)),
        database.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(migration.name),
      ])
    }
  }
  await settleCluster(databases, catalog, storage)
  return isNew
}
