import type { Catalog, Table } from '../catalog/catalog.ts'
import { readMap } from '../doors/read-map.ts'
import { ownerOf, type ShardMap } from '../slots/shard-map.ts'
import { slotOf } from '../slots/slots.ts'
import { fillLookups } from '../system/fill-lookups.ts'
import { type SeedRows, seedStatements } from './seed-statements.ts'

/** Puts rows where they belong: distributed ones on their shards, those of reference tables everywhere, others in `DB`. */
export async function seedCluster(
  databases: ReadonlyMap<string, D1Database>,
  rows: readonly SeedRows[],
  catalog: Catalog,
): Promise<void> {
  const [[primaryName, primary]] = [...databases] as [[string, D1Database]]
  const map = await readMap(databases)
  for (const [name, database] of databases) {
    const own = rows.flatMap((chunk) => rowsFor(name, name === primaryName, chunk, catalog, map))
    await database.batch(seedStatements(database, own))
  }
  if (databases.size > 1) await fillLookups(databases, map, catalog, true)
  // The copies have just been made: what the triggers have logged is done.
  const last = await primary
    .prepare('SELECT ifnull(max(sequence), 0) AS n FROM _atoll_reference_log')
    .first<number>('n')
  for (const [name, database] of databases) {
    if (name === primaryName) continue
    await database.prepare('UPDATE _atoll_shard SET reference_sequence = ?').bind(last).run()
  }
  // Rows that were there from the beginning start no jobs, and no cache knows them yet.
  for (const database of databases.values()) await database.prepare('DELETE FROM _atoll_changes').run()
}

function rowsFor(
  database: string,
  isPrimary: boolean,
  chunk: SeedRows,
  catalog: Catalog,
  map: ShardMap,
): SeedRows[] {
  const table = catalog.tables.get(chunk.table)
  const placement = table?.placement
  if (placement?.kind === 'reference') return [chunk]
  if (!table || placement?.kind !== 'distributed') return isPrimary ? [chunk] : []
  const position = chunk.columns.indexOf(placement.by)
  const own = (JSON.parse(chunk.rows) as unknown[][]).filter(
    (row) => ownerOf(map, slotOf(textOf(table, row[position]))) === database,
  )
  return own.length === 0 ? [] : [{ ...chunk, rows: JSON.stringify(own) }]
}

function textOf(table: Table, value: unknown): string {
  if (value === null || value === undefined)
    throw new Error(`a seeded row of ${table.name} has no distribution value`)
  return String(value)
}
