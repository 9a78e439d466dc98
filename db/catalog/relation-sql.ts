/**
 * SQL that an app writes of two rows, read by its words: which of them, which tables and which columns it names.
 * @module
 */
import type { SQL } from 'drizzle-orm'
import { SQLiteSyncDialect } from 'drizzle-orm/sqlite-core'
import {
  closing,
  foldName,
  isPunctuation,
  isWord,
  nameOf,
  sameName,
  type Token,
  tokensOf,
} from '../sql/sql-tokens.ts'
import type { ColumnPair, RelationRule } from './catalog.ts'
import type { Draft } from './draft.ts'
import { hereMark, parameterMark, thereMark } from './grants.ts'

/** The two tables of a relation, and what the SQL calls them. */
export interface Sides {
  readonly here: Draft
  readonly there: Draft
  readonly thereName: string
}

/** What was read, with marks for both rows. */
export interface RelationSql extends Pick<RelationRule, 'reads' | 'columns' | 'canFail'> {
  readonly text: string
  /** Its terms, all of which hold: those that say that columns are equal, and the others; each can stand in parentheses. */
  readonly pairs: readonly ColumnPair[]
  readonly terms: readonly string[]
}

const dialect = new SQLiteSyncDialect()

/**
 * Reads a condition, or what rows are sorted by.
 *
 * @returns what is wrong with it, and how to mend it, when it cannot be used
 */
export function readRelationSql(
  expression: SQL,
  sides: Sides,
  tables: ReadonlyMap<string, Draft>,
): RelationSql | string {
  const tokens = tokensOf(dialect.sqlToQuery(expression.inlineParams()).sql)
  const malformed = whyMalformed(tokens)
  if (malformed !== null) return malformed
  const sources = readSources(tokens, sides, tables)
  if (typeof sources === 'string') return sources
  const names = readNames(tokens, sides, sources)
  if (typeof names === 'string') return names
  const pairs: ColumnPair[] = []
  const terms: string[] = []
  for (const term of termsOf(names.tokens)) {
    const pair = pairOf(term, sides)
    if (pair === null) terms.push(textOf(term))
    else pairs.push(pair)
  }
  const { columns } = names
  return {
    text: textOf(names.tokens),
    pairs,
    terms,
    reads: [...new Set(sources.read.map(({ name }) => name))],
    columns: {
      here: [...columns.here],
      there: [...columns.there],
      others: [...columns.others].flatMap(([table, all]) => [...all].map((name) => [table, name] as const)),
    },
    canFail: tokens.some((token, i) => canFail(token, tokens[i + 1])),
  }
}

function whyMalformed(tokens: readonly Token[]): string | null {
  let depth = 0
  for (const token of tokens) {
    const { kind, text } = token
    if (text.includes(parameterMark)) return 'its SQL has a control character; take it out'
    if (isPunctuation(token, '?'))
      return 'its SQL has a placeholder; it is the same for all callers, write the value'
    if (isPunctuation(token, ';')) return 'its SQL is more than one expression; give the condition alone'
    if (isWord(token, 'WITH')) return 'its SQL begins a subquery with WITH; write it where it is read'
    if ((kind === 'word' || kind === 'name') && /^(?:_t\d|_atoll_)/i.test(nameOf(token)))
      return `its SQL has the name ${nameOf(token)}; names that begin so are Atoll's`
    const last = text.startsWith('[') ? ']' : text.at(kind === 'string' ? text.search(/'/) : 0)
    if ((kind === 'name' || kind === 'string') && (text.length < 2 || text.at(-1) !== last))
      return 'a quote in its SQL is not closed'
    if (isPunctuation(token, '(')) depth++
    if (isPunctuation(token, ')') && --depth < 0) break
  }
  return depth === 0 ? null : 'parentheses in its SQL do not match'
}

// --- what subqueries read ------------------------------------------------------------------------------------------

interface Sources {
  /** Tables that are read. */
  readonly read: readonly Draft[]
  /** Which tables a name in a subquery may stand for; null among them: one that is none of tables.ts. */
  readonly named: ReadonlyMap<string, readonly (Draft | null)[]>
  /** Positions of tokens that name tables where they are read, or give them names. */
  readonly at: ReadonlySet<number>
  /** Of each token, whether it stands in a subquery. */
  readonly inQuery: readonly boolean[]
}

const rowFunctions = new Set(['json_each', 'json_tree'])
/** What follows a table where it is read and is no name for it. */
const noAlias =
  'WHERE GROUP ORDER HAVING LIMIT WINDOW UNION EXCEPT INTERSECT JOIN INNER LEFT RIGHT FULL CROSS NATURAL ON USING INDEXED NOT AND OR'.split(
    ' ',
  )
const endOfSources = ['WHERE', 'GROUP', 'ORDER', 'HAVING', 'LIMIT', 'WINDOW', 'UNION', 'EXCEPT', 'INTERSECT']

const isName = (token: Token | undefined) => token?.kind === 'word' || token?.kind === 'name'

function readSources(
  tokens: readonly Token[],
  { here, thereName }: Sides,
  tables: ReadonlyMap<string, Draft>,
): Sources | string {
  const read: Draft[] = []
  const named = new Map<string, (Draft | null)[]>()
  const at = new Set<number>()
  const inQuery: boolean[] = []
  const levels = [{ inQuery: false, inSources: false }]

  /** Notes the source that begins at a position. @returns what is wrong with it */
  const note = (position: number, mayHaveAlias: boolean): string | null => {
    const token = tokens[position]
    const next = tokens[position + 1]
    let end = position
    let draft: Draft | null = null
    if (isPunctuation(token, '(')) {
      // Several tables in parentheses are sources, a query in them is one.
      if (!isWord(next, 'SELECT', 'VALUES')) return note(position + 1, true)
      end = closing(tokens, position)
    } else if (!isName(token)) return `its SQL reads what cannot be told, near ${token?.text ?? 'its end'}`
    else if (isPunctuation(next, '.'))
      return `its SQL reads ${nameOf(token)}.…; name tables without their schema`
    else if (isPunctuation(next, '(')) {
      if (!rowFunctions.has(foldName(nameOf(token))))
        return `its SQL reads ${nameOf(token)}(); of functions, it may read json_each and json_tree`
      end = closing(tokens, position + 1)
    } else {
      draft = [...tables.values()].find(({ name }) => sameName(name, nameOf(token))) ?? null
      if (draft === null)
        return `its SQL reads ${nameOf(token)}, which tables.ts does not serve; name it there`
      read.push(draft)
    }
    const isSimple = !isPunctuation(token, '(')
    if (isSimple) at.add(position)
    const behind = isWord(tokens[end + 1], 'AS') ? end + 2 : end + 1
    const hasAlias = mayHaveAlias && isName(tokens[behind]) && !isWord(tokens[behind], ...noAlias)
    if (hasAlias) at.add(behind)
    const called = hasAlias ? tokens[behind] : isSimple ? token : undefined
    if (called === undefined) return null
    const name = nameOf(called)
    if (sameName(name, here.name) || sameName(name, thereName))
      return `its SQL reads ${name} in a subquery, where the name stands for the row; read it by another name: alias(…)`
    named.set(foldName(name), [...(named.get(foldName(name)) ?? []), draft])
    return null
  }

  for (const [i, token] of tokens.entries()) {
    const level = levels.at(-1) as (typeof levels)[number]
    inQuery.push(level.inQuery)
    let wrong: string | null = null
    if (isPunctuation(token, '(')) {
      const before = tokens[i - 1]
      const begins =
        isWord(before, 'FROM', 'JOIN') || isPunctuation(before, ',') || isPunctuation(before, '(')
      const isJoined = level.inSources && begins && !isWord(tokens[i + 1], 'SELECT', 'VALUES')
      levels.push({ inQuery: level.inQuery, inSources: isJoined })
    } else if (isPunctuation(token, ')')) levels.pop()
    else if (isWord(token, 'SELECT')) Object.assign(level, { inQuery: true, inSources: false })
    else if (isWord(token, 'FROM') && !isWord(tokens[i - 1], 'DISTINCT')) {
      level.inSources = true
      wrong = note(i + 1, true)
    } else if (isWord(token, 'JOIN') || (isPunctuation(token, ',') && level.inSources))
      wrong = note(i + 1, true)
    else if (isWord(token, 'IN') && isName(tokens[i + 1])) wrong = note(i + 1, false)
    else if (isWord(token, ...endOfSources)) level.inSources = false
    if (wrong !== null) return wrong
  }
  return { read, named, at, inQuery }
}

// --- what it names -------------------------------------------------------------------------------------------------

interface Names {
  /** The tokens, with marks in the place of both rows' names. */
  readonly tokens: readonly Token[]
  readonly columns: {
    readonly here: Set<string>
    readonly there: Set<string>
    readonly others: Map<string, Set<string>>
  }
}

function readNames(
  tokens: readonly Token[],
  { here, there, thereName }: Sides,
  sources: Sources,
): Names | string {
  const columns: Names['columns'] = { here: new Set(), there: new Set(), others: new Map() }
  const marked: Token[] = []
  const ofOther = (draft: Draft, column: string) =>
    columns.others.set(draft.name, (columns.others.get(draft.name) ?? new Set()).add(column))
  const wholly = (drafts: readonly Draft[]) => {
    for (const draft of drafts) for (const column of draft.columns.keys()) ofOther(draft, column)
  }
  for (const [i, token] of tokens.entries()) {
    const before = tokens[i - 1]
    const next = tokens[i + 1]
    if (isPunctuation(token, '*') && (isWord(before, 'SELECT') || isPunctuation(before, ',')))
      wholly(sources.read)
    const name = nameOf(token)
    const isQualifier = isName(token) && isPunctuation(next, '.') && !isPunctuation(before, '.')
    if (!isQualifier) {
      marked.push(token)
      const isBare =
        isName(token) && !isPunctuation(before, '.') && !isPunctuation(next, '(') && !sources.at.has(i)
      if (!isBare) continue
      const sides = [here, there].filter((draft) => columnOf(draft, name) !== null)
      if (sides.length > 0 && !sources.inQuery[i])
        return `its SQL names the column ${name} alone; say of which table, as Drizzle's columns do`
      for (const draft of sides)
        columns[draft === here ? 'here' : 'there'].add(columnOf(draft, name) as string)
      if (sides.includes(there)) columns.there.add(columnOf(there, name) as string)
      for (const draft of sources.read) {
        const column = columnOf(draft, name)
        if (column !== null) ofOther(draft, column)
      }
      continue
    }
    const column = nameOf(tokens[i + 2])
    const side = sameName(name, thereName) ? 'there' : sameName(name, here.name) ? 'here' : null
    if (side !== null) {
      const draft = side === 'here' ? here : there
      const found = columnOf(draft, column)
      if (found === null) return `there is no column ${column} in ${draft.name}`
      columns[side].add(found)
      marked.push({ ...token, text: side === 'here' ? hereMark : thereMark })
      continue
    }
    const meant = sources.named.get(foldName(name))
    if (meant === undefined) return `its SQL names a column of ${name}, which it does not read`
    marked.push(token)
    const drafts = meant.filter((draft) => draft !== null)
    if (isPunctuation(tokens[i + 2], '*')) wholly(drafts)
    for (const draft of drafts) {
      const found = columnOf(draft, column)
      if (found !== null) ofOther(draft, found)
      else if (meant.length === 1 && !isPunctuation(tokens[i + 2], '*'))
        return `there is no column ${column} in ${draft.name}`
    }
  }
  return { tokens: marked, columns }
}

/** A column that the table keeps, as it is written there. */
function columnOf({ columns }: Draft, name: string): string | null {
  for (const column of columns.values())
    if (column.expression === null && sameName(column.name, name)) return column.name
  return null
}

// --- its terms -----------------------------------------------------------------------------------------------------

/** The terms of a conjunction; the whole where it is anything else. */
function termsOf(tokens: readonly Token[]): (readonly Token[])[] {
  const isWrapped = isPunctuation(tokens[0], '(') && closing(tokens, 0) === tokens.length - 1
  if (isWrapped && !isWord(tokens[1], 'SELECT', 'VALUES')) return termsOf(tokens.slice(1, -1))
  const terms: Token[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (isPunctuation(token, '(')) depth++
    if (isPunctuation(token, ')')) depth--
    if (depth === 0 && isWord(token, 'OR', 'BETWEEN', 'CASE')) return [tokens]
    if (depth === 0 && isWord(token, 'AND')) terms.push([])
    else terms.at(-1)?.push(token)
  }
  return terms.length === 1 ? [tokens] : terms.flatMap(termsOf)
}

/** The columns that a term says are equal, if that is all that it says. */
function pairOf(term: readonly Token[], { here, there }: Sides): ColumnPair | null {
  const [left, , leftColumn, sign, right, , rightColumn] = term
  if (term.length !== 7 || !isPunctuation(sign, '=')) return null
  const pair = (a: Token | undefined, b: Token | undefined): ColumnPair => [
    columnOf(here, nameOf(a)) as string,
    columnOf(there, nameOf(b)) as string,
  ]
  if (left?.text === hereMark && right?.text === thereMark) return pair(leftColumn, rightColumn)
  if (left?.text === thereMark && right?.text === hereMark) return pair(rightColumn, leftColumn)
  return null
}

function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join(' ')
}

// --- whether it may fail -------------------------------------------------------------------------------------------

/** Functions that have a value for whatever they are given. */
const sureFunctions = new Set(
  'lower upper length coalesce ifnull nullif trim ltrim rtrim substr substring instr min max count typeof iif round'.split(
    ' ',
  ),
)
const beforeParentheses =
  'AND OR NOT IN EXISTS WHERE ON SELECT FROM JOIN WHEN THEN ELSE CASE VALUES AS BETWEEN IS BY UNION ALL LIMIT USING HAVING DISTINCT'.split(
    ' ',
  )

function canFail(token: Token, next: Token | undefined): boolean {
  if (isPunctuation(token, '->') || isPunctuation(token, '->>')) return true
  if (isWord(token, 'LIKE', 'GLOB', 'MATCH', 'REGEXP')) return true
  if (!isName(token) || !isPunctuation(next, '(') || isWord(token, ...beforeParentheses)) return false
  return !sureFunctions.has(foldName(nameOf(token)))
}
