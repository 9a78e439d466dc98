/**
 * The change log: triggers on every served table note each row that changes, in the transaction that changes it, whoever
 * writes. What follows a change (so far the cache) reads it there.
 * @module
 */
import type { Catalog, Table } from '../catalog/catalog.ts'
import { quoteName, quoteText } from '../quote.ts'

export const changeTriggerPrefix = '_atoll_change_of_'

/** The triggers of one database, by name. A shard's copies of reference tables are logged where they are written. */
export function changeTriggers(catalog: Catalog, isPrimary: boolean): Map<string, string> {
  const tables = [...catalog.tables.values()].filter(
    ({ kind, placement }) => kind === 'table' && (isPrimary || placement.kind === 'distributed'),
  )
  return new Map(tables.flatMap(triggersOf))
}

function triggersOf(table: Table): [name: string, sql: string][] {
  const { placement } = table
  const identity = (row: 'new' | 'old') => {
    const column = (name: string) =>
      // JSON holds no blobs.
      table.columns.get(name)?.type === 'blob'
        ? `hex(${row}.${quoteName(name)})`
        : `${row}.${quoteName(name)}`
    const key = table.primaryKey.length > 0 ? table.primaryKey.map(column) : [`${row}.rowid`]
    const by = placement.kind === 'distributed' ? `CAST(${row}.${quoteName(placement.by)} AS TEXT)` : 'NULL'
    return `json_array(${key.join(', ')}), ${by}`
  }
  const log = (row: 'new' | 'old', operation: string, when = '') =>
    `INSERT INTO _atoll_changes (name, operation, key, value, at) SELECT ${quoteText(table.name)}, ${quoteText(operation)}, ${identity(row)}, CAST(unixepoch('subsec') * 1000 AS INTEGER)${when};`
  const trigger = (operation: string, body: string): [string, string] => {
    const name = `${changeTriggerPrefix}${table.name}_${operation}`
    return [
      name,
      `CREATE TRIGGER ${quoteName(name)} AFTER ${operation.toUpperCase()} ON ${quoteName(table.name)} BEGIN ${body} END`,
    ]
  }
  const moved = ` WHERE (${identity('old')}) IS NOT (${identity('new')})`
  return [
    trigger('insert', log('new', 'insert')),
    // A row whose key changes is one that goes and one that comes.
    trigger('update', `${log('new', 'update')} ${log('old', 'delete', moved)}`),
    trigger('delete', log('old', 'delete')),
  ]
}
