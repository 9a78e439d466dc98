/**
 * Fills a local database with the app's seed: made once in memory, then copied.
 * @module
 */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { drizzle } from 'drizzle-orm/sqlite-proxy'
import type { Catalog } from '../catalog/catalog.ts'
import type { Seed } from '../define.ts'
import type { Migration } from '../migrate/migration.ts'
import { planOnEmpty } from '../migrate/plan-on-empty.ts'
import { ownObjects } from '../migrate/settle-cluster.ts'
import { quoteName } from '../sql/quote.ts'
import { routeSeedIds } from './route-seed-ids.ts'
import { seedCluster } from './seed-cluster.ts'
import type { SeedRows } from './seed-statements.ts'

/** Rows per statement: well under D1's 2,000,000 bytes to a parameter. */
const rowsPerStatement = 1000

/**
 * @param tell is told of what the seed left to be done
 */
export async function makeSeedRows(
  seed: Seed,
  migrations: readonly Migration[],
  catalog: Catalog,
  tell: (line: string) => void = () => undefined,
): Promise<SeedRows[]> {
  const memory = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: true })
  memory.exec('PRAGMA foreign_keys = OFF')
  const planned = planOnEmpty(migrations).flatMap(({ steps }) => steps.map(({ sql }) => sql))
  for (const statement of [...ownObjects(true), ...planned]) memory.exec(statement)
  // What migrations themselves put in is in the databases by now.
  const tables = memory
    .prepare(
      "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_atoll_%' AND name <> 'd1_migrations'",
    )
    .all()
    .map(({ name }) => name as string)
  const known = new Map(tables.map((table) => [table, new Set(rowsOf(memory, table))]))
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
  for (const [table, count] of routeSeedIds(memory, catalog))
    tell(`gave ${count} seeded rows of ${table} ids that carry their slot`)
  const broken = memory.prepare('PRAGMA foreign_key_check').all()
  if (broken.length > 0)
    throw new Error(`The seed breaks foreign keys: ${JSON.stringify(broken.slice(0, 3))}`)
  return tables.flatMap((table) => chunksOf(memory, table, known.get(table) ?? new Set()))
}

function columnsOf(memory: DatabaseSync, table: string): string[] {
  const info = memory.prepare('SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0').all(table)
  return info.map((column) => column.name as string)
}

/** Each row as a JSON array. */
function rowsOf(memory: DatabaseSync, table: string): string[] {
  const values = columnsOf(memory, table).map((column) => `${quoteName(column)}`)
  const rows = memory.prepare(`SELECT json_array(${values.join(',')}) AS r FROM ${quoteName(table)}`).all()
  return rows.map(({ r }) => r as string)
}

function chunksOf(memory: DatabaseSync, table: string, known: ReadonlySet<string>): SeedRows[] {
  const columns = columnsOf(memory, table)
  const rows = rowsOf(memory, table).filter((row) => !known.has(row))
  const chunks: SeedRows[] = []
  for (let i = 0; i < rows.length; i += rowsPerStatement) {
    chunks.push({ table, columns, rows: `[${rows.slice(i, i + rowsPerStatement).join(',')}]` })
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
  tell: (line: string) => void = () => undefined,
): Promise<number | null> {
  const [primary] = databases.values() as Iterable<D1Database>
  if (!primary) throw new Error('there is no database bound as DB')
  if (await primary.prepare("SELECT 1 FROM _atoll_state WHERE key = 'seeded'").first()) return null
  const rows = await makeSeedRows(await loadSeed(), migrations, catalog, tell)
  await seedCluster(databases, rows, catalog)
  await primary.prepare("INSERT INTO _atoll_state VALUES ('seeded', datetime('now'))").run()
  return rows.reduce((sum, { rows: json }) => sum + (JSON.parse(json) as unknown[]).length, 0)
}
