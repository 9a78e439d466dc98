import { quoteName, quoteText } from './quote.ts'
import { addedColumns, systemObjects } from './system/system-objects.ts'
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
  await addColumns(database)
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

/** Gives tables that an older Atoll made the columns that they lack. */
async function addColumns(database: MigrationDatabase): Promise<void> {
  const tables = [...new Set(addedColumns.map(([table]) => table))]
  const { results } = await database
    .prepare(
      `SELECT t.value AS "table", c.name FROM json_each(${quoteText(JSON.stringify(tables))}) AS t, pragma_table_info(t.value) AS c`,
    )
    .all<{ table: string; name: string }>()
  const present = new Set(results.map(({ table, name }) => `${table}.${name}`))
  const lacking = addedColumns.filter(([table, column]) => !present.has(`${table}.${column}`))
  if (lacking.length === 0) return
  await database.batch(
    lacking.map(([table, column, type]) =>
      database.prepare(`ALTER TABLE ${quoteName(table)} ADD COLUMN ${quoteName(column)} ${type}`),
    ),
  )
}
