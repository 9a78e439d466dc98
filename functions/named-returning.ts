import { isPunctuation, isWord, type Token, tokensOf } from '../db/migrate/sql-tokens.ts'

/**
 * A statement whose RETURNING list gives each column a name of its own, in order: D1's batches answer with objects, in which columns of
 * one name are one, and those that look like numbers come first. Others are as they were.
 */
export function namedReturning(sql: string): string {
  const tokens = tokensOf(sql)
  while (isPunctuation(tokens.at(-1), ';')) tokens.pop()
  const at = tokens.findLastIndex((token) => isWord(token, 'RETURNING'))
  const items = at < 0 ? [] : itemsOf(tokens.slice(at + 1))
  if (items.length === 0 || items.some((item) => isPunctuation(item.at(-1), '*'))) return sql
  const named = items.map((item, i) => {
    const isNamed = isWord(item.at(-2), 'AS')
    const last = (isNamed ? item.at(-3) : item.at(-1)) as Token
    return `${sql.slice((item[0] as Token).start, last.end)} AS "_${i}"`
  })
  return `${sql.slice(0, (tokens[at] as Token).end)} ${named.join(', ')}`
}

/** What stands between commas that are in no parentheses. */
function itemsOf(tokens: readonly Token[]): Token[][] {
  const items: Token[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (isPunctuation(token, '(')) depth++
    if (isPunctuation(token, ')')) depth--
    if (depth === 0 && isPunctuation(token, ',')) items.push([])
    else items.at(-1)?.push(token)
  }
  return items.filter((item) => item.length > 0)
}
