/**
 * Which columns a statement compares and orders by. It is our own compiler that wrote it, so a few forms are all there are:
 * `_t0."name"` or `"table"."name"`, with the operator behind it.
 * @module
 */

/** A table of a statement, with the columns that an index on it might serve. */
export interface ReadTable {
  readonly table: string
  /** Compared with `=`, `IN` or `IS`, also with a column of another table. */
  readonly equal: readonly string[]
  /** Compared with `<`, `>` and the like, or with a pattern. */
  readonly range: readonly string[]
  readonly order: readonly OrderColumn[]
}

export interface OrderColumn {
  readonly column: string
  readonly descending: boolean
}

const reference = String.raw`(_t\d+|"[^"]+")\."([^"]+)"`
const value = String.raw`(?:\?|\(SELECT value FROM json_each|CAST\(\?|'|_t\d+\.|"[^"]+"\."|\(\?)`
const compared = new RegExp(String.raw`${reference}\s*(=|IN|IS|<=|>=|<|>|GLOB)\s*(?=${value})`, 'g')
const equalTo = new RegExp(String.raw`=\s*${reference}`, 'g')
const ordered = /ORDER BY ((?:[^()]|\((?:[^()]|\([^()]*\))*\))*?)(?= LIMIT|\)|$)/g
const orderTerm = new RegExp(`^${reference}( DESC)?(?: NULLS (?:FIRST|LAST))?$`)

export function tablesRead(text: string): readonly ReadTable[] {
  const names = new Map<string, string>()
  for (const [, table = '', alias] of text.matchAll(/(?:FROM|JOIN|UPDATE|INTO) "([^"]+)"(?: AS (_t\d+))?/g)) {
    names.set(alias ?? `"${table}"`, table)
  }
  const found = new Map<string, { equal: Set<string>; range: Set<string>; order: OrderColumn[] }>()
  const of = (alias: string) => {
    if (!names.has(alias)) return null
    const known = found.get(alias) ?? { equal: new Set(), range: new Set(), order: [] }
    found.set(alias, known)
    return known
  }
  for (const [, alias = '', column = '', operator = ''] of text.matchAll(compared)) {
    const isEqual = operator === '=' || operator === 'IN' || operator === 'IS'
    of(alias)?.[isEqual ? 'equal' : 'range'].add(column)
  }
  for (const [, alias = '', column = ''] of text.matchAll(equalTo)) of(alias)?.equal.add(column)
  for (const [, list = ''] of text.matchAll(ordered)) {
    for (const term of list.split(', ')) {
      const [, alias = '', column = '', descending] = orderTerm.exec(term.trim()) ?? []
      // What lies behind a term that no column serves is not served either.
      const read = column === '' ? null : of(alias)
      if (!read) break
      read.order.push({ column, descending: descending !== undefined })
    }
  }
  return [...found].map(([alias, { equal, range, order }]) => ({
    table: names.get(alias) as string,
    equal: [...equal],
    range: [...range].filter((column) => !equal.has(column)),
    order,
  }))
}
