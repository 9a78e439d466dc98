/**
 * Columns whose values are not shown as they are stored: how they are printed, read, ordered and compared.
 * @module
 */
import { type SQL, sql } from 'drizzle-orm'
import { SQLiteSyncDialect } from 'drizzle-orm/sqlite-core'
import type { RangeKind } from '../values/range-bounds.ts'
import { rangeOrder } from '../values/range-sql.ts'
import { canonicalRange } from '../values/ranges.ts'
import type { ColumnType, StoredValue, ValueForm } from './catalog.ts'

/** The JSON form of a column's values, as an app declares it. */
export interface JsonForm {
  /** What its values are in JSON. */
  readonly type: 'text' | 'integer' | 'real' | 'numeric' | 'boolean' | 'json'
  /** What messages and the API's description call the type. Default: its SQL type. */
  readonly name?: string
  /**
   * SQL of the value in JSON over the stored one: 0 or 1 of booleans, JSON text of `json`. Default: the stored value itself. What is printed is
   * read again by `parse`, which gives the value that was printed.
   */
  readonly print?: (stored: SQL) => SQL
  /**
   * The stored value of a text that a caller gives: in a filter, in CSV, or in JSON, where numbers, booleans, arrays and objects come as their
   * JSON. Equal values are stored equally. What it throws is told as 22P02. Default: as `type` is read.
   */
  readonly parse?: (text: string) => StoredValue
  /**
   * What SQLite keeps. Default: what the SQL type's affinity says; where that is numeric, and texts or JSON are not printed otherwise than they are
   * stored, text.
   */
  readonly stored?: 'integer' | 'real' | 'numeric' | 'text' | 'blob'
  /** SQL of what values are ordered by, and compared by otherwise than for being equal. Default: the stored value itself. */
  readonly order?: (stored: SQL) => SQL
}

/** Stands for the stored value in the SQL of a form. */
const valueMark = '\u0002'

const text = `CAST(${valueMark} AS TEXT)`

const dialect = new SQLiteSyncDialect()

/** SQL of a form over a stored value. */
export function over(text: string, stored: string): string {
  return text.replaceAll(valueMark, stored)
}

/** Null stays null, whatever the app makes of values. */
function textOver(write: ((stored: SQL) => SQL) | undefined): string | null {
  if (write === undefined) return null
  const written = dialect.sqlToQuery(write(sql.raw(valueMark)).inlineParams()).sql
  return `(CASE WHEN ${valueMark} IS NOT NULL THEN ${written} END)`
}

type Driver = (value: unknown) => unknown

/** What SQLite takes values for: https://sqlite.org/datatype3.html#determination_of_column_affinity */
export function affinityOf(sqlType: string): ColumnType {
  if (sqlType.includes('int')) return 'integer'
  if (/char|clob|text/.test(sqlType)) return 'text'
  if (sqlType === '' || sqlType.includes('blob')) return 'blob'
  return /real|floa|doub/.test(sqlType) ? 'real' : 'numeric'
}

/** What is stored of the values of a type of the app's own. */
export function storedType({ type, stored, print }: JsonForm, sqlType: string): ColumnType {
  if (stored !== undefined) return stored
  const affinity = affinityOf(sqlType)
  const isText = (type === 'text' || type === 'json') && print === undefined
  return affinity === 'numeric' && isText ? 'text' : affinity
}

/** @returns what is wrong with it and how to mend it, or the form */
export function declaredForm(declared: JsonForm, sqlType: string, toDriver: Driver): ValueForm | string {
  const { type, name = sqlType, print, parse, order } = declared
  if (print !== undefined && parse === undefined)
    return 'it prints what nobody can read again; give its form `parse` as well'
  const ordered = textOver(order)
  // Digits are a number to such a column.
  const isCast = type === 'text' && affinityOf(sqlType) !== 'text'
  return {
    name,
    type,
    described: type,
    isJson: type === 'json',
    print: textOver(print) ?? (isCast ? text : null),
    order: ordered === null ? [] : [ordered],
    parse: parse ?? null,
    toDriver,
    range: null,
    isDeclared: true,
    source: String(parse),
  }
}

const own = { isJson: false, range: null, isDeclared: false, source: '' } as const

export function rangeForm(kind: RangeKind, toDriver: Driver): ValueForm {
  return {
    ...own,
    name: kind,
    type: 'text',
    described: 'text',
    print: null,
    order: rangeOrder(valueMark, kind),
    parse: (text) => canonicalRange(kind, text),
    toDriver,
    range: kind,
  }
}

const bytesOf = (digits: string) => new TextEncoder().encode(digits)
const maxDigits = 1000

/** Whole numbers of any length that Drizzle keeps as their digits in a blob: `blob({ mode: 'bigint' })`. */
export function bigintForm(toDriver: Driver): ValueForm {
  return {
    ...own,
    name: 'numeric',
    type: 'json',
    described: 'integer',
    print: text,
    order: [`CAST(${text} AS NUMERIC)`],
    parse: (digits) => {
      if (digits.length > maxDigits) throw new Error('too long')
      if (!/^\s*[+-]?\d+\s*$/.test(digits)) throw new Error('no whole number')
      return bytesOf(String(BigInt(digits.trim().replace('+', ''))))
    },
    toDriver,
  }
}

/** JSON that Drizzle keeps as bytes: `blob({ mode: 'json' })`. */
export function blobJsonForm(toDriver: Driver): ValueForm {
  const type = 'json'
  return {
    ...own,
    name: type,
    type,
    described: type,
    isJson: true,
    print: text,
    order: [],
    parse: bytesOf,
    toDriver,
  }
}
