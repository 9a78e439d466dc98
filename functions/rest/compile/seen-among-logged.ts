/**
 * A policy asked of rows that are no more: of what the change log keeps of them.
 * @module
 */
import { storedColumns, type Table } from '../../../db/catalog/catalog.ts'
import { parameterMark, rowMark } from '../../../db/catalog/grants.ts'
import { quoteName, quoteText } from '../../../db/sql/quote.ts'
import type { BoundStatement } from '../../../db/sql/statement.ts'
import { noRows, type Rights, type RowPolicy } from '../../access/area.ts'
import { withType } from './compile-policy.ts'

const marks = new RegExp(`${parameterMark}(\\d*)${parameterMark}`, 'g')
/** What a condition reads of the row: the mark, and behind it a column's name, or what is none. */
const reads = new RegExp(`${rowMark}(?:\\."((?:[^"]|"")+)")?`, 'g')

/**
 * A statement that tells which of some rows the caller could see, by their places in a list.
 *
 * @param rows JSON array of objects: values of columns as they are stored
 * @param known columns that all of these objects have
 * @returns null when that cannot be told, as a condition reads columns that are not known
 */
export function seenAmongLogged(
  table: Table,
  rights: Rights,
  rows: string,
  known: ReadonlySet<string>,
): BoundStatement | null {
  const policy = rights.has(table, 'select') ? rights.rows(table, 'select') : noRows
  const usable = storedColumns(table).filter(({ name, type }) => known.has(name) && type !== 'blob')
  const names = new Set(usable.map(({ name }) => name))
  const parameters: (string | number | null)[] = [rows]
  const terms: string[] = []
  for (const { text, name } of conditionsOf(policy)) {
    for (const [, column] of text.matchAll(reads)) {
      if (column === undefined || !names.has(column.replaceAll('""', '"'))) return null
    }
    const bound = text.replace(marks, (mark, index: string) => {
      if (mark === rowMark) return '_atoll_v'
      parameters.push(rights.value(name, Number(index)))
      return `?${parameters.length}`
    })
    terms.push(`(${bound})`)
  }
  const columns = usable.map(
    (column) =>
      `${withType(`json_extract(value, ${quoteText(`$.${JSON.stringify(column.name)}`)})`, column)} AS ${quoteName(column.name)}`,
  )
  const where = terms.length === 0 ? '' : ` WHERE ${terms.join(' AND ')}`
  return {
    text: `SELECT _atoll_v._atoll_i AS i FROM (SELECT key AS _atoll_i${columns.map((column) => `, ${column}`).join('')} FROM json_each(?1)) AS _atoll_v${where}`,
    parameters,
  }
}

function conditionsOf(policy: RowPolicy): readonly Extract<RowPolicy, { kind: 'condition' }>[] {
  switch (policy.kind) {
    case 'all':
      return []
    case 'every':
      return policy.policies.flatMap(conditionsOf)
    case 'condition':
      return [policy]
  }
}
