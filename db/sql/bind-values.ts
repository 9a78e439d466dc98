import { quoteText } from './quote.ts'
import { isPunctuation, type Token, tokensOf } from './sql-tokens.ts'

/** What is bound to a statement; booleans are numbers by then. */
export type SqlValue = string | number | null

/** A statement as D1's REST API takes it: its parameters are text. */
export interface BoundStatement {
  readonly sql: string
  readonly params: readonly string[]
}

/**
 * Text stays a parameter; numbers and null become literals, as parameters of the REST API are text and would be compared as
 * such. `?` and `?1` in texts, names and comments are none. A comment with a semicolon goes, as D1 is said to end a statement there.
 */
export function bindValues(text: string, values: readonly SqlValue[]): BoundStatement {
  const params: string[] = []
  const positions = new Map<number, number>()
  let highest = 0
  const use = (number: number): string => {
    highest = Math.max(highest, number)
    const value = values[number - 1]
    if (value === undefined) throw new Error(`There is no value for parameter ${number} of: ${text}`)
    if (typeof value !== 'string') return literalOf(value)
    let position = positions.get(number)
    if (position === undefined) {
      position = params.push(value)
      positions.set(number, position)
    }
    return `?${position}`
  }
  const sql = rewrite(text, () => highest, use)
  if (values.length > highest)
    throw new Error(`There are ${values.length} values for ${highest} parameters of: ${text}`)
  return { sql, params }
}

/** A statement with all of its values in its text, for where there are no parameters. */
export function inlineValues({ sql, params }: BoundStatement): string {
  return rewrite(
    sql,
    () => 0,
    (number) => literalOf(params[number - 1] as string),
  )
}

/** @param use the text in the place of a parameter of this number */
function rewrite(text: string, highest: () => number, use: (number: number) => string): string {
  const tokens = tokensOf(text)
  while (isPunctuation(tokens.at(-1), ';')) tokens.pop()
  let sql = ''
  let end = tokens[0]?.start ?? 0
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token
    const between = text.slice(end, token.start)
    sql += between.includes(';') ? ' ' : between
    end = token.end
    if (!isPunctuation(token, '?')) {
      sql += token.text
      continue
    }
    const digits = tokens[i + 1]
    const isNumbered = digits?.kind === 'number' && digits.start === token.end
    sql += use(isNumbered ? Number(digits.text) : highest() + 1)
    if (isNumbered) end = (tokens[++i] as Token).end
  }
  return sql
}

/** In parentheses, so that no sign meets another and no digit a word. */
function literalOf(value: SqlValue): string {
  if (value === null || Number.isNaN(value)) return 'NULL'
  if (typeof value === 'string') return quoteText(value)
  if (!Number.isFinite(value)) return value > 0 ? '(9e999)' : '(-9e999)'
  return `(${value})`
}

/** Whether SQL only reads, so that it can be run twice without harm. What is not known does not. */
export function onlyReads(sql: string): boolean {
  const tokens = tokensOf(sql)
  const word = (at: number) => (tokens[at]?.kind === 'word' ? (tokens[at]?.text.toUpperCase() ?? '') : '')
  if (word(0) === 'PRAGMA') return readingPragmas.has(word(1))
  if (!['SELECT', 'VALUES', 'WITH', 'EXPLAIN'].includes(word(0))) return false
  return !tokens.some((_, at) => ['INSERT', 'REPLACE', 'UPDATE', 'DELETE'].includes(word(at)))
}

const readingPragmas = new Set([
  'TABLE_LIST',
  'TABLE_INFO',
  'TABLE_XINFO',
  'INDEX_LIST',
  'INDEX_INFO',
  'INDEX_XINFO',
  'FOREIGN_KEY_LIST',
  'FOREIGN_KEY_CHECK',
  'QUICK_CHECK',
])
