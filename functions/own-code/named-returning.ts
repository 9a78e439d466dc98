import {
  isPunctuation,
  isWord,
  splitAtCommas,
  type Token,
  textOf,
  tokensOf,
} from '../../db/sql/sql-tokens.ts'

/**
 * A statement whose RETURNING list gives each column a name of its own, in order: D1's batches answer with objects, in which columns of
 * one name are one, and those that look like numbers come first. Others are as they were.
 */
export function namedReturning(sql: string): string {
  const tokens = tokensOf(sql)
  while (isPunctuation(tokens.at(-1), ';')) tokens.pop()
  const at = tokens.findLastIndex((token) => isWord(token, 'RETURNING'))
  const items = at < 0 ? [] : splitAtCommas(tokens.slice(at + 1))
  if (items.length === 0 || items.some((item) => isPunctuation(item.at(-1), '*'))) return sql
  const named = items.map((item, i) => {
    const value = isWord(item.at(-2), 'AS') ? item.slice(0, -2) : item
    return `${textOf(sql, value)} AS "_${i}"`
  })
  return `${sql.slice(0, (tokens[at] as Token).end)} ${named.join(', ')}`
}
