/**
 * The change log: triggers on every served table note each row that changes, in the transaction that changes it, whoever
 * writes. What follows a change (the cache, jobs, webhooks) reads it there.
 * @module
 */
import { type Catalog, type Column, storedColumns, type Table } from '../catalog/catalog.ts'
import { joinBalanced } from '../sql/join-balanced.ts'
import { quoteName, quoteText } from '../sql/quote.ts'

/** Begins the names of the change log's triggers; the table follows. */
export const changeTriggerPrefix = '_atoll_change_of_'

/** The triggers of one database, by name. A shard's copies of reference tables are logged where they are written. */
export function changeTriggers(catalog: Catalog, isPrimary: boolean): Map<string, string> {
  const tables = [...catalog.tables.values()].filter(
    ({ kind, placement }) => kind === 'table' && (isPrimary || placement.kind === 'distributed'),
  )
  return new Map(tables.flatMap(triggersOf))
}

type Version = 'new' | 'old'

function triggersOf(table: Table): [name: string, sql: string][] {
  const { placement } = table
  const identity = (row: Version) => {
    const column = (name: string) =>
      // JSON holds no blobs.
      table.columns.get(name)?.type === 'blob'
        ? `hex(${row}.${quoteName(name)})`
        : `${row}.${quoteName(name)}`
    const key = table.primaryKey.length > 0 ? table.primaryKey.map(column) : [`${row}.rowid`]
    const by = placement.kind === 'distributed' ? `CAST(${row}.${quoteName(placement.by)} AS TEXT)` : 'NULL'
    return `json_array(${key.join(', ')}), ${by}`
  }
  const valuesOf = (row: Version, has: boolean) => (has && table.logValues ? rowValues(table, row) : 'NULL')
  const log = (row: Version, operation: 'insert' | 'update' | 'delete', when = '') => {
    const columns = operation === 'update' ? changedColumns(table) : 'NULL'
    const values = `${valuesOf('old', operation !== 'insert')}, ${valuesOf('new', operation !== 'delete')}`
    return `INSERT INTO _atoll_changes (name, operation, key, value, at, columns, old, new) SELECT ${quoteText(table.name)}, ${quoteText(operation)}, ${identity(row)}, CAST(unixepoch('subsec') * 1000 AS INTEGER), ${columns}, ${values}${when};`
  }
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

/** JSON array of the names of columns whose values an update has changed. */
function changedColumns(table: Table): string {
  const changed = storedColumns(table).map(
    ({ name }) =>
      // Not CASE: D1's REST API takes its END for the trigger's.
      `iif(new.${quoteName(name)} IS NOT old.${quoteName(name)} COLLATE BINARY, ${quoteText(`,${JSON.stringify(name)}`)}, '')`,
  )
  return `'[' || substr(${concatenated(changed)}, 2) || ']'`
}

/** Bytes of a row beyond which its values are not logged: as JSON they must stay below what D1 takes as one text. */
const maxValueBytes = 300_000

/** JSON object of a row's values as SQLite stores them, blobs as hexadecimal digits; null for a row that is too large. */
function rowValues(table: Table, row: Version): string {
  const columns = storedColumns(table)
  const sizes = columns.map(({ name }) => `ifnull(octet_length(${row}.${quoteName(name)}), 0)`)
  const pairs = columns.map(
    (column) => `${quoteText(`,${JSON.stringify(column.name)}:`)} || ${jsonValue(column, row)}`,
  )
  return `iif(${joinBalanced(sizes, ' + ')} <= ${maxValueBytes}, '{' || substr(${concatenated(pairs)}, 2) || '}', NULL)`
}

/** Blobs may be stored in columns of any type. */
function jsonValue({ name }: Column, row: Version): string {
  const value = `${row}.${quoteName(name)}`
  return `json_quote(iif(typeof(${value}) = 'blob', hex(${value}), ${value}))`
}

const concatenated = (terms: readonly string[]) => `(${joinBalanced(terms, ' || ')})`
