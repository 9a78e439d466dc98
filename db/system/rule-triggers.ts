/**
 * The rules of where rows lie, kept by the databases themselves: triggers refuse what would not be found again, whoever writes it. The
 * data API never comes to that; code of the app and plain SQL do.
 *
 * | rule | refuses |
 * | --- | --- |
 * | placement | a row whose slot the database does not own, or whose table lies elsewhere |
 * | distribution | another distribution value of a row that is there |
 * | routed-id | a key that does not carry its row's slot |
 * | reserved | a value that is to be unique over all shards, and was not reserved |
 * | reference-key | another key of a row that has copies |
 * | id | a key that would leave the database no next number |
 * | width, json | what could not be shown (`shown-triggers.ts`) |
 * | range | a range that is written otherwise than it is compared (`shown-triggers.ts`) |
 *
 * And two that are no mistakes, but orders in which things must be done (`db/cluster/retire.ts`): a row of a reference table that rows on
 * shards may refer to is taken away only when the shards know that it will be; and none may begin to refer to it then.
 * @module
 */
import { type Catalog, type Column, keyColumn, type Table } from '../catalog/catalog.ts'
import { retiringMark, revokedMark, ruleMark, unretiredMark } from '../errors/constraint-error.ts'
import { idSlotExpression, slotExpression } from '../slots/slot-expression.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { retiredPermit } from './permits.ts'
import { type Referrer, referredColumns, referrersOf } from './referrers.ts'
import { abort, notPermitted, type Trigger, trigger } from './rule-trigger.ts'
import { shownTriggers } from './shown-triggers.ts'

export type Rule = 'placement' | 'distribution' | 'routed-id' | 'reserved' | 'reference-key'

/**
 * The triggers of one database, by name.
 *
 * @param shards whether there are shards beside the primary database
 */
export function ruleTriggers(catalog: Catalog, isPrimary: boolean, shards: boolean): Map<string, string> {
  const tables = [...catalog.tables.values()].filter(({ kind }) => kind === 'table')
  const referrers = shards ? referrersOf(catalog) : []
  return new Map(
    tables.flatMap((table) => [
      ...triggersOf(table, isPrimary, shards),
      ...shownTriggers(table),
      ...numbered(table, shards),
      ...notRetiring(
        table,
        referrers.filter(({ child }) => child === table),
      ),
      ...(isPrimary && shards ? retired(table, referredColumns(catalog, table)) : []),
    ]),
  )
}

function triggersOf(table: Table, isPrimary: boolean, shards: boolean): Trigger[] {
  if (table.placement.kind === 'distributed') return distributedTriggers(table, table.placement.by, shards)
  const { placement } = table
  if (isPrimary) {
    return placement.kind === 'reference' && shards ? [keptKey(table)] : []
  }
  const refused = raise('placement', table.name, '1')
  const events = placement.kind === 'reference' ? ['INSERT', 'UPDATE', 'DELETE'] : ['INSERT']
  return events.map((event) =>
    trigger(table, event.toLowerCase(), `BEFORE ${event} ON ${quoteName(table.name)}`, refused),
  )
}

function distributedTriggers(table: Table, by: string, shards: boolean): Trigger[] {
  const column = table.columns.get(by) as Column
  const key = table.ids === 'routed' ? keyColumn(table) : null
  const unique = shards ? table.uniqueAcrossShards : []
  const on = quoteName(table.name)
  const checks = [
    ...(isHashed(column) ? placed(table, column, key) : []),
    ...unique.flatMap((name) => reserved(table, name)),
  ]
  return [
    ...(checks.length === 0 ? [] : [trigger(table, 'insert', `AFTER INSERT ON ${on}`, checks)]),
    trigger(
      table,
      'distribution',
      `AFTER UPDATE OF ${quoteName(by)} ON ${on} WHEN ${changed(by)}`,
      raise('distribution', `${table.name}.${by}`, '1'),
    ),
    ...(key !== null && isHashed(column)
      ? [
          trigger(
            table,
            'key',
            `AFTER UPDATE OF ${quoteName(key.name)} ON ${on} WHEN ${changed(key.name)}`,
            placed(table, column, key),
          ),
        ]
      : []),
    ...unique.map((name) =>
      trigger(
        table,
        `unique_${name}`,
        `AFTER UPDATE OF ${quoteName(name)} ON ${on} WHEN ${changed(name)}`,
        reserved(table, name),
      ),
    ),
  ]
}

/** Behind the greatest number there is, SQLite finds no next one: of those near it, a row can only be given one, which is not there yet here. */
const greatestId = '9000000000000000000'

function numbered(table: Table, shards: boolean): Trigger[] {
  const key = keyColumn(table)
  // Numbers of distributed rows come from a sequence, which passes over what was chosen.
  const isSequence = table.placement.kind === 'distributed' && (shards || table.ids !== 'free')
  if (key?.default?.kind !== 'rowid' || isSequence) return []
  const [id, on] = [quoteName(key.name), quoteName(table.name)]
  const refused = [abort(`${ruleMark}id/${table.name}.${key.name}/`, '1')]
  return [
    trigger(table, 'id_insert', `BEFORE INSERT ON ${on} WHEN new.${id} > ${greatestId}`, refused),
    trigger(table, 'id_update', `BEFORE UPDATE OF ${id} ON ${on} WHEN new.${id} > ${greatestId}`, refused),
  ]
}

/** Whether SQLite's text of a column's values is the one that slots are worked out from. */
function isHashed({ type }: Column): boolean {
  return type === 'text' || type === 'integer' || type === 'timestamp' || type === 'timestamp_ms'
}

const changed = (name: string) => `new.${quoteName(name)} IS NOT old.${quoteName(name)} COLLATE BINARY`

/** @param subject the table, or `table.column` */
function raise(rule: Rule, subject: string, when: string): string[] {
  return [abort(`${ruleMark}${rule}/${subject}/`, when)]
}

/** The row lies where its slot does, and its key says so. The slot of a longer text than SQL works out is not known. */
function placed({ name }: Table, by: Column, key: Column | null): string[] {
  const reason = (rule: Rule) => quoteText(`${ruleMark}${rule}/${name}/`)
  const isOwned =
    "EXISTS (SELECT 1 FROM _atoll_slots WHERE first <= slot AND last >= slot AND state = 'open')"
  const contradicts =
    key === null
      ? '0'
      : `${idSlotExpression(`new.${quoteName(key.name)}`, key.type === 'integer')} IS NOT slot`
  const broken = `iif(NOT ${isOwned}, ${reason('placement')}, iif(${contradicts}, ${reason('routed-id')}, NULL))`
  return [
    `SELECT RAISE(ABORT, reason) FROM (SELECT ${broken} AS reason FROM (SELECT ${slotExpression(`new.${quoteName(by.name)}`)} AS slot) WHERE slot IS NOT NULL) WHERE reason IS NOT NULL AND ${notPermitted}`,
  ]
}

/** The value has a permit, whose token nobody has revoked; the permit is used up. */
function reserved(table: Table, name: string): string[] {
  const value = `CAST(new.${quoteName(name)} AS TEXT)`
  const subject = `${table.name}.${name}`
  const permit = `_atoll_permits AS p WHERE p.name = ${quoteText(subject)} AND p.value = ${value}`
  return [
    ...raise('reserved', subject, `${value} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${permit})`),
    // RAISE: what another statement fails with, an outer INSERT OR IGNORE passes over.
    `SELECT RAISE(ABORT, ${quoteText(revokedMark)}) FROM ${permit} AND EXISTS (SELECT 1 FROM _atoll_unique_tokens AS t WHERE t.token = p.token AND t.state = 'revoked')`,
    `DELETE FROM _atoll_permits WHERE name = ${quoteText(subject)} AND value = ${value}`,
  ]
}

function keptKey(table: Table): Trigger {
  const names = table.primaryKey.map(quoteName).join(', ')
  const when = table.primaryKey.map(changed).join(' OR ')
  return trigger(
    table,
    'key',
    `AFTER UPDATE OF ${names} ON ${quoteName(table.name)} WHEN ${when}`,
    raise('reference-key', table.name, '1'),
  )
}

/** A row that rows on shards may refer to goes, or changes what they refer to, with a token under which all shards know of it. */
function retired(table: Table, columns: readonly string[]): Trigger[] {
  if (columns.length === 0 || table.primaryKey.length === 0) return []
  const on = quoteName(table.name)
  const key = table.primaryKey.map((name) => `old.${quoteName(name)}`).join(', ')
  const isKnown = `EXISTS (SELECT 1 FROM _atoll_retiring AS r WHERE r.token = p.value AND r.name = ${quoteText(table.name)} AND r.key = json_array(${key}))`
  const isShown = `EXISTS (SELECT 1 FROM _atoll_permits AS p WHERE p.name = ${quoteText(retiredPermit)} AND (p.value = '*' OR ${isKnown}))`
  const body = [abort(`${unretiredMark}/${table.name}`, `NOT ${isShown}`)]
  const others = columns.filter((name) => !table.primaryKey.includes(name))
  return [
    trigger(table, 'retired', `BEFORE DELETE ON ${on}`, body),
    ...(others.length === 0
      ? []
      : [
          trigger(
            table,
            'retired_update',
            `BEFORE UPDATE OF ${others.map(quoteName).join(', ')} ON ${on} WHEN ${others.map(changed).join(' OR ')}`,
            body,
          ),
        ]),
  ]
}

/** No row begins to refer to one that is about to go. */
function notRetiring(table: Table, referrers: readonly Referrer[]): Trigger[] {
  if (referrers.length === 0) return []
  const on = quoteName(table.name)
  const body = referrers.map(({ parent, on: pairs }) => {
    const key = parent.primaryKey.map((name) => `p.${quoteName(name)}`).join(', ')
    const refers = pairs
      .map(([here, there]) => `p.${quoteName(there)} = new.${quoteName(here)}`)
      .join(' AND ')
    const going = `SELECT 1 FROM _atoll_retiring AS r, ${quoteName(parent.name)} AS p WHERE r.name = ${quoteText(parent.name)} AND ${refers} AND r.key = json_array(${key})`
    return abort(`${retiringMark}/${parent.name}`, `EXISTS (${going})`)
  })
  const columns = [...new Set(referrers.flatMap(({ on: pairs }) => pairs.map(([here]) => here)))]
  const when = 'EXISTS (SELECT 1 FROM _atoll_retiring)'
  return [
    trigger(table, 'retiring_insert', `AFTER INSERT ON ${on} WHEN ${when}`, body),
    trigger(
      table,
      'retiring_update',
      `AFTER UPDATE OF ${columns.map(quoteName).join(', ')} ON ${on} WHEN ${when}`,
      body,
    ),
  ]
}
