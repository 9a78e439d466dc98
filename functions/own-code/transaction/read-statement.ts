/**
 * What a statement of SQL does, as far as it has to be known to run it for a try: whether it writes, where, and what it answers.
 * @module
 */
import {
  isPunctuation,
  isWord,
  nameOf,
  splitAtCommas,
  type Token,
  textOf,
  tokensOf,
} from '../../../db/sql/sql-tokens.ts'

export type StatementMeaning = { readonly kind: 'read'; readonly hasClock: boolean } | WriteMeaning

export interface WriteMeaning {
  readonly kind: 'write'
  /** Which changes of rows are its own; an insert that meets a row may update it. */
  readonly events: readonly ('INSERT' | 'UPDATE' | 'DELETE')[]
  readonly table: string
  /** What its RETURNING list calls the table. */
  readonly alias: string
  readonly returning: Returning | null
  /** Whether it says something else each time that it is run, as the time of day does. */
  readonly hasClock: boolean
}

/** The list behind RETURNING. */
export interface Returning {
  readonly text: string
  /** Position of its first character in the statement. */
  readonly start: number
  readonly items: readonly (readonly Token[])[]
}

/** A statement that cannot be run for a try. */
export class UnknownStatement extends Error {}

/** SQL whose value is another one each time. */
export const clock =
  /\bcurrent_(?:timestamp|date|time)\b|\brandom(?:blob)?\s*\(|['"]now['"]|\b(?:unixepoch|julianday|datetime|date|time)\s*\(\s*(?:\)|'subsec(?:ond)?')/i

/** What they answer depends on the statement before, which in a try is another one. */
const connectionFunctions = ['LAST_INSERT_ROWID', 'CHANGES', 'TOTAL_CHANGES']

/** @throws UnknownStatement for what is no single statement that reads or writes rows */
export function readStatement(sql: string): StatementMeaning {
  const tokens = tokensOf(sql)
  while (isPunctuation(tokens.at(-1), ';')) tokens.pop()
  if (tokens.some((token) => isPunctuation(token, ';'))) {
    throw new UnknownStatement('Several statements in one text; make each one of its own.')
  }
  const asked = tokens.find(
    (token, i) => isWord(token, ...connectionFunctions) && isPunctuation(tokens[i + 1], '('),
  )
  if (asked) throw new UnknownStatement(`${asked.text}() would tell of another statement.`)
  const hasClock = clock.test(sql)
  const top = atTopLevel(tokens)
  const verb = isWord(top[0], 'WITH')
    ? top.findIndex((token) => isWord(token, 'SELECT', 'VALUES', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE'))
    : 0
  const word = top[verb]
  if (isWord(word, 'SELECT', 'VALUES')) return { kind: 'read', hasClock }
  if (!isWord(word, 'INSERT', 'REPLACE', 'UPDATE', 'DELETE')) {
    throw new UnknownStatement(`${(word?.text ?? 'Nothing').toUpperCase()} is no statement over rows.`)
  }
  return readWrite(sql, top, verb, hasClock)
}

function readWrite(sql: string, top: readonly Token[], verb: number, hasClock: boolean): WriteMeaning {
  let at = verb + 1
  if (isWord(top[at], 'OR')) at += 2
  if (isWord(top[at], 'INTO', 'FROM')) at++
  if (isPunctuation(top[at + 1], '.')) at += 2
  const table = nameOf(top[at])
  const alias = isWord(top[at + 1], 'AS') ? nameOf(top[at + 2]) : table
  const isInsert = isWord(top[verb], 'INSERT', 'REPLACE')
  const updates = top.some((token, i) => isWord(token, 'DO') && isWord(top[i + 1], 'UPDATE'))
  const inserted = updates ? (['INSERT', 'UPDATE'] as const) : (['INSERT'] as const)
  const events = isInsert
    ? inserted
    : isWord(top[verb], 'UPDATE')
      ? (['UPDATE'] as const)
      : (['DELETE'] as const)
  return { kind: 'write', events, table, alias, returning: readReturning(sql, top), hasClock }
}

function readReturning(sql: string, top: readonly Token[]): Returning | null {
  const word = top.findLast((token) => isWord(token, 'RETURNING'))
  if (!word) return null
  const list = tokensOf(sql).filter(({ start }) => start >= word.end)
  while (isPunctuation(list.at(-1), ';')) list.pop()
  // SQLite asks it once for all rows where it can, which nothing that is told row by row does.
  if (list.some((token) => isWord(token, 'SELECT'))) {
    throw new UnknownStatement('Its RETURNING list has a query; ask it by itself.')
  }
  return { text: textOf(sql, list), start: list[0]?.start ?? word.end, items: splitAtCommas(list) }
}

/** Tokens that stand in no parentheses. */
function atTopLevel(tokens: readonly Token[]): Token[] {
  let depth = 0
  return tokens.filter((token) => {
    if (isPunctuation(token, ')')) depth--
    const isTop = depth === 0
    if (isPunctuation(token, '(')) depth++
    return isTop
  })
}
