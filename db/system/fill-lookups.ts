import type { Catalog, Column, Table } from '../catalog/catalog.ts'
import { MigrationError } from '../errors/migration-error.ts'
import { ownerOf, type ShardMap } from '../slots/shard-map.ts'
import { keySlot, slotOf } from '../slots/slots.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName } from '../sql/quote.ts'

/** Rows that are read at once; their entries travel as one literal, and a statement holds 100,000 bytes. */
const rowsPerRead = 500

/**
 * Enters the values of rows that were there before their column was declared unique over all shards.
 *
 * @param again whether columns that were done before are looked at once more
 * @throws when two shards have the same value
 */
export async function fillLookups(
  databases: ReadonlyMap<string, MigrationDatabase>,
  map: ShardMap,
  catalog: Catalog,
  again = false,
): Promise<string[]> {
  const primary = databases.get('DB') as MigrationDatabase
  const { results } = await primary
    .prepare("SELECT key FROM _atoll_state WHERE key GLOB 'unique:*'")
    .all<{ key: string }>()
  const known = new Set(results.map(({ key }) => key))
  const done: string[] = []
  for (const table of catalog.tables.values()) {
    for (const name of table.uniqueAcrossShards) {
      const key = `unique:${table.name}.${name}`
      if (known.delete(key) && !again) continue
      await clear(databases, `${table.name}.${name}`)
      const entered = await fill(databases, map, table, table.columns.get(name) as Column)
      await primary.batch([
        primary.prepare('INSERT OR REPLACE INTO _atoll_state VALUES (?, ?)').bind(key, 'done'),
      ])
      if (entered > 0) done.push(`entered ${entered} values of ${table.name}.${name}`)
    }
  }
  for (const key of known) await forget(databases, key)
  return done
}

async function fill(
  databases: ReadonlyMap<string, MigrationDatabase>,
  map: ShardMap,
  table: Table,
  column: Column,
): Promise<number> {
  const { placement } = table
  if (placement.kind !== 'distributed') return 0
  const name = `${table.name}.${column.name}`
  const value = `CAST(${quoteName(column.name)} AS TEXT)`
  let entered = 0
  for (const database of databases.values()) {
    let after = Number.MIN_SAFE_INTEGER
    for (;;) {
      const { results: rows } = await database
        .prepare(
          `SELECT rowid AS n, ${value} AS value, CAST(${quoteName(placement.by)} AS TEXT) AS by FROM ${quoteName(table.name)} WHERE rowid > ? AND ${value} IS NOT NULL ORDER BY rowid LIMIT ${rowsPerRead}`,
        )
        .bind(after)
        .all<{ n: number; value: string; by: string | null }>()
      for (const [shard, own] of Map.groupBy(rows, (row) => ownerOf(map, keySlot(row.value)))) {
        await enter(databases.get(shard) as MigrationDatabase, name, own)
      }
      entered += rows.length
      after = rows.at(-1)?.n ?? after
      if (rows.length < rowsPerRead) break
    }
  }
  return entered
}

function doubles(name: string, value: string): MigrationError {
  return new MigrationError(
    `${name} is not unique over all shards: ${JSON.stringify(value)} is on two of them`,
    {
      remedy: 'Change one of the two, or take uniqueAcrossShards back in db/app/tables.ts.',
    },
  )
}

/**
 * Looks for values that two shards have, of columns that are newly declared unique over all of them.
 *
 * @throws MigrationError with the first
 */
export async function checkDoubles(
  databases: ReadonlyMap<string, MigrationDatabase>,
  catalog: Catalog,
): Promise<void> {
  for (const table of catalog.tables.values()) {
    for (const column of table.uniqueAcrossShards) {
      const name = `${table.name}.${column}`
      if (await isFilled(databases.get('DB') as MigrationDatabase, name)) continue
      const known = new Set<string>()
      for (const database of databases.values())
        for await (const value of valuesOf(database, table.name, column)) {
          if (known.has(value)) throw doubles(name, value)
          known.add(value)
        }
    }
  }
}

async function isFilled(primary: MigrationDatabase, name: string): Promise<boolean> {
  const { results } = await primary
    .prepare('SELECT 1 AS n FROM _atoll_state WHERE key = ?')
    .bind(`unique:${name}`)
    .all()
    .catch(() => ({ results: [] }))
  return results.length > 0
}

/** Each database's values once; nothing of a table or column that a migration has yet to make. */
async function* valuesOf(database: MigrationDatabase, table: string, column: string): AsyncGenerator<string> {
  // With its table, a name that is no column's is an error, and not text.
  const named = `${quoteName(table)}.${quoteName(column)}`
  for (let after = ''; ; ) {
    const { results } = await database
      .prepare(
        `SELECT DISTINCT CAST(${named} AS TEXT) AS v FROM ${quoteName(table)} WHERE CAST(${named} AS TEXT) > ? ORDER BY 1 LIMIT 5000`,
      )
      .bind(after)
      .all<{ v: string }>()
      .catch(() => ({ results: [] as { v: string }[] }))
    for (const { v } of results) yield v
    if (results.length < 5000) return
    after = results.at(-1)?.v ?? ''
  }
}

async function enter(
  database: MigrationDatabase,
  name: string,
  rows: readonly { readonly value: string; readonly by: string | null }[],
): Promise<void> {
  const list = JSON.stringify(rows.map(({ value, by }) => [value, keySlot(value), slotOf(by ?? '')]))
  await database.batch([
    database
      .prepare(
        `INSERT INTO _atoll_unique (name, value, home, slot, token, at) SELECT ?, value->>0, value->>1, value->>2, 'filled:' || hex(randomblob(12)), 0 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`,
      )
      .bind(name, list),
  ])
  const { results } = await database
    .prepare(
      'SELECT u.value FROM json_each(?) AS j JOIN _atoll_unique AS u ON u.name = ? AND u.value = j.value->>0 WHERE u.slot <> j.value->>2 LIMIT 1',
    )
    .bind(list, name)
    .all<{ value: string }>()
  const [twice] = results
  if (twice) throw doubles(name, twice.value)
}

/** Entries of an earlier filling say nothing any more; those that writers made for themselves stay. */
async function clear(databases: ReadonlyMap<string, MigrationDatabase>, name: string): Promise<void> {
  for (const database of databases.values())
    await database.batch([
      database
        .prepare(
          "DELETE FROM _atoll_unique WHERE name = ? AND (token GLOB 'filled*' OR at < unixepoch() * 1000 - 60000)",
        )
        .bind(name),
    ])
}

/** Takes away what belongs to a column that is no longer declared. */
async function forget(databases: ReadonlyMap<string, MigrationDatabase>, key: string): Promise<void> {
  for (const [name, database] of databases) {
    await database.batch([
      database.prepare('DELETE FROM _atoll_unique WHERE name = ?').bind(key.slice('unique:'.length)),
      ...(name === 'DB' ? [database.prepare('DELETE FROM _atoll_state WHERE key = ?').bind(key)] : []),
    ])
  }
}
