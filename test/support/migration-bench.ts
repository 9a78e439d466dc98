/**
 * Local databases for tests of migrations: the sample app's, migrated and seeded, and the migrations that tests add to it.
 * @module
 */
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import type { Catalog } from '../../db/catalog/catalog.ts'
import { doorOptions, openDatabase } from '../../db/doors/database-door.ts'
import {
  type MigrateOptions,
  type MigrationReport,
  migrateCluster,
} from '../../db/migrate/migrate-cluster.ts'
import type { Migration } from '../../db/migrate/migration.ts'
import { permittedTexts } from '../../db/system/permits.ts'

export interface MigrationBench {
  readonly databases: ReadonlyMap<string, D1Database>
  migrate(
    catalog: Catalog,
    migrations: readonly Migration[],
    options?: MigrateOptions,
  ): Promise<MigrationReport[]>
  /** Rows that a database answers with. */
  rows<Row = Record<string, unknown>>(text: string, database?: string): Promise<Row[]>
  /** Writes as what copies whole rows does: whatever the rules of where rows lie. */
  run(text: string, database?: string): Promise<void>
  stop(): Promise<void>
}

/** @param names of the databases, `DB` first */
export async function openBench(names: readonly string[]): Promise<MigrationBench> {
  const bindings = Object.fromEntries(names.map((name) => [name, name.toLowerCase()]))
  const miniflare = new Miniflare(convertV4MiniflareOptions({ workers: [doorOptions(bindings)] }))
  const databases = new Map(names.map((name) => [name, openDatabase(miniflare, name)]))
  const on = (name: string) => databases.get(name) as D1Database
  return {
    databases,
    migrate: (catalog, migrations, options) =>
      migrateCluster(databases as never, catalog, migrations, options),
    rows: async <Row>(text: string, database = 'DB') => (await on(database).prepare(text).all<Row>()).results,
    run: async (text, database = 'DB') => {
      await on(database).batch(permittedTexts([text]).map((one) => on(database).prepare(one)))
    },
    stop: () => miniflare.dispose(),
  }
}

/** A migration as somebody would write it by hand. */
export function written(name: string, ...statements: readonly string[]): Migration {
  return { name, sql: statements.join('\n--> statement-breakpoint\n'), snapshot: null }
}

/** What drizzle-kit writes when a table is made anew: the columns are those of the old one. */
export function rebuildOf(table: string, create: string, columns: readonly string[]): string[] {
  const list = columns.map((column) => `"${column}"`).join(', ')
  return [
    'PRAGMA foreign_keys=OFF;',
    create.replace(`\`${table}\``, `\`__new_${table}\``),
    `INSERT INTO \`__new_${table}\`(${list}) SELECT ${list} FROM \`${table}\`;`,
    `DROP TABLE \`${table}\`;`,
    `ALTER TABLE \`__new_${table}\` RENAME TO \`${table}\`;`,
    'PRAGMA foreign_keys=ON;',
  ]
}
