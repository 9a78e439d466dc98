/**
 * What is to be done to each database of a cluster.
 * @module
 */
import { type Catalog, storedColumns } from '../catalog/catalog.ts'
import { MigrationError, onDatabase } from '../errors/migration-error.ts'
import { parseMap, readMapText, type ShardMap } from '../slots/shard-map.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteText } from '../sql/quote.ts'
import { foldName } from '../sql/sql-tokens.ts'
import { copiedKey } from '../system/copy-reference-tables.ts'
import { checkDoubles } from '../system/fill-lookups.ts'
import { attachmentsFor } from './attachments.ts'
import type { PlaceRows } from './change-rows.ts'
import { checkDrift, pendingOf } from './drift.ts'
import type { Look } from './look.ts'
import type { Migration } from './migration.ts'
import { checkPlacements, checkShards } from './placement-guard.ts'
import { type PlannedMigration, planMigration } from './plan-migration.ts'
import type { Step } from './planner.ts'
import { SchemaModel } from './schema-model.ts'
import { type ClusterDatabases, ownObjects } from './settle-cluster.ts'

/** What is to be done to each database. */
export async function planCluster(
  databases: ClusterDatabases,
  looks: ReadonlyMap<string, Look>,
  catalog: Catalog,
  migrations: readonly Migration[],
): Promise<ReadonlyMap<string, readonly PlannedMigration[]>> {
  for (const [name, look] of looks) checkDrift(name, look.applied, migrations)
  const plans = new Map(
    [...looks].map(([name, look]) => [name, plan(name, look, catalog, migrations, databases.size)]),
  )
  const map = await mapOf(databases, looks)
  checkShards(map, [...databases.keys()])
  const noted = new Map(
    [...(looks.get('DB')?.placements ?? [])].map(([name, { placement }]) => [name, placement]),
  )
  const renames = plans.get('DB')?.flatMap((planned) => planned.renames) ?? []
  await checkPlacements(databases, catalog, map, noted, renames)
  if (databases.size > 1) await checkDoubles(databases, catalog)
  return plans
}

/** The pending migrations of one database, each planned on what the one before leads to. */
function plan(
  name: string,
  look: Look,
  catalog: Catalog,
  migrations: readonly Migration[],
  databases: number,
): PlannedMigration[] {
  const pending = pendingOf(look.applied, migrations)
  const model = new SchemaModel(look.schema)
  try {
    for (const statement of ownObjects(name === 'DB')) model.run(statement)
    const attachmentsOf = attachmentsFor(catalog, name === 'DB', databases > 1)
    const placeRows = placeRowsOn(catalog, name === 'DB', databases > 1)
    const planned = pending.map((migration) => {
      const before = migrations[migrations.indexOf(migration) - 1]?.snapshot ?? null
      try {
        return planMigration(model, migration, { before, attachmentsOf, placeRows })
      } catch (error) {
        if (error instanceof MigrationError) throw onDatabase(withAdvice(error, look, pending), name)
        throw new MigrationError(
          (error as Error).message,
          { database: name, migration: migration.name },
          error,
        )
      }
    })
    checkServed(catalog, model, name)
    const forget = name === 'DB' ? forgetLookups : forgetCopies
    return planned.map((one) => ({ ...one, steps: [...one.steps, ...forget(one, catalog)] }))
  } finally {
    model.close()
  }
}

/** A database that has the app's tables and no note of a migration was made by other means. */
function withAdvice(
  error: MigrationError,
  { applied, schema }: Look,
  pending: readonly Migration[],
): MigrationError {
  const isOurs = applied.length > 0 || schema.some(({ name }) => name.startsWith('_atoll_'))
  if (isOurs || !/already exists/.test(error.reason)) return error
  return new MigrationError(error.reason, {
    ...error.place,
    remedy: `The database has tables and no note of migrations. If they are what ${pending[0]?.name} makes, note that it is applied: INSERT INTO d1_migrations (name) VALUES ('${pending[0]?.name}'), in a table that wrangler d1 migrations apply makes.`,
  })
}

/**
 * New rows of a distributed table lie on one database, unless they are made of rows that are spread, or that the catalog does not know;
 * those of a local table in `DB`. Copies of reference rows are written everywhere, and made again afterwards.
 */
function placeRowsOn(catalog: Catalog, isPrimary: boolean, hasShards: boolean): PlaceRows {
  const byName = new Map([...catalog.tables.values()].map((table) => [foldName(table.name), table]))
  return (name, from) => {
    const placement = byName.get(foldName(name))?.placement
    if (!hasShards || !placement || placement.kind === 'reference') return true
    if (placement.kind === 'local') return isPrimary
    if (from.some((other) => byName.get(foldName(other))?.placement.kind === 'distributed')) return true
    return `${name} is distributed: a migration runs on every database, and would put the rows on each of them`
  }
}

/** Has values that are unique over all shards entered again, of tables whose rows a migration writes. */
function forgetLookups({ writes }: PlannedMigration, catalog: Catalog): Step[] {
  return [...catalog.tables.values()]
    .filter(({ name }) => writes.some((written) => foldName(written) === foldName(name)))
    .flatMap(({ name, uniqueAcrossShards }) =>
      uniqueAcrossShards.map((column) => ({
        sql: `DELETE FROM _atoll_state WHERE key = ${quoteText(`unique:${name}.${column}`)}`,
        source: null,
      })),
    )
}

/** Has the copies of reference tables that a migration writes made again: what it did to them need not have been the same. */
function forgetCopies({ writes }: PlannedMigration, catalog: Catalog): Step[] {
  return writes.flatMap((name) => {
    const table = [...catalog.tables.values()].find((one) => foldName(one.name) === foldName(name))
    if (table?.placement.kind !== 'reference') return []
    const path = quoteText(`$.${JSON.stringify(table.name)}`)
    return [
      {
        sql: `UPDATE _atoll_state SET value = json_remove(value, ${path}) WHERE key = '${copiedKey}' AND json_valid(value)`,
        source: null,
      },
    ]
  })
}

/** Fails when the catalog has a table or column that the database will not have: what is hung on it would make writes fail. */
function checkServed(catalog: Catalog, model: SchemaModel, database: string): void {
  for (const table of catalog.tables.values()) {
    if (table.kind !== 'table') continue
    const present = model.table(table.name)
    const missing = storedColumns(table).find(
      ({ name }) => !present?.columns.some((column) => column.name === name),
    )
    if (present && !missing) continue
    throw new MigrationError(
      `db/app/tables.ts serves ${present ? `${table.name}.${missing?.name}` : table.name}, which no migration makes`,
      { database, remedy: 'Write the migration (npm run db:generate), or take it out of db/app/schema.ts.' },
    )
  }
}

async function mapOf(
  databases: ClusterDatabases,
  looks: ReadonlyMap<string, Look>,
): Promise<ShardMap | null> {
  const hasMap = looks.get('DB')?.schema.some(({ name }) => name === '_atoll_shard_map')
  if (!hasMap) return null
  const { results } = await (databases.get('DB') as MigrationDatabase)
    .prepare(readMapText)
    .all<Record<string, unknown>>()
  return parseMap(results[0])
}
