/**
 * What a database's schema is, as lines that are equal when two schemas mean the same, however they were written.
 * @module
 */
import { quoteName } from '../../../db/sql/quote.ts'

export type Row = Readonly<Record<string, unknown>>

/** Runs statements in one call; the rows of each. */
export type Ask = (texts: readonly string[]) => Promise<Row[][]>

interface Token {
  readonly text: string
  /** In quotes: never a keyword. */
  readonly isName: boolean
}

/** SQL in pieces; names lose their quotes, words their case, comments go. */
export function tokensOf(sql: string): Token[] {
  const pieces =
    /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|\d+(?:\.\d+)?(?:e[+-]?\d+)?|[\p{L}\p{N}_$]+|\s+|./giu
  const tokens: Token[] = []
  for (const [text] of sql.matchAll(pieces)) {
    if (/^(?:\s|--|\/\*)/.test(text)) continue
    if (/^["`[]/.test(text)) {
      const quote = text.at(-1) as string
      tokens.push({
        text: text
          .slice(1, -1)
          .replaceAll(quote + quote, quote)
          .toLowerCase(),
        isName: true,
      })
    } else tokens.push({ text: text.startsWith("'") ? text : text.toLowerCase(), isName: false })
  }
  // Tables before columns say nothing where only one table is meant.
  return tokens.filter((token, i) => {
    const isQualifier = tokens[i + 1]?.text === '.' && !tokens[i + 1]?.isName
    return !isQualifier && (token.text !== '.' || token.isName)
  })
}

function joined(tokens: readonly Token[]): string {
  let own = tokens
  while (own[0]?.text === '(' && closing(own, 0) === own.length - 1) own = own.slice(1, -1)
  return own.map(({ text }) => text).join(' ')
}

function closing(tokens: readonly Token[], open: number): number {
  let depth = 0
  for (let i = open; i < tokens.length; i++) {
    const { text, isName } = tokens[i] as Token
    if (isName) continue
    if (text === '(') depth += 1
    if (text === ')') depth -= 1
    if (depth === 0) return i
  }
  return tokens.length
}

/** CHECKs and generated columns of a CREATE TABLE, which no pragma tells. */
function clausesOf(sql: string): string[] {
  const tokens = tokensOf(sql)
  const word = (i: number) => (tokens[i]?.isName ? '' : (tokens[i]?.text ?? ''))
  const start = tokens.findIndex(({ text, isName }) => text === '(' && !isName)
  const clauses: string[] = []
  let column = tokens[start + 1]?.text
  for (let i = start + 1; i < tokens.length; i++) {
    if (word(i) === ',') column = tokens[i + 1]?.text
    if (word(i) === 'autoincrement') clauses.push('autoincrement')
    if (word(i) !== '(') continue
    const end = closing(tokens, i)
    const inner = joined(tokens.slice(i, end + 1))
    if (word(i - 1) === 'check') {
      const name = word(i - 3) === 'constraint' ? tokens[i - 2]?.text : ''
      clauses.push(`check ${name}: ${inner}`)
    }
    if (word(i - 1) === 'as') clauses.push(`generated ${column}: ${inner}`)
    i = end
  }
  return clauses
}

const isOwn = (name: string) => /^(?:_atoll_|sqlite_|_cf_|d1_migrations)/.test(name)

const ofTables = (pragma: string, columns: string) =>
  `SELECT m.name AS of, ${columns} FROM sqlite_schema AS m, ${pragma}(m.name) AS p WHERE m.type = 'table' AND m.name NOT GLOB '_*' AND m.name NOT GLOB 'sqlite_*' AND m.name <> 'd1_migrations'`

/** Tables, indexes, views and triggers of the app; not Atoll's own. */
export async function describeSchema(ask: Ask): Promise<string[]> {
  const [objects = [], columns = [], keys = [], indexes = []] = await ask([
    'SELECT type, name, tbl_name, sql FROM sqlite_schema',
    ofTables('pragma_table_xinfo', 'p.*'),
    `${ofTables('pragma_foreign_key_list', 'p.*')} ORDER BY m.name, p.id, p.seq`,
    `${ofTables('pragma_index_list', 'p.*')} AND p.origin <> 'pk'`,
  ])
  const lines: string[] = []
  for (const object of objects) {
    const { type, name, tbl_name, sql } = object as unknown as SchemaObject
    if (isOwn(name) || isOwn(tbl_name)) continue
    if (type === 'view') lines.push(`view ${name}`)
    if (type === 'trigger') lines.push(`trigger ${name} on ${tbl_name}`)
    if (type === 'index' && sql) lines.push(describeIndex(name, tbl_name, sql))
    if (type === 'table') {
      lines.push(`table ${name}`, ...clausesOf(sql ?? '').map((clause) => `table ${name}: ${clause}`))
    }
  }
  return [
    ...lines,
    ...columns.map(describeColumn),
    ...[...Map.groupBy(keys, ({ of, id }) => `${of} ${id}`).values()].map(describeKey),
    ...indexes.map(
      (row) =>
        `table ${row.of}: index ${row.name} unique=${row.unique} origin=${row.origin} partial=${row.partial}`,
    ),
  ].sort()
}

interface SchemaObject {
  readonly type: string
  readonly name: string
  readonly tbl_name: string
  readonly sql: string | null
}

function describeIndex(name: string, table: string, sql: string): string {
  const tokens = tokensOf(sql)
  const start = tokens.findIndex(({ text, isName }) => text === '(' && !isName)
  return `index ${name} on ${table}: ${tokens
    .slice(start)
    .map(({ text }) => text)
    .join(' ')}`
}

function describeColumn(column: Row): string {
  const value = column.dflt_value === null ? 'none' : joined(tokensOf(String(column.dflt_value)))
  return `table ${column.of}: column ${column.name} ${String(column.type).toLowerCase()} notnull=${column.notnull} default=${value} pk=${column.pk} hidden=${column.hidden}`
}

function describeKey(parts: readonly Row[]): string {
  const [first] = parts as [Row]
  const pairs = parts.map(({ from, to }) => `${from}→${to}`).join(', ')
  return `table ${first.of}: foreign key to ${first.table} (${pairs}) delete=${first.on_delete} update=${first.on_update}`
}

/** Asks for rows as literals; for tables and views. */
export function rowsText(table: string, columns: readonly string[]): string {
  const list = columns.map((name) => `quote(${quoteName(name)})`).join(', ')
  return `SELECT json_array(${list}) AS r FROM ${quoteName(table)}`
}

export const rowsIn = (rows: readonly Row[] | undefined) => (rows ?? []).map(({ r }) => String(r)).sort()

/** The first difference of two lists, whatever their order; null: none. */
export function firstDifference(wanted: readonly string[], got: readonly string[]): string | null {
  const count = (lines: readonly string[]) =>
    lines.reduce((counts, line) => counts.set(line, (counts.get(line) ?? 0) + 1), new Map<string, number>())
  const [inWanted, inGot] = [count(wanted), count(got)]
  const missing = [...inWanted].filter(([line, n]) => n > (inGot.get(line) ?? 0)).map(([line]) => line)
  const extra = [...inGot].filter(([line, n]) => n > (inWanted.get(line) ?? 0)).map(([line]) => line)
  if (missing.length === 0 && extra.length === 0) return null
  const shown = (lines: readonly string[]) =>
    lines.length === 0
      ? '  (nothing)'
      : lines
          .slice(0, 4)
          .map((line) => `  ${line.slice(0, 400)}`)
          .join('\n')
  return `expected\n${shown(missing)}\ngot\n${shown(extra)}`
}
