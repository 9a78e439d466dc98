/**
 * Statements over rows that come as one JSON text, so that numbers stay whole and nothing depends on how many columns there are.
 * @module
 */
import { quoteName } from '../../../db/sql/quote.ts'
import type { BoundStatement } from '../../../db/sql/statement.ts'

/** What a column may hold; objects are stored as JSON. */
export type Value = string | number | boolean | null | readonly unknown[] | Readonly<Record<string, unknown>>

/** Columns by their names in SQL. */
export type Values = Readonly<Record<string, Value | undefined>>

function entriesOf(values: Values): [string, Value][] {
  return Object.entries(values).filter((entry): entry is [string, Value] => entry[1] !== undefined)
}

function textOf(entries: readonly [string, Value][]): string {
  const stored = entries.map(([name, value]) => [
    name,
    typeof value === 'object' && value !== null ? JSON.stringify(value) : value,
  ])
  return JSON.stringify(Object.fromEntries(stored))
}

const path = (name: string) => `?1->>'${name}'`

/**
 * @param tail what follows: a condition (`WHERE …`), a clause for conflicts, `RETURNING`; its parameters begin at `?2`
 */
export function insertRow(
  table: string,
  values: Values,
  tail = '',
  parameters: readonly (string | null)[] = [],
): BoundStatement {
  const entries = entriesOf(values)
  const columns = entries.map(([name]) => quoteName(name)).join(', ')
  const read = entries.map(([name]) => path(name)).join(', ')
  return {
    text: `INSERT INTO ${quoteName(table)} (${columns}) SELECT ${read} ${tail.startsWith('WHERE') ? '' : 'WHERE true '}${tail}`,
    parameters: [textOf(entries), ...parameters],
  }
}

/**
 * @param where a condition whose parameters begin at `?2`
 */
export function updateRow(
  table: string,
  values: Values,
  where: string,
  parameters: readonly (string | null)[],
): BoundStatement {
  const entries = entriesOf(values)
  const sets = entries.map(([name]) => `${quoteName(name)} = ${path(name)}`).join(', ')
  return {
    text: `UPDATE ${quoteName(table)} SET ${sets} WHERE ${where}`,
    parameters: [textOf(entries), ...parameters],
  }
}

/** An object that a column has as JSON. */
export function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : null
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    ? (parsed as Record<string, unknown>)
    : {}
}

export const numberIn = (value: unknown) => (value === null || value === undefined ? null : Number(value))
export const textIn = (value: unknown) => (value === null || value === undefined ? null : String(value))
