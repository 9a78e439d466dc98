import type { Column } from '../../db/catalog/catalog.ts'
import { errors } from '../errors.ts'
import { byteLength } from './byte-length.ts'
import type { Payload, PayloadRow } from './parse-payload.ts'
import type { WritePlan } from './plan.ts'
import { defaultMark, storageDefault, storageValue } from './storage-value.ts'

/** Most bytes of one parameter, under D1's limit of 2,000,000. */
const maxChunkBytes = 1_900_000

/**
 * The rows to store as JSON arrays of arrays, in the order of the plan's columns and then the filled ones. One text
 * for each statement: a single one, unless the rows are more than a parameter holds.
 */
export function storageRows(plan: WritePlan, payload: Payload): readonly string[] {
  const takesDefaults = plan.preferences.missing === 'default'
  // An update takes one row of values, and PUT the first.
  const rows = plan.action === 'insert' ? payload.rows : payload.rows.slice(0, 1)
  const chunks: string[] = []
  let chunk: string[] = []
  let bytes = 0
  for (const row of rows) {
    const values = [
      ...plan.columns.map((column) => {
        const value = storedText(column, row, takesDefaults, payload.textual)
        // SQLite numbers a new row that has no id; an old one keeps its own.
        const isUnnumbered = value === 'null' && column.default?.kind === 'rowid'
        if (plan.action === 'update' && isUnnumbered)
          throw errors.notNull(plan.root.table.name, column.name, null)
        return value
      }),
      ...plan.filled.map((column) => defaultOf(column)),
    ]
    const text = `[${values.join(',')}]`
    const size = byteLength(text) + 1
    if (bytes + size > maxChunkBytes && chunk.length > 0) {
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

function storedText(column: Column, row: PayloadRow, takesDefaults: boolean, textual: boolean): string {
  if (takesDefaults && !Object.hasOwn(row, column.name)) return defaultOf(column)
  return storageValue(column, row[column.name], textual)
}

function defaultOf(column: Column): string {
  switch (column.default?.kind) {
    case 'value':
      return storageDefault(column, column.default.value)
    case 'function':
      return storageDefault(column, column.default.make())
    case 'sql':
      return defaultMark
    default:
      return 'null'
  }
}
