/**
 * Values of a payload as SQLite will store them, written as JSON: what PostgreSQL's types would refuse is refused
 * here, before the database sees it.
 * @module
 */
import { type Column, isNumeric } from '../../../db/catalog/catalog.ts'
import { isRawNumber } from '../../core/parse-json.ts'
import { errors } from '../errors.ts'
import { convertOperand, jsonNumber, parseArrayLiteral } from '../plan/convert-operand.ts'
import type { ZonedColumn } from '../plan/zones.ts'

/** Stands for "the column's default": no value is stored as an object. */
export const defaultMark = '{}'

/**
 * JSON text of the value to store. JSON columns hold JSON as text, so theirs is a string.
 *
 * @param textual whether the payload's format knows text only (CSV, forms)
 */
export function storageValue(column: ZonedColumn, value: unknown, textual = false): string {
  if (value === null || value === undefined) return 'null'
  // CSV and forms have no other way to leave a number, date or JSON value out.
  const shown = column.form?.type ?? column.type
  if (textual && value === '' && shown !== 'text') return 'null'
  if (column.type === 'json') return JSON.stringify(shownText(jsonText(value, textual)))
  const text = column.form?.isJson ? shownText(jsonText(value, textual)) : textOf(value)
  if (column.type === 'text' && column.maxLength !== null && [...text].length > column.maxLength) {
    throw errors.tooLong(column.maxLength)
  }
  if (text.includes('\0')) throw errors.nullCharacter()
  if (!text.isWellFormed()) throw errors.loneSurrogate()
  const converted = convertOperand(column, text)
  // What is not shown is not kept, as Drizzle has it: a fraction of the second, or of the millisecond.
  if (column.type === 'timestamp' || column.type === 'timestamp_ms')
    return String(Math.floor(converted as number))
  const isNumber = isNumeric(column.type)
  return isNumber ? jsonNumber(converted as string) : JSON.stringify(converted)
}

/** What a value is that Drizzle has of a column: made by its default, or in a row that a function answers with. */
export function storageDefault(column: Column, value: unknown): string {
  if (column.form === null || value === null || value === undefined) return driverDefault(column, value)
  return driverDefault(column, column.form.toDriver(value))
}

/** What a value is as the database knows it. */
export function driverDefault({ form: _, ...type }: Column, value: unknown): string {
  const column = { ...type, form: null }
  if (value instanceof Date) return storageValue(column, value.toISOString())
  if (value instanceof Uint8Array) {
    return storageValue(column, `\\x${[...value].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`)
  }
  return storageValue(column, typeof value === 'bigint' ? String(value) : value)
}

/** SQLite reads JSON up to a thousand levels deep, and what is shown stands within some that are not its own. */
const maxJsonDepth = 900

/** What is stored can be shown: JSON that the database could not read again is refused. */
function shownText(json: string): string {
  // Each level takes a character.
  if (json.length <= maxJsonDepth) return json
  let depth = 0
  let isText = false
  for (let i = 0; i < json.length; i++) {
    const char = json[i]
    if (isText) {
      if (char === '\\') i++
      else if (char === '"') isText = false
    } else if (char === '"') isText = true
    else if (char === '[' || char === '{') {
      if (++depth > maxJsonDepth)
        throw errors.tooComplex(`JSON is nested more than ${maxJsonDepth} levels deep`)
    } else if (char === ']' || char === '}') depth--
  }
  return json
}

/** Text, as PostgreSQL takes JSON into a column that is none. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (isRawNumber(value)) return value.rawJSON
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/**
 * The JSON to keep in a JSON column. Forms and CSV know text only, so JSON comes as its text there; and an array may
 * come as PostgreSQL's array literal anywhere, for clients that send such columns so.
 */
function jsonText(value: unknown, textual: boolean): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  if (textual) {
    try {
      return JSON.stringify(JSON.parse(value))
    } catch {
      // not JSON: an array literal or plain text
    }
  }
  if (/^\s*\{[^:]*\}\s*$/.test(value)) return JSON.stringify(parseArrayLiteral(value).map(arrayElement))
  return JSON.stringify(value)
}

function arrayElement(element: string | null): unknown {
  if (element === null) return null
  const number = element.trim() === '' ? Number.NaN : Number(element)
  return Number.isSafeInteger(number) ? number : element
}
