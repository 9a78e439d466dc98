/**
 * Views that can be written as their table: PostgreSQL's automatically updatable ones, of one table, without grouping, DISTINCT, set
 * operations and limits. What SQL the view is made of is read here, as far as that must be known.
 * https://www.postgresql.org/docs/current/sql-createview.html#SQL-CREATEVIEW-UPDATABLE-VIEWS
 * @module
 */
import { is, SQL } from 'drizzle-orm'
import { getViewConfig, SQLiteSyncDialect, type SQLiteView } from 'drizzle-orm/sqlite-core'
import { quoteName } from '../sql/quote.ts'
import { nameOf, tokensOf } from '../sql/sql-tokens.ts'
import { rowMark } from './grants.ts'

/** How a view's writes reach its table. */
export interface UpdatableView {
  /** The table, by its SQL name. */
  readonly base: string
  /** The view's columns that are columns of the table, and which. */
  readonly columns: ReadonlyMap<string, string>
  /** The view's other columns, as expressions over the table's columns, which stand behind `rowMark`. */
  readonly expressions: ReadonlyMap<string, string>
  /** Which rows of the table the view shows, in the same form; null: all. */
  readonly filter: string | null
  /** Whether subqueries of it read the table, or what cannot be told. */
  readonly readsBase: boolean
}

/** What must be known of a table that a view may be of. */
export interface BaseTable {
  readonly name: string
  readonly columns: ReadonlyMap<string, unknown>
}

const dialect = new SQLiteSyncDialect()

/**
 * @param names the view's columns, in order
 * @param baseOf finds a served table by its name, whatever the case of its letters
 * @returns null for a view that only shows
 */
export function updatableView(
  view: SQLiteView,
  names: readonly string[],
  baseOf: (name: string) => BaseTable | null,
): UpdatableView | null {
  const { query } = getViewConfig(view)
  if (!is(query, SQL)) return null
  const tokens = readTokens(dialect.sqlToQuery(query.inlineParams()).sql)
  return tokens && readSelect(tokens, names, baseOf)
}

interface Token {
  readonly kind: 'name' | 'quoted' | 'text' | 'other'
  /** As it is written. */
  readonly text: string
  /** Of a name, what it means; of a keyword, in lower case. */
  readonly value: string
  /** Parentheses around it. */
  readonly depth: number
}

const kinds = { word: 'name', name: 'quoted', string: 'text', number: 'other', punctuation: 'other' } as const

/** Null when parentheses do not match. */
function readTokens(sql: string): Token[] | null {
  const tokens: Token[] = []
  let depth = 0
  for (const token of tokensOf(sql)) {
    const { text } = token
    const kind = kinds[token.kind]
    if (text === ')') depth--
    if (depth < 0) return null
    const value = kind === 'name' ? text.toLowerCase() : kind === 'quoted' ? nameOf(token) : text
    tokens.push({ kind, text, value, depth })
    if (text === '(') depth++
  }
  if (tokens.at(-1)?.text === ';') tokens.pop()
  return depth === 0 ? tokens : null
}

/** Words that a SELECT over one table does not have at its own level, if it shows each row of it once, as it is. */
const refused = new Set(
  'distinct group having window limit offset union intersect except join natural cross inner left right full values'.split(
    ' ',
  ),
)

const aggregates = new Set(
  'count sum avg total group_concat string_agg json_group_array json_group_object jsonb_group_array jsonb_group_object over'.split(
    ' ',
  ),
)

function readSelect(
  tokens: readonly Token[],
  names: readonly string[],
  baseOf: (name: string) => BaseTable | null,
): UpdatableView | null {
  const at = (word: string, from = 0) =>
    tokens.findIndex(
      (token, i) => i >= from && token.depth === 0 && token.kind === 'name' && token.value === word,
    )
  if (at('select') !== 0) return null
  if (tokens.some(({ depth, kind, value }) => depth === 0 && kind === 'name' && refused.has(value)))
    return null
  const from = at('from')
  if (from < 0) return null
  const where = at('where', from)
  const orderAt = at('order', from)
  const ends = [where, orderAt].filter((position) => position >= 0)
  const source = tokens.slice(from + 1, Math.min(tokens.length, ...ends))
  const row = readSource(source, baseOf)
  if (row === null) return null
  const filter = where < 0 ? [] : tokens.slice(where + 1, orderAt > where ? orderAt : tokens.length)
  const items = split(tokens.slice(at('all') === 1 ? 2 : 1, from))
  const columns = new Map<string, string>()
  const expressions = new Map<string, string>()
  if (items.length === 1 && items[0]?.length === 1 && items[0][0]?.text === '*') {
    for (const name of names) {
      const own = columnNamed(row.base, name)
      if (own === null) return null
      columns.set(name, own)
    }
  } else if (items.length === names.length) {
    for (const [i, item] of items.entries()) {
      const name = names[i] as string
      const value = withoutAlias(item)
      const plain = plainColumn(value, row)
      const written = plain === null ? rewritten(value, row) : null
      if (plain !== null) columns.set(name, plain)
      else if (written === null || hasAggregate(value)) return null
      else expressions.set(name, written)
    }
  } else return null
  const shown = filter.length === 0 ? null : rewritten(filter, row)
  if (filter.length > 0 && (shown === null || hasAggregate(filter))) return null
  const inner = [...filter, ...items.flat()].some(({ depth }) => depth > 0)
  const reads =
    inner && tokens.some((token) => token.depth > 0 && isName(token) && same(token, row.base.name))
  const selects = inner && tokens.some((token) => token.depth > 0 && token.value === 'select')
  return { base: row.base.name, columns, expressions, filter: shown, readsBase: reads || selects }
}

/** The one table of a FROM, and what its rows go by. */
interface Row {
  readonly base: BaseTable
  readonly alias: string
}

function readSource(tokens: readonly Token[], baseOf: (name: string) => BaseTable | null): Row | null {
  const [name, ...rest] = tokens
  const alias = rest[0]?.kind === 'name' && rest[0].value === 'as' ? rest.slice(1) : rest
  if (name === undefined || !isName(name) || alias.length > 1) return null
  const base = baseOf(name.value)
  if (base === null || (alias[0] && !isName(alias[0]))) return null
  return { base, alias: alias[0]?.value ?? name.value }
}

function isName({ kind }: Token): boolean {
  return kind === 'name' || kind === 'quoted'
}

function same({ value }: Token, name: string): boolean {
  return value.toLowerCase() === name.toLowerCase()
}

function columnNamed({ columns }: BaseTable, name: string): string | null {
  return [...columns.keys()].find((own) => own.toLowerCase() === name.toLowerCase()) ?? null
}

/** The list's items, by the commas of its own level. */
function split(tokens: readonly Token[]): Token[][] {
  const items: Token[][] = [[]]
  for (const token of tokens) {
    if (token.depth === 0 && token.text === ',') items.push([])
    else items.at(-1)?.push(token)
  }
  return items
}

/** `AS name`, or a name behind what is whole without it. */
function withoutAlias(item: readonly Token[]): readonly Token[] {
  const as = item.findLastIndex(({ depth, kind, value }) => depth === 0 && kind === 'name' && value === 'as')
  if (as > 0 && as === item.length - 2) return item.slice(0, as)
  const [before, last] = item.slice(-2)
  const isWhole =
    before && (isName(before) || before.text === ')' || before.kind === 'text' || /^\d/.test(before.text))
  return item.length > 1 && last && isName(last) && isWhole && before.value !== 'end' && last.value !== 'end'
    ? item.slice(0, -1)
    : item
}

function plainColumn(item: readonly Token[], { base, alias }: Row): string | null {
  const [first, dot, last, ...more] = item
  if (first === undefined || !isName(first) || more.length > 0) return null
  if (dot === undefined) return columnNamed(base, first.value)
  return dot.text === '.' && last && isName(last) && same(first, alias) ? columnNamed(base, last.value) : null
}

function hasAggregate(item: readonly Token[]): boolean {
  const selects = innerSelects(item)
  return item.some((token, i) => {
    // A subquery's own are its own.
    if (selects.some(({ start, end }) => i > start && i < end)) return false
    if (token.kind !== 'name' || item[i + 1]?.text !== '(') return false
    if (aggregates.has(token.value)) return true
    if (token.value !== 'min' && token.value !== 'max') return false
    // With several arguments they are functions of a row.
    const inner = item.slice(i + 2)
    const end = inner.findIndex(({ text, depth }) => text === ')' && depth === token.depth)
    return !inner.slice(0, end).some(({ text, depth }) => text === ',' && depth === token.depth + 1)
  })
}

/** SQL whose columns of the table stand behind the row's mark; null when it cannot be told which those are. */
function rewritten(tokens: readonly Token[], { base, alias }: Row): string | null {
  const selects = innerSelects(tokens)
  let text = ''
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token
    const next = tokens[i + 1]
    const inside = selects.some(({ start, end }) => i > start && i < end)
    const qualifies = isName(token) && next?.text === '.'
    if (qualifies && same(token, alias)) {
      const column = tokens[i + 2]
      const own = column && isName(column) ? columnNamed(base, column.value) : null
      // A subquery may call what it reads by the same name.
      if (own === null || (inside && isReadInside(tokens, selects, alias))) return null
      text += ` ${rowMark}.${quoteName(own)}`
      i += 2
      continue
    }
    if (qualifies) {
      text += ` ${token.text}.${tokens[i + 2]?.text ?? ''}`
      i += 2
      continue
    }
    const own = isValue(tokens, i) ? columnNamed(base, token.value) : null
    if (own !== null && inside) return null
    if (own !== null) text += ` ${rowMark}.${quoteName(own)}`
    // SQLite takes a quoted name that is none for text.
    else if (token.kind === 'quoted' && !inside && isValue(tokens, i)) return null
    else text += ` ${token.text}`
  }
  return text.trim()
}

/** Words that are no columns unless they are quoted. */
const keywords = new Set(
  'and or not null is in like glob match regexp between case when then else end exists cast as collate escape select from where true false isnull notnull'.split(
    ' ',
  ),
)

/** Whether a name may be a column: it is called by nothing, and is no type or collation. */
function isValue(tokens: readonly Token[], i: number): boolean {
  const token = tokens[i] as Token
  const before = tokens[i - 1]
  if (!isName(token) || tokens[i + 1]?.text === '(') return false
  if (token.kind === 'name' && keywords.has(token.value)) return false
  return !(before?.kind === 'name' && (before.value === 'as' || before.value === 'collate'))
}

interface Span {
  readonly start: number
  readonly end: number
}

/** Where subqueries stand. */
function innerSelects(tokens: readonly Token[]): Span[] {
  return tokens.flatMap((token, i) => {
    if (token.text !== '(' || tokens[i + 1]?.value !== 'select') return []
    const end = tokens.findIndex((other, j) => j > i && other.text === ')' && other.depth === token.depth)
    return [{ start: i, end }]
  })
}

/** Whether a subquery reads something that goes by a name. */
function isReadInside(tokens: readonly Token[], selects: readonly Span[], name: string): boolean {
  return selects.some(({ start, end }) =>
    tokens.slice(start, end).some((token, i, inner) => {
      if (!isName(token) || !same(token, name)) return false
      return inner[i + 1]?.text !== '.' && inner[i - 1]?.text !== '.'
    }),
  )
}
