/**
 * Whether the rows that are there have ids that carry their slots, where the app says that they do: others would not be found by them.
 * @module
 */
import { type Catalog, keyColumn, type Table } from '../catalog/catalog.ts'
import { MigrationError } from '../errors/migration-error.ts'
import { slotCount } from '../slots/slots.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName } from '../sql/quote.ts'
import { sameName } from '../sql/sql-tokens.ts'
import { isUnrouted } from './route-ids.ts'

type Databases = ReadonlyMap<string, MigrationDatabase>

/**
 * Looks at the smallest ids before anything is changed: integers below 16,384 carry no slot.
 *
 * @param written tables whose rows pending migrations write, and may be giving other ids
 * @throws MigrationError naming a table that has such rows
 */
export async function checkSmallIds(
  databases: Databases,
  catalog: Catalog,
  written: readonly string[],
): Promise<void> {
  const noted = await notesOf(databases).catch(() => new Set<string>())
  for (const table of catalog.tables.values()) {
    const key = keyColumn(table)
    const isKnown = noted.has(noteOf(table)) || written.some((name) => sameName(name, table.name))
    if (table.ids !== 'routed' || key?.type !== 'integer' || isKnown) continue
    for (const [name, database] of databases) {
      const named = `${quoteName(table.name)}.${quoteName(key.name)}`
      const text = `SELECT min(${named}) AS n FROM ${quoteName(table.name)}`
      const n = await numberOf(database, text).catch(() => null)
      if (n !== null && n < slotCount) throw refusal(table, name)
    }
  }
}

/**
 * Looks at all rows of tables that were never looked at, and notes that it has: from then on triggers refuse such ids.
 *
 * @throws MigrationError naming a table that has rows whose ids do not carry their slots
 */
export async function checkRouted(databases: Databases, catalog: Catalog): Promise<void> {
  const primary = databases.get('DB') as MigrationDatabase
  const known = await notesOf(databases)
  for (const table of catalog.tables.values()) {
    const condition = isUnrouted(table)
    const note = noteOf(table)
    if (condition === null || known.delete(note)) continue
    for (const [name, database] of databases) {
      const text = `SELECT 1 AS n FROM ${quoteName(table.name)} WHERE ${condition} LIMIT 1`
      if ((await numberOf(database, text)) !== null) throw refusal(table, name)
    }
    await primary.batch([
      primary.prepare("INSERT OR REPLACE INTO _atoll_state VALUES (?, 'done')").bind(note),
    ])
  }
  // A table that is no longer routed may get any ids, and is looked at again when it is declared so once more.
  for (const note of known)
    await primary.batch([primary.prepare('DELETE FROM _atoll_state WHERE key = ?').bind(note)])
}

/** Notes of the tables that were looked at. */
async function notesOf(databases: Databases): Promise<Set<string>> {
  const { results } = await (databases.get('DB') as MigrationDatabase)
    .prepare("SELECT key FROM _atoll_state WHERE key GLOB 'routed:*'")
    .all<{ key: string }>()
  return new Set(results.map(({ key }) => key))
}

function noteOf({ name }: Table): string {
  return `routed:${name}`
}

async function numberOf(database: MigrationDatabase, text: string): Promise<number | null> {
  const { results } = await database.prepare(text).all<{ n: number | null }>()
  return results[0]?.n ?? null
}

function refusal({ name }: Table, database: string): MigrationError {
  return new MigrationError(
    `ids of ${name} do not carry the slots of their rows, which would not be found by them`,
    {
      database,
      remedy: `Say ids: 'free' in db/app/tables.ts, or have them made anew: npm run db:generate -- --route-ids ${name}`,
    },
  )
}
