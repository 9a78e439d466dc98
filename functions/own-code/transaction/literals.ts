/**
 * Parameters written into SQL text, for triggers, which take none.
 * @module
 */

import { quoteText } from '../../../db/sql/quote.ts'
import { isPunctuation, type Token, tokensOf } from '../../../db/sql/sql-tokens.ts'

/** Part of a statement, and those of its parameters that are in it, in their order. */
export interface Excerpt {
  readonly text: string
  readonly values: readonly unknown[]
}

/** What a part of a statement takes of its parameters, counted from the statement's beginning. */
export function excerptOf(sql: string, start: number, text: string, values: readonly unknown[]): Excerpt {
  const marks = marksIn(sql)
  const own = marks.filter(({ at }) => at >= start && at < start + text.length)
  return { text, values: own.map(({ number }) => values[number - 1]) }
}

/** The text with its parameters as literals of the type that D1 gives them. */
export function withLiterals(excerpt: Excerpt): string {
  return replaceMarks(excerpt, literalOf)
}

/** The text with its parameters counted from its own beginning. */
export function standingAlone(excerpt: Excerpt): string {
  return replaceMarks(excerpt, () => '?')
}

function replaceMarks({ text, values }: Excerpt, write: (value: unknown) => string): string {
  let written = ''
  let end = 0
  for (const [i, { at, length }] of marksIn(text).entries()) {
    written += text.slice(end, at) + write(values[i])
    end = at + length
  }
  return written + text.slice(end)
}

/** `?` and `?3`, where they stand, and which parameter is meant. */
function marksIn(sql: string): { readonly at: number; readonly length: number; readonly number: number }[] {
  const tokens = tokensOf(sql)
  let highest = 0
  return tokens.flatMap((token, i) => {
    if (!isPunctuation(token, '?')) return []
    const next = tokens[i + 1] as Token | undefined
    const digits = next?.kind === 'number' && next.start === token.end ? next.text : null
    const number = digits === null ? highest + 1 : Number(digits)
    highest = Math.max(highest, number)
    return [{ at: token.start, length: 1 + (digits?.length ?? 0), number }]
  })
}

/** D1 binds every number as REAL. */
function literalOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (typeof value === 'number' || typeof value === 'boolean') return numberLiteral(Number(value))
  if (typeof value === 'string') return quoteText(value)
  const bytes =
    value instanceof ArrayBuffer ? new Uint8Array(value) : Uint8Array.from(value as Iterable<number>)
  return `X'${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}'`
}

function numberLiteral(value: number): string {
  if (Number.isNaN(value)) return 'NULL'
  if (!Number.isFinite(value)) return value > 0 ? '(9e999)' : '(-9e999)'
  const text = String(value)
  return `(${/[.e]/.test(text) ? text : `${text}.0`})`
}
