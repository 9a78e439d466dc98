/**
 * Filters of `postgres_changes`: conditions joined by commas, `column=operator.value`, on the row as the data API shows it.
 * @module
 */
import { type Column, isNumeric, type Table } from '../../db/catalog/catalog.ts'
import { asText } from './shown-key.ts'

const operators = ['eq', 'neq', 'lt', 'lte', 'gt', 'gte', 'in'] as const
type Operator = (typeof operators)[number]

export interface ChangeFilter {
  readonly column: string
  readonly operator: Operator
  /** As they are compared; several for `in`. */
  readonly values: readonly Comparable[]
}

type Comparable = string | number | bigint | boolean

/** A row as JSON has it. */
export type ShownRow = Readonly<Record<string, unknown>>

/**
 * @param table with the columns that the subscriber sees
 * @returns a text that says what is wrong with it, for one that is none
 */
export function readFilters(text: unknown, table: Table): readonly ChangeFilter[] | string {
  if (text === undefined || text === null || text === '') return []
  if (typeof text !== 'string') return `Error parsing \`filter\` params: ${JSON.stringify(text)}`
  const filters: ChangeFilter[] = []
  for (const part of splitTop(text)) {
    const found = /^\s*([^=]+?)=(\w+)\.(.*)$/s.exec(part)
    const [, name = '', operator = '', value = ''] = found ?? []
    if (found === null || !isOperator(operator)) {
      return `Error parsing \`filter\` params: ${JSON.stringify(found === null ? [part] : [operator, value])}`
    }
    const column = table.columns.get(name)
    if (!column) return `invalid column for filter ${name}`
    const list = operator === 'in' ? /^\((.*)\)$/s.exec(value)?.[1] : value
    if (list === undefined) return `Error parsing \`filter\` params: ${JSON.stringify([operator, value])}`
    const texts = operator === 'in' ? splitTop(list).map(unquoted) : [unquoted(value)]
    const values = texts.map((one) => comparable(one, column))
    if (values.includes(null)) return `invalid input for column ${name}: ${JSON.stringify(value)}`
    filters.push({ column: name, operator, values: values as Comparable[] })
  }
  return filters
}

function isOperator(text: string): text is Operator {
  return (operators as readonly string[]).includes(text)
}

/** Splits at commas outside of quotes and parentheses. */
function splitTop(text: string): string[] {
  const parts: string[] = []
  let [depth, from, isQuoted] = [0, 0, false]
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (isQuoted && char === '\\') i++
    else if (char === '"') isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (char === '(') depth++
    else if (char === ')') depth--
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  return [...parts, text.slice(from)]
}

function unquoted(text: string): string {
  const found = /^"(.*)"$/s.exec(text)
  return found ? (found[1] as string).replace(/\\(.)/gs, '$1') : text
}

/** Null for what the column cannot hold. */
function comparable(value: unknown, { type, form }: Column): Comparable | null {
  const text = asText(value)
  if (form !== null) return text
  if (type === 'boolean')
    return /^(?:true|t)$/i.test(text) ? true : /^(?:false|f)$/i.test(text) ? false : null
  if (type === 'integer' && /^-?\d+$/.test(text)) return BigInt(text)
  if (isNumeric(type)) return text.trim() === '' || Number.isNaN(Number(text)) ? null : Number(text)
  if (type === 'timestamp' || type === 'timestamp_ms') {
    const at = Date.parse(text)
    return Number.isNaN(at) ? null : at
  }
  return text
}

/**
 * Whether a row passes. What is null passes nothing, as in SQL.
 *
 * @returns null when the row lacks a column that is asked for
 */
export function passes(filters: readonly ChangeFilter[], row: ShownRow, table: Table): boolean | null {
  for (const { column, operator, values } of filters) {
    if (!Object.hasOwn(row, column)) return null
    const shown = row[column]
    if (shown === null) return false
    const value = comparable(shown, table.columns.get(column) as Column)
    if (value === null || !values.some((other) => holds(operator, compare(value, other)))) return false
  }
  return true
}

function holds(operator: Operator, order: number): boolean {
  switch (operator) {
    case 'eq':
    case 'in':
      return order === 0
    case 'neq':
      return order !== 0
    case 'lt':
      return order < 0
    case 'lte':
      return order <= 0
    case 'gt':
      return order > 0
    case 'gte':
      return order >= 0
  }
}

/** Texts as SQLite compares them, by code points: JavaScript's own order is that of UTF-16. */
function compare(a: Comparable, b: Comparable): number {
  if (typeof a === 'string' && typeof b === 'string') {
    const [left, right] = [[...a], [...b]]
    for (let i = 0; i < left.length && i < right.length; i++) {
      const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0)
      if (difference !== 0) return difference
    }
    return left.length - right.length
  }
  return a < b ? -1 : a > b ? 1 : 0
}
