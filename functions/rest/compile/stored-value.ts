import type { Column } from '../../../db/catalog/catalog.ts'

/** A column's value out of a JSON array that `storage-rows.ts` made. */
export function storedValue(column: Column, row: string, index: number): string {
  const value = `${row}->>${index}`
  return column.type === 'blob' ? `unhex(${value})` : value
}

/** The same, with the column's own default where the array says so. */
export function storedOrDefault(column: Column, row: string, index: number): string {
  const value = storedValue(column, row, index)
  if (column.default?.kind !== 'sql') return value
  return `CASE json_type(${row},'$[${index}]') WHEN 'object' THEN (${column.default.text}) ELSE ${value} END`
}
