/**
 * Triggers on reference tables in the primary database: they log the key of every row that changes, whoever changes it, so
 * that the copies on the shards can follow.
 * @module
 */
import { type Catalog, sameColumns, type Table } from '../catalog/catalog.ts'
import { quoteName, quoteText } from '../sql/quote.ts'

/** Begins the names of the triggers that log changes of reference tables; the table follows. */
export const referenceTriggerPrefix = '_atoll_reference_of_'

/** Tables whose rows are copied to every shard. */
export function referenceTables(catalog: Catalog): Table[] {
  return [...catalog.tables.values()].filter(
    ({ kind, placement }) => kind === 'table' && placement.kind === 'reference',
  )
}

/** The triggers of the primary database, by name. */
export function referenceTriggers(catalog: Catalog): Map<string, string> {
  return new Map(referenceTables(catalog).flatMap(triggersOf))
}

function triggersOf(table: Table): [name: string, sql: string][] {
  const key = (row: 'new' | 'old') =>
    `json_array(${table.primaryKey.map((column) => `${row}.${quoteName(column)}`).join(', ')})`
  const log = (row: 'new' | 'old', when = '') =>
    `INSERT INTO _atoll_reference_log (name, key) SELECT ${quoteText(table.name)}, ${key(row)}${when};`
  const trigger = (event: string, body: string, when: 'BEFORE' | 'AFTER' = 'AFTER'): [string, string] => {
    const about = when === 'AFTER' ? event : `${when}_${event}`
    const name = `${referenceTriggerPrefix}${table.name}_${about.toLowerCase()}`
    return [
      name,
      `CREATE TRIGGER ${quoteName(name)} ${when} ${event} ON ${quoteName(table.name)} BEGIN ${body} END`,
    ]
  }
  const isOther = table.primaryKey.map((name) => `${quoteName(name)} IS NOT new.${quoteName(name)}`)
  const ownKey = `json_array(${table.primaryKey.map(quoteName).join(', ')})`
  const replaced = table.uniques
    .filter(({ columns }) => !sameColumns(columns, table.primaryKey))
    .map(({ columns }) => {
      const same = columns.map((name) => `${quoteName(name)} = new.${quoteName(name)}`).join(' AND ')
      return `INSERT INTO _atoll_reference_log (name, key) SELECT ${quoteText(table.name)}, ${ownKey} FROM ${quoteName(table.name)} WHERE ${same} AND (${isOther.join(' OR ')});`
    })
  // What REPLACE takes away fires no trigger of its own; a row that is logged and stays costs a look.
  const before = replaced.length === 0 ? [] : ['INSERT', 'UPDATE']
  return [
    ...before.map((event) => trigger(event, replaced.join(' '), 'BEFORE')),
    trigger('INSERT', log('new')),
    trigger('UPDATE', `${log('new')} ${log('old', ` WHERE ${key('old')} IS NOT ${key('new')}`)}`),
    trigger('DELETE', log('old')),
  ]
}
