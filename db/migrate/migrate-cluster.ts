/**
 * Brings every database of a cluster up to the schema: looks at each, works out what is to be done, tries what rows could make fail, and
 * only then begins. What is done already is left alone, so it can be run again after a failure, and goes on where it ended.
 * @module
 */
import { createHash } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import type { TableDeclarations } from '../catalog/declarations.ts'
import { placementsOf } from '../catalog/placements.ts'
import type { StorageDeclarations } from '../catalog/storage-policy.ts'
import { changeTriggers } from '../changes/change-triggers.ts'
import { MigrationError } from '../errors/migration-error.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { referenceTriggers } from '../system/reference-triggers.ts'
import { ruleTriggers } from '../system/rule-triggers.ts'
import { applyMigration, tryMigrations } from './apply-migration.ts'
import { asRowsLie, type Staying } from './as-rows-lie.ts'
import { checkSmallIds } from './check-routed.ts'
import { explainFailure } from './explain-failure.ts'
import { type Look, lookAt } from './look.ts'
import { hashOf, type Migration } from './migration.ts'
import { planCluster } from './plan-cluster.ts'
import type { PlannedMigration } from './plan-migration.ts'
import { type ClusterDatabases, makeOwnObjects, ownObjects, settleCluster } from './settle-cluster.ts'

export interface MigrateOptions {
  readonly storage?: StorageDeclarations
  /** What the catalog was made of: tables whose rows would be hidden stay where they are noted to lie. Left out: they are refused. */
  readonly declared?: TableDeclarations
  /** Looks, plans and tries, and changes nothing. */
  readonly planOnly?: boolean
  /** Is told what is being done, in words. */
  readonly tell?: (line: string) => void
}

/** What was done to one database, or would be. */
export interface MigrationReport {
  readonly database: string
  /** Names of the app's migrations that were applied now. */
  readonly applied: readonly string[]
  readonly done: readonly string[]
  /** How they were carried out, or would be. */
  readonly planned: readonly PlannedMigration[]
  /** Of the primary database, tables that stay where they are until they are converted. */
  readonly staying: readonly Staying[]
}

/**
 * @throws MigrationError when it refuses, before anything is changed; and when it fails half-way, saying where: run again, it goes on
 */
export async function migrateCluster(
  databases: ClusterDatabases,
  declared: Catalog,
  migrations: readonly Migration[],
  options: MigrateOptions = {},
): Promise<MigrationReport[]> {
  if (!databases.has('DB')) throw new MigrationError('there is no database bound as DB')
  const { storage = {}, tell = () => undefined } = options
  const looks = await lookAtAll(databases)
  const { catalog, staying } = await asRowsLie(databases, declared, looks, options.declared)
  const stayingOf = (database: string) => (database === 'DB' ? staying : [])
  const mark = settledMark(catalog, migrations, storage, [...databases.keys()])
  if ([...looks.values()].every((look) => look.settled === settledText(mark, look)))
    return [...databases.keys()].map((database) => ({
      ...{ database, applied: [], done: [], planned: [] },
      staying: stayingOf(database),
    }))

  const plans = await planCluster(databases, looks, catalog, migrations)
  const written = [...plans.values()].flatMap((planned) => planned.flatMap(({ writes }) => writes))
  await checkSmallIds(databases, catalog, written)
  for (const [name, planned] of plans) await tryOn(name, databases, looks.get(name), planned, tell)
  if (options.planOnly)
    return [...plans].map(([database, planned]) => ({
      ...{ database, applied: [], done: [], planned },
      staying: stayingOf(database),
    }))

  for (const [name, planned] of plans) {
    const database = databases.get(name) as MigrationDatabase
    await makeOwnObjects(database, name === 'DB')
    for (const one of planned) {
      tell(`${name}: applying ${one.migration.name}`)
      await applyOn(name, database, one)
    }
    await noteHashes(database, looks.get(name) as Look, migrations)
  }
  tell('looking after triggers, search, lookups and copies')
  const done = await settleCluster(databases, catalog, storage)
  for (const database of databases.values()) await noteSettled(database, mark)
  return [...plans].map(([database, planned]) => ({
    database,
    applied: planned.map(({ migration }) => migration.name),
    done: done.get(database) ?? [],
    planned,
    staying: stayingOf(database),
  }))
}

/**
 * Whether databases are what the code says, or can become so by its migrations; nothing is tried, and nothing changed.
 *
 * @returns the tables that are to be converted
 * @throws MigrationError when migrations differ from their files, or rows would be hidden
 */
export async function checkCluster(
  databases: ClusterDatabases,
  catalog: Catalog,
  migrations: readonly Migration[],
  declared?: TableDeclarations,
): Promise<readonly Staying[]> {
  const looks = await lookAtAll(databases)
  const lie = await asRowsLie(databases, catalog, looks, declared)
  await planCluster(databases, looks, lie.catalog, migrations)
  return lie.staying
}

async function lookAtAll(databases: ClusterDatabases): Promise<ReadonlyMap<string, Look>> {
  const looks = new Map<string, Look>()
  for (const [name, database] of databases) looks.set(name, await lookAt(database))
  return looks
}

/** What databases that need nothing have noted: all that this depends on, in one hash. */
function settledMark(
  catalog: Catalog,
  migrations: readonly Migration[],
  storage: StorageDeclarations,
  databases: readonly string[],
): string {
  const tables = [...catalog.tables.values()].map((table) => [
    table.name,
    table.search,
    table.uniqueAcrossShards,
    table.ids,
  ])
  const triggers = [
    changeTriggers(catalog, true),
    changeTriggers(catalog, false),
    referenceTriggers(catalog),
    ruleTriggers(catalog, true, databases.length > 1),
    ruleTriggers(catalog, false, databases.length > 1),
  ]
  const parts = [
    ownObjects(true),
    tables,
    triggers.map((own) => [...own]),
    [...placementsOf(catalog)],
    migrations.map((migration) => [migration.name, hashOf(migration)]),
    Object.entries(storage).map(([id, { public: open, maxBytes, mimeTypes }]) => [
      id,
      open,
      maxBytes,
      mimeTypes,
    ]),
    databases,
    enginesWork,
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** Changes whenever what this module does to databases does. */
const enginesWork = 2

async function tryOn(
  name: string,
  databases: ClusterDatabases,
  look: Look | undefined,
  planned: readonly PlannedMigration[],
  tell: (line: string) => void,
): Promise<void> {
  // A database that has no tables of the app has no rows that could be in the way.
  const isNew = !look?.schema.some(
    (object) => object.type === 'table' && !/^(?:_atoll_|d1_)/.test(object.name),
  )
  if (planned.length === 0 || isNew) return
  tell(`${name}: trying ${planned.length} ${planned.length === 1 ? 'migration' : 'migrations'}`)
  const database = databases.get(name) as MigrationDatabase
  const failure = await tryMigrations(database, planned, ownObjects(name === 'DB'))
  if (failure) throw await explainFailure(failure, database, name)
}

async function applyOn(name: string, database: MigrationDatabase, planned: PlannedMigration): Promise<void> {
  const isDone = async () =>
    (await lookAt(database)).applied.some(({ name: done }) => done === planned.migration.name)
  try {
    await applyMigration(database, planned)
  } catch (error) {
    // An answer that got lost says nothing of what was done, and of two at the same time the other one may have been first.
    const found = await isDone().catch(() => false)
    if (found) return
    throw new MigrationError(
      (error as Error).message,
      {
        database: name,
        migration: planned.migration.name,
        remedy: 'It is not applied there; those before it are. Run npm run db:migrate again to go on.',
      },
      error,
    )
  }
}

/** Migrations that other tools applied are taken to be what their files say. */
async function noteHashes(
  database: MigrationDatabase,
  { applied }: Look,
  migrations: readonly Migration[],
): Promise<void> {
  const unknown = migrations.filter(({ name }) =>
    applied.some((one) => one.name === name && one.hash === null),
  )
  if (unknown.length === 0) return
  await database.batch(
    unknown.map((migration) =>
      database
        .prepare('INSERT OR IGNORE INTO _atoll_migrations (name, hash) VALUES (?, ?)')
        .bind(migration.name, hashOf(migration)),
    ),
  )
}

/** What is noted beside it: the schema that all this led to, so that what others do to it is seen. */
function settledText(mark: string, { schema }: Look): string {
  return `${mark} ${createHash('sha256').update(JSON.stringify(schema)).digest('hex')}`
}

async function noteSettled(database: MigrationDatabase, mark: string): Promise<void> {
  await database.batch([
    database
      .prepare("INSERT OR REPLACE INTO _atoll_state (key, value) VALUES ('settled', ?)")
      .bind(settledText(mark, await lookAt(database))),
  ])
}
