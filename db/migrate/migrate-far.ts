/**
 * Brings databases to the schema to which every question takes long, as those at Cloudflare. Where all of them are empty, it is done to
 * databases in memory first, and each of the far ones is then sent all that was written to its own, in one transaction.
 * @module
 */
import { DatabaseSync } from 'node:sqlite'
import type { Catalog } from '../catalog/catalog.ts'
import { onlyReads } from '../sql/bind-values.ts'
import type { MigrationDatabase, MigrationStatement } from '../sql/migration-database.ts'
import { type MigrateOptions, type MigrationReport, migrateCluster } from './migrate-cluster.ts'
import type { Migration } from './migration.ts'
import { readSchemaText } from './schema-objects.ts'
import type { ClusterDatabases } from './settle-cluster.ts'

/** As `migrateCluster`. */
export async function migrateFar(
  databases: ClusterDatabases,
  catalog: Catalog,
  migrations: readonly Migration[],
  options: MigrateOptions = {},
): Promise<MigrationReport[]> {
  if (options.planOnly || !(await areEmpty(databases)))
    return await migrateCluster(databases, catalog, migrations, options)
  const rehearsals = new Map([...databases.keys()].map((name) => [name, rehearsal()]))
  try {
    const near = new Map([...rehearsals].map(([name, { database }]) => [name, database]))
    const reports = await migrateCluster(near, catalog, migrations, { ...options, tell: () => undefined })
    // The primary database last: with its map, all the others are there.
    for (const name of [...databases.keys()].toReversed()) {
      options.tell?.(`${name}: ${migrations.length} migrations, and what Atoll needs, at once`)
      const far = databases.get(name) as MigrationDatabase
      const written = rehearsals.get(name)?.written ?? []
      await far.batch(written.map(({ text, values }) => far.prepare(text).bind(...values)))
    }
    return reports
  } finally {
    for (const { close } of rehearsals.values()) close()
  }
}

/** Most are not, which the primary database says alone. */
async function areEmpty(databases: ClusterDatabases): Promise<boolean> {
  for (const database of databases.values()) {
    const { results } = await database.prepare(`${readSchemaText} LIMIT 1`).all()
    if (results.length > 0) return false
  }
  return true
}

type Value = string | number | null

interface Written {
  readonly text: string
  readonly values: readonly Value[]
}

/** A database in memory, and all that was written to it. */
function rehearsal(): {
  readonly database: MigrationDatabase
  readonly written: readonly Written[]
  close(): void
} {
  const sqlite = new DatabaseSync(':memory:')
  sqlite.exec('PRAGMA foreign_keys = ON')
  const written: Written[] = []
  const run = (statements: readonly Statement[]) => {
    sqlite.exec('BEGIN')
    try {
      const results = statements.map(({ text, values }) => ({
        results: sqlite.prepare(text).all(...values) as unknown[],
      }))
      sqlite.exec('COMMIT')
      if (statements.some(({ text }) => !onlyReads(text))) written.push(...statements)
      return results
    } catch (error) {
      if (sqlite.isTransaction) sqlite.exec('ROLLBACK')
      throw error
    }
  }
  class Statement implements MigrationStatement {
    readonly text: string
    readonly values: readonly Value[]

    constructor(text: string, values: readonly Value[] = []) {
      this.text = text
      this.values = values
    }

    bind(...values: Value[]): Statement {
      return new Statement(this.text, values)
    }

    async all<Row>(): Promise<{ results: Row[] }> {
      return run([this])[0] as { results: Row[] }
    }
  }
  return {
    database: {
      prepare: (text) => new Statement(text),
      batch: async (statements) => run(statements as Statement[]),
    },
    written,
    close: () => sqlite.close(),
  }
}
