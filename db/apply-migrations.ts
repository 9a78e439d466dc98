import { systemObjects } from './system/system-objects.ts'
import type { MigrationDatabase } from './wrangler-database.ts'

export interface Migration {
  readonly name: string
  readonly statements: readonly string[]
}

/** The table that `wrangler d1 migrations` keeps, so that both tools agree on what is done. */
const stateTable = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`

/**
 * Makes Atoll's own objects, then applies the migrations that a database lacks, each as one transaction with the note that it is done.
 *
 * @param ownObjects statements that make what this database has and others have not
 * @returns names of those that were applied
 */
export async function applyMigrations(
  database: MigrationDatabase,
  migrations: readonly Migration[],
  ownObjects: readonly string[] = [],
): Promise<string[]> {
  await database.batch(
    [stateTable, ...systemObjects, ...ownObjects].map((statement) => database.prepare(statement)),
  )
  const { results } = await database.prepare('SELECT name FROM d1_migrations').all<{ name: string }>()
  const done = new Set(results.map((row) => row.name))
  const applied: string[] = []
  for (const { name, statements } of migrations) {
    if (done.has(name)) continue
    await database.batch([
      database.prepare('PRAGMA defer_foreign_keys = ON'),
      ...statements.map((statement) => database.prepare(statement)),
      database.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    ])
    applied.push(name)
  }
  return applied
}
