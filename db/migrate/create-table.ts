/**
 * CREATE TABLE as text that can be changed: what ALTER TABLE cannot do is done by making a table anew from it.
 * @module
 */
import { quoteName } from '../sql/quote.ts'
import {
  closing,
  isPunctuation,
  isWord,
  nameOf,
  sameName,
  splitAtCommas,
  type Token,
  textOf,
  tokensOf,
} from '../sql/sql-tokens.ts'

interface Parts {
  readonly name: Token
  /** Position behind the opening parenthesis, and of the closing one. */
  readonly start: number
  readonly end: number
  readonly columns: readonly (readonly Token[])[]
  readonly constraints: readonly (readonly Token[])[]
}

/** @returns null for CREATE TABLE … AS SELECT, and for what cannot be read */
function partsOf(sql: string): Parts | null {
  const tokens = tokensOf(sql)
  const open = tokens.findIndex((token) => isPunctuation(token, '('))
  const name = tokens[open - 1]
  if (open < 0 || !name || tokens.slice(0, open).some((token) => isWord(token, 'AS'))) return null
  const end = closing(tokens, open)
  const items = splitAtCommas(tokens.slice(open + 1, end))
  const isConstraint = ([first]: readonly Token[]) =>
    isWord(first, 'CONSTRAINT', 'PRIMARY', 'UNIQUE', 'CHECK', 'FOREIGN')
  return {
    name,
    start: (tokens[open] as Token).end,
    end: (tokens[end] as Token).start,
    columns: items.filter((item) => !isConstraint(item)),
    constraints: items.filter(isConstraint),
  }
}

/**
 * The same table under another name, also where it refers to itself.
 *
 * drizzle-kit puts the name of its new table wherever the text of a CHECK has the old one and a dot, inside of words and literals too;
 * to put it back everywhere restores what the schema says.
 */
export function renamedTable(sql: string, from: string, to: string): string {
  if (from === `__new_${to}`) return sql.replaceAll(from, () => to)
  let renamed = sql
  for (const token of tokensOf(sql).reverse()) {
    if ((token.kind !== 'word' && token.kind !== 'name') || !sameName(nameOf(token), from)) continue
    renamed = renamed.slice(0, token.start) + quoteName(to) + renamed.slice(token.end)
  }
  return renamed
}

/** The same table with one column more, the last. */
export function withColumn(sql: string, definition: string): string | null {
  return rebuilt(sql, (parts) => ({ ...parts, columns: [...parts.columns, definition] }))
}

/** The same table with one constraint more. */
export function withConstraint(sql: string, constraint: string): string | null {
  return rebuilt(sql, (parts) => ({ ...parts, constraints: [...parts.constraints, constraint] }))
}

/** The same table without some columns; what constraints say of them is for the caller to see to. */
export function withoutColumns(sql: string, names: readonly string[]): string | null {
  const isGone = (definition: string) => names.some((name) => sameName(nameOf(tokensOf(definition)[0]), name))
  return rebuilt(sql, (parts) => ({ ...parts, columns: parts.columns.filter((column) => !isGone(column)) }))
}

interface Texts {
  readonly columns: readonly string[]
  readonly constraints: readonly string[]
}

function rebuilt(sql: string, change: (texts: Texts) => Texts): string | null {
  const parts = partsOf(sql)
  if (!parts) return null
  const texts = (items: Parts['columns']) => items.map((item) => textOf(sql, item))
  const { columns, constraints } = change({
    columns: texts(parts.columns),
    constraints: texts(parts.constraints),
  })
  const items = [...columns, ...constraints].map((item) => `\n\t${item}`)
  return `${sql.slice(0, parts.start)}${items.join(',')}\n${sql.slice(parts.end)}`
}
