import { errors } from './errors.ts'
import { parseLossless } from './parse-lossless.ts'

/** A number with more digits than JavaScript keeps, as it was written. */
export interface RawNumber {
  readonly rawJSON: string
}

interface JsonWithSource {
  rawJSON(text: string): RawNumber
  isRawJSON(value: unknown): value is RawNumber
}

/** https://tc39.es/proposal-json-parse-with-source/, which V8 has and TypeScript's library does not know. */
const sourceJson = JSON as unknown as JsonWithSource

export function isRawNumber(value: unknown): value is RawNumber {
  return sourceJson.isRawJSON(value)
}

/** Parses JSON; numbers that would lose digits are kept as they were written. @throws SyntaxError for what is no JSON */
export function parseLosslessJson(text: string): unknown {
  return parseLossless(text, (digits) => sourceJson.rawJSON(digits))
}

/** The same for a body. @throws 400 for what is no JSON */
export function parseJson(text: string): unknown {
  try {
    return parseLosslessJson(text)
  } catch {
    throw errors.invalidBody('Empty or invalid json')
  }
}
