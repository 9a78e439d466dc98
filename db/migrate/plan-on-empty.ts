import type { Migration } from './migration.ts'
import { type PlannedMigration, planMigration } from './plan-migration.ts'
import { SchemaModel } from './schema-model.ts'
import { ownObjects } from './settle-cluster.ts'

/** Migrations as they are carried out one after the other on a database that has nothing but Atoll's own objects. */
export function planOnEmpty(migrations: readonly Migration[]): PlannedMigration[] {
  const model = new SchemaModel([])
  try {
    for (const statement of ownObjects(true)) model.run(statement)
    return migrations.map((migration, i) =>
      planMigration(model, migration, {
        before: migrations[i - 1]?.snapshot ?? null,
        attachmentsOf: () => null,
      }),
    )
  } finally {
    model.close()
  }
}
