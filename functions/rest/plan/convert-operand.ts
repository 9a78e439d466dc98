/**
 * Turns operands, which are text, into the values that a column is compared with, as PostgreSQL's input
 * functions do: what the type cannot hold is refused with the SQLSTATE that PostgreSQL gives.
 * @module
 */
import { type Column, isNumeric, type StoredValue, type ValueForm } from '../../../db/catalog/catalog.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import { parseLosslessJson } from '../../core/parse-json.ts'
import { parseList } from '../ask/parse-filter.ts'
import { unescaped } from '../ask/scanner.ts'
import { errors } from '../errors.ts'
import type { Bindable } from './bindings.ts'
import { timestampOf } from './timestamps.ts'
import type { ZonedColumn } from './zones.ts'

const truths: Readonly<Record<string, number>> = {
  true: 1,
  t: 1,
  yes: 1,
  y: 1,
  on: 1,
  1: 1,
  false: 0,
  f: 0,
  no: 0,
  n: 0,
  off: 0,
  0: 0,
}

/** The value of one operand for a column of this type. Integers stay text, so that no digit is lost. */
export function convertOperand(column: ZonedColumn, text: string): Bindable {
  if (column.form !== null) return storedOperand(column, column.form, text)
  switch (column.type) {
    case 'integer':
      return integerText(text)
    case 'real':
      return numberText(text, 'double precision')
    case 'numeric':
      return numberText(text, 'numeric')
    case 'boolean': {
      const word = text.trim().toLowerCase()
      const truth = Object.hasOwn(truths, word) ? truths[word] : undefined
      if (truth === undefined) throw errors.invalidText('boolean', text)
      return truth
    }
    case 'timestamp':
    case 'timestamp_ms':
      return timestampOf(column.type, text, column.zone)
    case 'json':
      return canonicalJson(text)
    case 'blob':
      return blobText(text)
    case 'text':
      if (column.values && !column.values.includes(text)) throw errors.invalidEnum(column.name, text)
      return text
  }
}

/** What is stored of a value in its column's form. */
function storedOperand(column: ZonedColumn, form: ValueForm, text: string): Bindable {
  if (form.parse === null)
    return keptAs(column, convertOperand({ ...column, type: form.type, form: null }, text) as StoredValue)
  let value: StoredValue
  try {
    value = form.parse(text)
  } catch (error) {
    if (error instanceof AtollError) throw error
    throw errors.invalidText(form.name, text)
  }
  return keptAs(column, value)
}

function keptAs(column: ZonedColumn, value: StoredValue): Bindable {
  if (value instanceof Uint8Array) return hexOf(value)
  const kept = typeof value === 'boolean' ? Number(value) : value
  return convertOperand({ ...column, form: null }, String(kept))
}

export function integerText(text: string): string {
  const trimmed = text.trim()
  if (!/^[+-]?\d+$/.test(trimmed)) throw errors.invalidText('integer', trimmed)
  if (trimmed.length > 18) {
    const value = BigInt(trimmed.replace(/^\+/, ''))
    if (value > 9223372036854775807n || value < -9223372036854775808n)
      throw errors.outOfRange('bigint', trimmed)
  }
  return trimmed.replace(/^\+/, '')
}

function numberText(text: string, type: string): string {
  const trimmed = text.trim()
  if (!/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed)) throw errors.invalidText(type, trimmed)
  if (!Number.isFinite(Number(trimmed))) throw errors.outOfRange(type, trimmed)
  return trimmed
}

/** JSON without insignificant white space, as SQLite's `json()` writes it, with all its digits. */
export function canonicalJson(text: string): string {
  try {
    return JSON.stringify(parseLosslessJson(text))
  } catch {
    throw errors.invalidText('json', text)
  }
}

/** Bytes as `hex()` writes them: `\x` and digits, or text. */
function blobText(text: string): string {
  if (text.startsWith('\\x')) {
    const digits = text.slice(2)
    if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) throw errors.invalidText('bytea', text)
    return digits.toUpperCase()
  }
  return hexOf(new TextEncoder().encode(text))
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}

/** `(1,2,3)` as a JSON array for `json_each`. */
export function convertList(column: Column, text: string): string {
  return jsonArray(column, parseList(text))
}

/** `{1,2,3}` (PostgreSQL's array literal) as a JSON array for `json_each`. */
export function convertArray(column: Column, text: string): string {
  return jsonArray(
    column,
    parseArrayLiteral(text).map((element) => element ?? ''),
  )
}

/** Elements go as JSON numbers or strings; digits are copied, never read into a JavaScript number. */
function jsonArray(column: Column, elements: readonly string[]): string {
  const values = elements.map((element) => {
    const value = convertOperand(column, element)
    const isNumber = isNumeric(column.type)
    return isNumber ? jsonNumber(String(value)) : JSON.stringify(value)
  })
  return `[${values.join(',')}]`
}

/** PostgreSQL reads `.5`, `5.`, `+5` and `007`; JSON does not. */
export function jsonNumber(text: string): string {
  return text
    .replace(/^\+/, '')
    .replace(/^(-?)0+(?=\d)/, '$1')
    .replace(/^(-?)\./, '$10.')
    .replace(/\.(?=$|e)/i, '')
}

/** Elements of `{a,"b c",NULL}`; nested arrays are refused. */
export function parseArrayLiteral(text: string): (string | null)[] {
  const inner = /^\s*\{([\s\S]*)\}\s*$/.exec(text)?.[1]
  if (inner === undefined) throw errors.malformedArray(text)
  if (inner.trim() === '') return []
  const elements: (string | null)[] = []
  const pattern = /(?:\s*"((?:[^"\\]|\\[\s\S])*)"\s*|([^,{}"]*))(,|$)/y
  for (;;) {
    const found = pattern.exec(inner)
    if (!found) throw errors.malformedArray(text)
    const [, quoted, bare = ''] = found
    if (quoted !== undefined) elements.push(unescaped(quoted))
    else elements.push(bare.trim().toUpperCase() === 'NULL' ? null : bare.trim())
    if (found[3] === '') return elements
  }
}
