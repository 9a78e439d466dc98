/**
 * Fills a local database with the app's seed: made once in memory, then copied.
 * @module
 */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { drizzle } from 'drizzle-orm/sqlite-proxy'
import type { Migration } from './apply-migrations.ts'
import type { Catalog } from './catalog/catalog.ts'
import type { Seed } from './define.ts'
import { seedCluster } from './seed-cluster.ts'
import type { SeedRows } from './seed-statements.ts'

/** Rows per statement: well under D1's 2,000,000 bytes to a parameter. */
const rowsPerStatement = 1000

export async function makeSeedRows(seed: Seed, migrations: readonly Migration[]): Promise<SeedRows[]> {
  const memory = new DatabaseSync(':memory:')
  memory.exec('PRAGMA foreign_keys = OFF')
  for (const statement of migrations.flatMap((migration) => migration.statements)) memory.exec(statement)
  await seed(
    drizzle(async (text, parameters, method) => {
      const statement = memory.prepare(text)
      if (method === 'run') {
        statement.run(...(parameters as SQLInputValue[]))
        return { rows: [] }
      }
      const rows = statement.all(...(parameters as SQLInputValue[])).map((row) => Object.values(row))
      return { rows: method === 'get' ? (rows[0] ?? []) : rows }
    }),
  )
  const broken = memory.prepare('PRAGMA foreign_key_check').all()
  if (broken.length > 0)
    throw new Error(`The seed breaks foreign keys: ${JSON.stringify(broken.slice(0, 3))}`)
  const tables = memory
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
  return tables.flatMap((entry) => readTable(memory, entry.name as string))
}

function readTable(memory: DatabaseSync, table: string): SeedRows[] {
  const info = memory.prepare('SELECT name FROM pragma_table_info(?)').all(table)
  const columns = info.map((column) => column.name as string)
  const values = columns.map((column) => `"${column}"`).join(',')
  const rows = memory.prepare(`SELECT json_array(${values}) AS r FROM "${table}"`).all() as { r: string }[]
  const chunks: SeedRows[] = []
  for (let i = 0; i < rows.length; i += rowsPerStatement) {
    const chunk = rows.slice(i, i + rowsPerStatement).map((row) => row.r)
    chunks.push({ table, columns, rows: `[${chunk.join(',')}]` })
  }
  return chunks
}

/**
 * Seeds databases that were never seeded.
 *
 * @param loadSeed called only when there is something to do: its libraries are slow to load
 * @returns the number of rows, or null when it had been seeded before
 */
export async function seedOnce(
  databases: ReadonlyMap<string, D1Database>,
  loadSeed: () => Promise<Seed>,
  migrations: readonly Migration[],
  catalog: Catalog,
): Promise<number | null> {
  const [primary] = databases.values() as Iterable<D1Database>
  if (!primary) throw new Error('there is no database bound as DB')
  if (await primary.prepare("SELECT 1 FROM _atoll_state WHERE key = 'seeded'").first()) return null
  const rows = await makeSeedRows(await loadSeed(), migrations)
  await seedCluster(databases, rows, catalog)
  await primary.prepare("INSERT INTO _atoll_state VALUES ('seeded', datetime('now'))").run()
  return rows.reduce((sum, { rows: json }) => sum + (JSON.parse(json) as unknown[]).length, 0)
}
