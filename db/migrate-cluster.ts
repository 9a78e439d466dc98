/**
 * Brings every database of a cluster up to the schema: Atoll's own objects, the app's migrations, full-text indexes,
 * the shard map, and the copies of reference tables. Each step looks at what is done, so it can be run again after a failure.
 * @module
 */
import { applyMigrations, type Migration } from './apply-migrations.ts'
import type { Catalog } from './catalog/catalog.ts'
import { changeTriggerPrefix, changeTriggers } from './changes/change-triggers.ts'
import { evenRanges, type SlotRange } from './cluster/shard-map.ts'
import { slotCount } from './cluster/slots.ts'
import { readMap } from './read-map.ts'
import type { StorageDeclarations } from './storage-policy.ts'
import { copyReferenceTables } from './system/copy-reference-tables.ts'
import { declareBuckets } from './system/declare-buckets.ts'
import { fillLookups } from './system/fill-lookups.ts'
import { reconcileTriggers } from './system/reconcile-triggers.ts'
import { referenceTriggerPrefix, referenceTriggers } from './system/reference-triggers.ts'
import { reconcileSearch } from './system/search-objects.ts'
import { primaryObjects } from './system/system-objects.ts'
import type { MigrationDatabase } from './wrangler-database.ts'

/** The databases of a cluster by their bindings; the first is `DB`, the primary one. */
export type ClusterDatabases = ReadonlyMap<string, MigrationDatabase>

/** What was done to one database. */
export interface MigrationReport {
  readonly database: string
  /** Names of the app's migrations that were applied now. */
  readonly applied: readonly string[]
  readonly done: readonly string[]
}

export async function migrateCluster(
  databases: ClusterDatabases,
  catalog: Catalog,
  migrations: readonly Migration[],
  storage: StorageDeclarations = {},
): Promise<MigrationReport[]> {
  const [primary, ...shards] = [...databases]
  if (!primary) throw new Error('there is no database bound as DB')
  const reports: MigrationReport[] = []
  for (const [name, database] of databases) {
    const applied = await applyMigrations(database, migrations, name === primary[0] ? primaryObjects : [])
    const done = await reconcileSearch(database, catalog)
    const triggers = changeTriggers(catalog, name === primary[0])
    await reconcileTriggers(database, changeTriggerPrefix, triggers)
    reports.push({ database: name, applied, done })
  }
  if (shards.length > 0) {
    await reconcileTriggers(primary[1], referenceTriggerPrefix, referenceTriggers(catalog))
  }
  await declareBuckets(primary[1], storage)
  await makeShardMap(databases, catalog)
  if (shards.length > 0) {
    const done = await fillLookups(databases, await readMap(databases), catalog)
    const [first] = reports as [MigrationReport]
    reports[0] = { ...first, done: [...first.done, ...done] }
  }
  for (const [i, [name, database]] of shards.entries()) {
    const copied = await copyReferenceTables(primary[1], database, catalog)
    if (copied === null || copied === 0) continue
    const report = reports[i + 1] as MigrationReport
    reports[i + 1] = { ...report, done: [...report.done, `copied ${copied} reference rows to ${name}`] }
  }
  return reports
}

/**
 * The first shard map: slots in equal parts, or all of them in the primary database when that has distributed rows
 * already, which then move when they are told to.
 */
async function makeShardMap(databases: ClusterDatabases, catalog: Catalog): Promise<void> {
  const [[primaryName, primary]] = [...databases] as [[string, MigrationDatabase]]
  if ((await count(primary, 'SELECT count(*) AS n FROM _atoll_cluster')) > 0) {
    await addNewShards(databases)
    return
  }
  const held = await Promise.all(
    [...catalog.tables.values()]
      .filter(({ kind, placement }) => kind === 'table' && placement.kind === 'distributed')
      .map(({ name }) => count(primary, `SELECT count(*) AS n FROM (SELECT 1 FROM "${name}" LIMIT 1)`)),
  )
  const ranges: readonly SlotRange[] = held.some((rows) => rows > 0)
    ? [{ first: 0, last: slotCount - 1, shard: primaryName }]
    : evenRanges([...databases.keys()])
  // Every database learns what it owns before the map says so.
  for (const [name, database] of databases) {
    const owned = ranges.filter(({ shard }) => shard === name)
    await ownSlots(database, owned)
  }
  await primary.batch([
    primary.prepare('DELETE FROM _atoll_shard_map'),
    ...ranges.map(({ first, last, shard }) =>
      primary.prepare('INSERT INTO _atoll_shard_map VALUES (?, ?, ?)').bind(first, last, shard),
    ),
    ...[...databases.keys()].map((name) =>
      primary.prepare('INSERT OR REPLACE INTO _atoll_shards VALUES (?, 1)').bind(name),
    ),
    primary.prepare('INSERT INTO _atoll_cluster VALUES (1, 1)'),
  ])
}

/** Databases that the map does not know own nothing, and are at its epoch. */
async function addNewShards(databases: ClusterDatabases): Promise<void> {
  const [[, primary]] = [...databases] as [[string, MigrationDatabase]]
  const { results } = await primary.prepare('SELECT name FROM _atoll_shards').all<{ name: string }>()
  const known = new Set(results.map(({ name }) => name))
  const added = [...databases].filter(([name]) => !known.has(name))
  for (const [, database] of added) await ownSlots(database, [])
  if (added.length === 0) return
  await primary.batch(
    added.map(([name]) => primary.prepare('INSERT OR IGNORE INTO _atoll_shards VALUES (?, 1)').bind(name)),
  )
}

/** Tells a new database what it owns. */
async function ownSlots(database: MigrationDatabase, owned: readonly SlotRange[]): Promise<void> {
  await database.batch([
    database.prepare('DELETE FROM _atoll_slots'),
    ...owned.map(({ first, last }) =>
      database.prepare('INSERT INTO _atoll_slots (first, last) VALUES (?, ?)').bind(first, last),
    ),
    database.prepare('UPDATE _atoll_shard SET epoch = 1'),
  ])
}

async function count(database: MigrationDatabase, text: string): Promise<number> {
  const { results } = await database.prepare(text).all<{ n: number }>()
  return Number(results[0]?.n ?? 0)
}
