/**
 * Triggers on reference tables in the primary database: they log the key of every row that changes, whoever changes it, so
 * that the copies on the shards can follow.
 * @module
 */
import type { Catalog, Table } from '../catalog/catalog.ts'
import { quoteName, quoteText } from '../quote.ts'
import type { MigrationDatabase } from '../wrangler-database.ts'

const prefix = '_atoll_reference_of_'

/** Tables whose rows are copied to every shard. */
export function referenceTables(catalog: Catalog): Table[] {
  return [...catalog.tables.values()].filter(
    ({ kind, placement }) => kind === 'table' && placement.kind === 'reference',
  )
}

/** Makes the triggers that the catalog wants, and drops those of tables that are no longer reference tables. */
export async function reconcileReferenceTriggers(
  database: MigrationDatabase,
  catalog: Catalog,
): Promise<void> {
  const wanted = new Map(referenceTables(catalog).flatMap(triggersOf))
  const { results } = await database
    .prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '${prefix}*'`)
    .all<{ name: string; sql: string }>()
  const present = new Map(results.map(({ name, sql }) => [name, sql]))
  const changes = [
    ...[...present]
      .filter(([name, sql]) => wanted.get(name) !== sql)
      .map(([name]) => `DROP TRIGGER ${quoteName(name)}`),
    ...[...wanted].filter(([name, sql]) => present.get(name) !== sql).map(([, sql]) => sql),
  ]
  if (changes.length > 0) await database.batch(changes.map((statement) => database.prepare(statement)))
}

function triggersOf(table: Table): [name: string, sql: string][] {
  const key = (row: 'new' | 'old') =>
    `json_array(${table.primaryKey.map((column) => `${row}.${quoteName(column)}`).join(', ')})`
  const log = (row: 'new' | 'old', when = '') =>
    `INSERT INTO _atoll_reference_log (name, key) SELECT ${quoteText(table.name)}, ${key(row)}${when};`
  const trigger = (event: string, body: string): [string, string] => {
    const name = `${prefix}${table.name}_${event.toLowerCase()}`
    return [
      name,
      `CREATE TRIGGER ${quoteName(name)} AFTER ${event} ON ${quoteName(table.name)} BEGIN ${body} END`,
    ]
  }
  return [
    trigger('INSERT', log('new')),
    trigger('UPDATE', `${log('new')} ${log('old', ` WHERE ${key('old')} IS NOT ${key('new')}`)}`),
    trigger('DELETE', log('old')),
  ]
}
