import type { Column } from '../../../db/catalog/catalog.ts'
import type { WritePlan } from '../plan/plan.ts'

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

/** What an update sets a column to: what was sent, or what it fills in. */
export function updatedValue({ filled }: WritePlan, column: Column, row: string, index: number): string {
  return filled.includes(column) ? touchedValue(column, row, index) : storedOrDefault(column, row, index)
}

/** What `$onUpdate` makes of a column, whose value is in the array unless it is SQL. */
export function touchedValue(column: Column, row: string, index: number): string {
  return column.onUpdate?.kind === 'sql' ? `(${column.onUpdate.text})` : storedValue(column, row, index)
}
