/**
 * The body of a write: JSON, CSV or a form, as rows of named values.
 * @module
 */

import { isRawNumber, parseJson } from '../../core/parse-json.ts'
import { errors } from '../errors.ts'
import { parseCsv } from './parse-csv.ts'

export type PayloadRow = Readonly<Record<string, unknown>>

export interface Payload {
  readonly rows: readonly PayloadRow[]
  /** Names that the rows have; with `columns=`, the names that the client gave. */
  readonly columns: readonly string[]
  /** True when the format knows text only. */
  readonly textual: boolean
}

/**
 * @param columns what the client named in `columns=`; without it, all rows must have the same names
 */
export function parsePayload(text: string, contentType: string, columns: readonly string[] | null): Payload {
  const type = mediaType(contentType)
  const textual = type !== 'application/json'
  const rows = parseRows(text, type)
  if (columns !== null) return { rows, columns: [...new Set(columns)], textual }
  const [first] = rows
  const names = first === undefined ? [] : Object.keys(first)
  const uniform = rows.every((row) => {
    const own = Object.keys(row)
    return own.length === names.length && own.every((name) => Object.hasOwn(first as PayloadRow, name))
  })
  if (!uniform) throw errors.invalidBody('All object keys must match')
  return { rows, columns: names, textual }
}

/** The type that a content type names; JSON when it names none. */
export function mediaType(contentType: string): string {
  return contentType.toLowerCase().split(';', 1)[0]?.trim() || 'application/json'
}

function parseRows(text: string, type: string): readonly PayloadRow[] {
  switch (type) {
    case 'application/json':
      return jsonRows(text)
    case 'text/csv':
      return csvRows(text)
    case 'application/x-www-form-urlencoded':
      return [Object.fromEntries(new URLSearchParams(text))]
    default:
      throw errors.contentType(type)
  }
}

function jsonRows(text: string): readonly PayloadRow[] {
  const json = parseJson(text)
  const rows = Array.isArray(json) ? json : [json]
  if (!rows.every(isObject)) {
    throw errors.invalidBody(Array.isArray(json) ? 'All object keys must match' : 'Empty or invalid json')
  }
  return rows
}

function isObject(value: unknown): value is PayloadRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value)
}

/** The first line names the columns; `NULL` without quotes is null. */
function csvRows(text: string): readonly PayloadRow[] {
  const [header, ...lines] = parseCsv(text)
  if (header === undefined) return []
  const names = header.map((cell) => cell.text)
  return lines.map((cells) => {
    if (cells.length !== names.length) throw errors.invalidBody('All lines must have same number of fields')
    return Object.fromEntries(
      cells.map((cell, i) => [names[i] as string, cell.text === 'NULL' && !cell.quoted ? null : cell.text]),
    )
  })
}
