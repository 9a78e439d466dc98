/**
 * Values of rows as texts by which they are told apart: numbers keep all of their digits.
 * @module
 */
import { parseLossless } from '../core/parse-lossless.ts'

/** A number as it was written, which JSON gives back as it was. */
export interface Digits {
  readonly rawJSON: string
}

const rawJson = (JSON as unknown as { rawJSON(text: string): Digits }).rawJSON

/** JSON whose numbers keep their digits when it is made JSON again. */
export function parseRows(text: string): unknown {
  return parseLossless(text, (digits) => rawJson(digits))
}

/** A value of a row, or of its key in the change log, as text. */
export function asText(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null && 'rawJSON' in value) return (value as Digits).rawJSON
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** A key's values as one text. */
export function keyText(values: readonly unknown[]): string {
  return JSON.stringify(values.map(asText))
}
