/**
 * Brings a cluster whose tables are as the schema says to what Atoll needs besides: triggers, full-text indexes, the shard map, lookups,
 * and the copies of reference tables. Each step looks at what is done, so it can be run again after a failure.
 * @module
 */
import type { Catalog } from '../catalog/catalog.ts'
import { notedDetails } from '../catalog/noted-placements.ts'
import { placementsOf } from '../catalog/placements.ts'
import type { StorageDeclarations } from '../catalog/storage-policy.ts'
import { changeTriggerPrefix, changeTriggers } from '../changes/change-triggers.ts'
import { readMap } from '../doors/read-map.ts'
import { MigrationError } from '../errors/migration-error.ts'
import { evenRanges, type SlotRange } from '../slots/shard-map.ts'
import { slotCount } from '../slots/slots.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { copyReferenceTables } from '../system/copy-reference-tables.ts'
import { declareBuckets } from '../system/declare-buckets.ts'
import { fillLookups } from '../system/fill-lookups.ts'
import { reconcileTriggers } from '../system/reconcile-triggers.ts'
import { referenceTriggerPrefix, referenceTriggers } from '../system/reference-triggers.ts'
import { ruleTriggerPrefix } from '../system/rule-trigger.ts'
import { ruleTriggers } from '../system/rule-triggers.ts'
import { reconcileSearch } from '../system/search-objects.ts'
import { addedColumns, primaryObjects, systemObjects } from '../system/system-objects.ts'
import { checkRouted } from './check-routed.ts'

/** The databases of a cluster by their bindings; the first is `DB`, the primary one. */
export type ClusterDatabases = ReadonlyMap<string, MigrationDatabase>

/** Statements that make Atoll's own objects in a database; each can be run again without harm. */
export function ownObjects(isPrimary: boolean): string[] {
  return [...systemObjects, ...(isPrimary ? primaryObjects : [])]
}

/** Makes Atoll's own objects in a database. */
export async function makeOwnObjects(database: MigrationDatabase, isPrimary: boolean): Promise<void> {
  await database.batch(ownObjects(isPrimary).map((statement) => database.prepare(statement)))
  await addColumns(database)
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

/** @returns what was done to each database, in words */
export async function settleCluster(
  databases: ClusterDatabases,
  catalog: Catalog,
  storage: StorageDeclarations,
): Promise<Map<string, string[]>> {
  const [[primaryName, primary], ...shards] = [...databases] as [
    [string, MigrationDatabase],
    ...[string, MigrationDatabase][],
  ]
  const done = new Map<string, string[]>()
  for (const [name, database] of databases) {
    done.set(name, await reconcileSearch(database, catalog))
    const isPrimary = name === primaryName
    const isCopied = isPrimary && shards.length > 0
    await reconcileTriggers(
      database,
      [changeTriggerPrefix, ruleTriggerPrefix, ...(isCopied ? [referenceTriggerPrefix] : [])],
      new Map([
        ...changeTriggers(catalog, isPrimary),
        ...ruleTriggers(catalog, isPrimary, shards.length > 0),
        ...(isCopied ? referenceTriggers(catalog) : []),
      ]),
    )
  }
  await declareBuckets(primary, storage)
  await makeShardMap(databases, catalog)
  await checkRouted(databases, catalog)
  if (shards.length > 0) {
    const entered = await fillLookups(databases, await readMap(databases), catalog)
    done.get(primaryName)?.push(...entered)
  }
  for (const [name, database] of shards) {
    const copied = await copyReferenceTables(primary, database, catalog)
    if (copied !== null && copied > 0) done.get(name)?.push(`copied ${copied} reference rows to ${name}`)
  }
  // The primary database last: what it says, Workers go by.
  for (const database of [...databases.values()].reverse()) await notePlacements(database, catalog)
  return done
}

/** Notes where the app says that rows lie: a Worker that says otherwise is refused, until it is migrated. */
async function notePlacements(database: MigrationDatabase, catalog: Catalog): Promise<void> {
  const list = JSON.stringify([...placementsOf(catalog)])
  await database.batch([
    database.prepare('DELETE FROM _atoll_placements'),
    database
      .prepare(
        'INSERT INTO _atoll_placements (name, placement) SELECT value->>0, value->>1 FROM json_each(?)',
      )
      .bind(list),
    database
      .prepare("INSERT OR REPLACE INTO _atoll_state (key, value) VALUES ('placed', ?)")
      .bind(notedDetails(catalog)),
  ])
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
  for (const [name, database] of databases) {
    if ((await count(database, 'SELECT epoch AS n FROM _atoll_shard')) <= 1) continue
    throw new MigrationError(`${primaryName} has no shard map, and ${name} has had slots for long`, {
      remedy: `Restore ${primaryName} to a moment at which it had one; the relay then finds who owns what by now.`,
    })
  }
  const held = await Promise.all(
    [...catalog.tables.values()]
      .filter(({ kind, placement }) => kind === 'table' && placement.kind === 'distributed')
      .map(({ name }) =>
        count(primary, `SELECT count(*) AS n FROM (SELECT 1 FROM ${quoteName(name)} LIMIT 1)`),
      ),
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
    primary.prepare('INSERT OR IGNORE INTO _atoll_cluster VALUES (1, 1)'),
  ])
}

/** Databases that the map does not know own nothing, and are at its epoch. */
async function addNewShards(databases: ClusterDatabases): Promise<void> {
  const [[, primary]] = [...databases] as [[string, MigrationDatabase]]
  const { results } = await primary.prepare('SELECT name FROM _atoll_shards').all<{ name: string }>()
  const known = new Set(results.map(({ name }) => name))
  const added = [...databases].filter(([name]) => !known.has(name))
  for (const [, database] of added) {
    // A database that owned slots before is no new one: DB was put back to before it knew of it, and the relay makes the map anew.
    if ((await count(database, 'SELECT epoch AS n FROM _atoll_shard')) === 0) await ownSlots(database, [])
  }
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
