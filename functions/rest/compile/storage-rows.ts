import { type Column, keyColumn } from '../../../db/catalog/catalog.ts'
import { makeRoutedId, makeRoutedNumber, slotOf, slotOfId } from '../../../db/slots/slots.ts'
import { byteLength } from '../../core/byte-length.ts'
import type { Payload, PayloadRow } from '../ask/parse-payload.ts'
import { errors } from '../errors.ts'
import { canonicalText } from '../plan/place.ts'
import type { WritePlan } from '../plan/plan.ts'
import { type ZonedColumn, zoneOf } from '../plan/zones.ts'
import { maxParameterBytes } from './sql.ts'
import { defaultMark, driverDefault, storageDefault, storageValue } from './storage-value.ts'

/** A row to store: JSON of its values, in the order of the plan's columns and then the filled ones. */
export interface StoredRow {
  readonly text: string
  /** The slot that it belongs to; null when its table is not distributed. */
  readonly slot: number | null
  /** Which row of the payload it is made of. */
  readonly index: number
}

/** @param ids numbers for the rows that have none, in order */
export function storageRows(
  plan: WritePlan,
  payload: Payload,
  ids: readonly number[] = [],
): readonly StoredRow[] {
  const takesDefaults = plan.preferences.missing === 'default'
  const zone = plan.preferences.timezone === null ? undefined : zoneOf(plan.preferences.timezone)
  // An update takes one row of values, and PUT the first.
  const rows = plan.action === 'insert' ? payload.rows : payload.rows.slice(0, 1)
  const columns = [...plan.columns, ...plan.filled]
  // Whichever row comes first in its statement: they are of one moment.
  const touched = plan.touched.map(touchOf)
  let used = 0
  return rows.map((row, index) => {
    const before = used
    const values = [
      ...plan.columns.map((column) => {
        const value = storedText(zone ? { ...column, zone } : column, row, takesDefaults, payload.textual)
        // SQLite numbers a new row that has no id; an old one keeps its own.
        const isUnnumbered = value === 'null' && column.default?.kind === 'rowid'
        if (plan.action === 'update' && isUnnumbered)
          throw errors.notNull(plan.root.table.shownName, column.name, null)
        return isUnnumbered && column === plan.numbered ? String(ids[used++]) : value
      }),
      ...plan.filled.map((column) => {
        if (plan.action === 'update') return touchOf(column)
        return column === plan.numbered ? String(ids[used++]) : defaultOf(column)
      }),
      ...touched,
    ]
    const isNumbered = used > before
    const isLeftOut = (column: Column) => takesDefaults && row[column.name] === undefined
    const slot = plan.action === 'update' ? null : slotOfRow(plan, columns, values, isNumbered, isLeftOut)
    return { text: `[${values.join(',')}]`, slot, index }
  })
}

/**
 * The slot of a new row, by its distribution value; its routed id is made for it, or must be of it.
 *
 * @param isNumbered whether the row was given a number, which its id is to be made of
 * @param isLeftOut whether a column that others of the payload set has its default
 */
function slotOfRow(
  plan: WritePlan,
  columns: readonly Column[],
  values: string[],
  isNumbered: boolean,
  isLeftOut: (column: Column) => boolean,
): number | null {
  const { table, placement } = plan.root
  if (placement.kind !== 'distributed') return null
  const position = columns.findIndex((column) => column.name === placement.by)
  const by = columns[position]
  const value = position < 0 ? null : (JSON.parse(quotedNumber(values[position] as string)) as string | null)
  if (by === undefined) return null
  // Rows without a value lie together.
  const slot = slotOf(value === null ? '' : canonicalText(by, value))
  const own = keyColumn(table)
  const key = own === null ? -1 : columns.indexOf(own)
  if (table.ids !== 'routed' || key < 0) return slot
  const column = columns[key] as Column
  const isInteger = column.type === 'integer'
  if (isInteger && isNumbered) values[key] = String(makeRoutedNumber(slot, Number(values[key])))
  else if (!isInteger && (plan.filled.includes(column) || isLeftOut(column)))
    values[key] = JSON.stringify(makeRoutedId(slot))
  else {
    const id = JSON.parse(quotedNumber(values[key] as string)) as unknown
    if (id !== null && slotOfId(String(id), isInteger) !== slot)
      throw errors.contradictingId(table.shownName, String(id))
  }
  return slot
}

/** JSON of a number as a string, so that no digit of it is lost. */
function quotedNumber(json: string): string {
  return /^-?\d/.test(json) ? `"${json}"` : json
}

/** Rows as JSON arrays of arrays, one text for each statement. */
export function chunksOf(rows: readonly StoredRow[]): string[] {
  const chunks: string[] = []
  let chunk: string[] = []
  let bytes = 0
  for (const { text } of rows) {
    const size = byteLength(text) + 1
    if (bytes + size > maxParameterBytes && chunk.length > 0) {
      chunks.push(`[${chunk.join(',')}]`)
      chunk = []
      bytes = 0
    }
    chunk.push(text)
    bytes += size
  }
  if (chunk.length > 0) chunks.push(`[${chunk.join(',')}]`)
  return chunks
}

/** Rows that a function answers with, under Drizzle's names or the columns' own, in the order of the columns. */
export function functionRows(columns: readonly Column[], rows: readonly PayloadRow[]): string {
  const arrays = rows.map((row) => {
    const values = columns.map((column) =>
      storageDefault(column, Object.hasOwn(row, column.key) ? row[column.key] : row[column.name]),
    )
    return `[${values.join(',')}]`
  })
  return `[${arrays.join(',')}]`
}

function storedText(column: ZonedColumn, row: PayloadRow, takesDefaults: boolean, textual: boolean): string {
  if (takesDefaults && !Object.hasOwn(row, column.name)) return defaultOf(column)
  return storageValue(column, row[column.name], textual)
}

/** What `$onUpdate` makes of a column; SQL stands in the statement. */
function touchOf(column: Column): string {
  return column.onUpdate?.kind === 'function' ? storageDefault(column, column.onUpdate.make()) : 'null'
}

function defaultOf(column: Column): string {
  switch (column.default?.kind) {
    case 'value':
      return driverDefault(column, column.default.value)
    case 'function':
      return storageDefault(column, column.default.make())
    case 'sql':
      return defaultMark
    default:
      return 'null'
  }
}
