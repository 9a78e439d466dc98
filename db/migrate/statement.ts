/**
 * What a migration's statements are about, as far as rows and schema are concerned.
 * @module
 */
import {
  closing,
  isPunctuation,
  isWord,
  nameOf,
  splitAtCommas,
  type Token,
  textOf,
  tokensOf,
} from '../sql/sql-tokens.ts'

/** One statement, and what it does. Names are without quotes. */
export type Statement = { readonly sql: string } & (
  | { readonly kind: 'create-table'; readonly table: string }
  | { readonly kind: 'drop-table'; readonly table: string; readonly ifExists: boolean }
  | { readonly kind: 'rename-table'; readonly table: string; readonly to: string }
  | {
      readonly kind: 'add-column'
      readonly table: string
      readonly column: string
      /** The column's definition as it stands, its name included. */
      readonly definition: string
    }
  | { readonly kind: 'drop-column'; readonly table: string; readonly column: string }
  | { readonly kind: 'rename-column'; readonly table: string; readonly column: string; readonly to: string }
  | {
      readonly kind: 'create-index'
      readonly index: string
      readonly table: string
      readonly isUnique: boolean
    }
  | { readonly kind: 'drop-index'; readonly index: string }
  | { readonly kind: 'create-view' | 'drop-view'; readonly view: string }
  | { readonly kind: 'create-trigger' | 'drop-trigger'; readonly trigger: string }
  | {
      /** `INSERT INTO table (columns) SELECT …` with nothing before or behind it. */
      readonly kind: 'copy'
      readonly table: string
      readonly columns: readonly string[]
      /** The expressions of its query, when there is one for each column. */
      readonly values: readonly string[]
      /** The one table that it reads, by a bare `FROM table`; null for any other query. */
      readonly from: string | null
    }
  | { readonly kind: 'data'; readonly table: string; readonly verb: 'insert' | 'update' | 'delete' }
  /** Settings and transactions, which a batch has its own of. */
  | { readonly kind: 'nothing' }
  /** What no migration can do. */
  | { readonly kind: 'refused'; readonly reason: string; readonly remedy: string }
  | { readonly kind: 'other' }
)

export type StatementOf<Kind extends Statement['kind']> = Extract<Statement, { kind: Kind }>

/** Reads a statement. What is not known is `other`, and is carried out as it is. */
export function readStatement(sql: string): Statement {
  const tokens = tokensOf(sql)
  const reader = new Reader(tokens)
  if (reader.take('CREATE')) return readCreate(sql, reader)
  if (reader.take('DROP')) return readDrop(sql, reader)
  if (reader.take('ALTER')) return readAlter(sql, reader)
  if (isWord(tokens[0], 'SAVEPOINT', 'RELEASE', 'ROLLBACK'))
    return {
      kind: 'refused',
      sql,
      reason: 'a migration is one transaction by itself, and is not undone in part',
      remedy: 'Take SAVEPOINT, RELEASE and ROLLBACK out, and what they undo.',
    }
  if (isWord(tokens[0], 'PRAGMA', 'BEGIN', 'COMMIT', 'END')) return { kind: 'nothing', sql }
  if (isWord(tokens[0], 'INSERT', 'REPLACE', 'UPDATE', 'DELETE', 'WITH')) return readData(sql, tokens)
  return { kind: 'other', sql }
}

/** Walks over tokens. */
class Reader {
  readonly tokens: readonly Token[]
  at = 0

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
  }

  take(...words: readonly string[]): boolean {
    const are = words.every((word, i) => isWord(this.tokens[this.at + i], word))
    if (are) this.at += words.length
    return are
  }

  /** A name, without the `main.` before it. */
  name(): string {
    const first = nameOf(this.tokens[this.at++])
    if (!isPunctuation(this.tokens[this.at], '.')) return first
    this.at++
    return nameOf(this.tokens[this.at++])
  }

  rest(): readonly Token[] {
    return this.tokens.slice(this.at)
  }
}

function readCreate(sql: string, reader: Reader): Statement {
  if (reader.take('TEMP') || reader.take('TEMPORARY')) return { kind: 'other', sql }
  const isUnique = reader.take('UNIQUE')
  const [what] = ['TABLE', 'INDEX', 'VIEW', 'TRIGGER'].filter((word) => reader.take(word))
  if (what === undefined) return { kind: 'other', sql }
  reader.take('IF', 'NOT', 'EXISTS')
  const name = reader.name()
  if (what === 'TABLE') return { kind: 'create-table', sql, table: name }
  if (what === 'VIEW') return { kind: 'create-view', sql, view: name }
  if (what === 'TRIGGER') return { kind: 'create-trigger', sql, trigger: name }
  reader.take('ON')
  return { kind: 'create-index', sql, index: name, table: reader.name(), isUnique }
}

function readDrop(sql: string, reader: Reader): Statement {
  const [what] = ['TABLE', 'INDEX', 'VIEW', 'TRIGGER'].filter((word) => reader.take(word))
  if (what === undefined) return { kind: 'other', sql }
  const ifExists = reader.take('IF', 'EXISTS')
  const name = reader.name()
  if (what === 'TABLE') return { kind: 'drop-table', sql, table: name, ifExists }
  if (what === 'INDEX') return { kind: 'drop-index', sql, index: name }
  if (what === 'VIEW') return { kind: 'drop-view', sql, view: name }
  return { kind: 'drop-trigger', sql, trigger: name }
}

function readAlter(sql: string, reader: Reader): Statement {
  if (!reader.take('TABLE')) return { kind: 'other', sql }
  const table = reader.name()
  if (reader.take('RENAME', 'TO')) return { kind: 'rename-table', sql, table, to: reader.name() }
  if (reader.take('RENAME')) {
    reader.take('COLUMN')
    const column = nameOf(reader.tokens[reader.at++])
    reader.take('TO')
    return { kind: 'rename-column', sql, table, column, to: nameOf(reader.tokens[reader.at]) }
  }
  if (reader.take('ADD')) {
    reader.take('COLUMN')
    const definition = reader.rest()
    return {
      kind: 'add-column',
      sql,
      table,
      column: nameOf(definition[0]),
      definition: textOf(sql, definition),
    }
  }
  if (reader.take('DROP')) {
    reader.take('COLUMN')
    return { kind: 'drop-column', sql, table, column: nameOf(reader.tokens[reader.at]) }
  }
  return { kind: 'other', sql }
}

const dataVerbs = { INSERT: 'insert', REPLACE: 'insert', UPDATE: 'update', DELETE: 'delete' } as const

function readData(sql: string, tokens: readonly Token[]): Statement {
  let depth = 0
  // Behind WITH, the verb is the first that stands in no parentheses.
  const at = tokens.findIndex((token) => {
    if (isPunctuation(token, '(')) depth++
    if (isPunctuation(token, ')')) depth--
    return depth === 0 && isWord(token, ...Object.keys(dataVerbs))
  })
  if (at < 0) return { kind: 'other', sql }
  const verb = dataVerbs[(tokens[at] as Token).text.toUpperCase() as keyof typeof dataVerbs]
  const reader = new Reader(tokens)
  reader.at = at + 1
  if (reader.take('OR')) reader.at++
  const isPlain = at === 0 && reader.at === 1 && isWord(tokens[0], 'INSERT')
  reader.take('INTO')
  reader.take('FROM')
  const table = reader.name()
  return (isPlain ? readCopy(sql, table, reader) : null) ?? { kind: 'data', sql, table, verb }
}

function readCopy(sql: string, table: string, reader: Reader): Statement | null {
  if (!isPunctuation(reader.tokens[reader.at], '(')) return null
  const end = closing(reader.tokens, reader.at)
  const columns = splitAtCommas(reader.tokens.slice(reader.at + 1, end)).map(([name]) => nameOf(name))
  const query = reader.tokens.slice(end + 1)
  if (!isWord(query[0], 'SELECT') || hasOuter(query, 'UNION', 'EXCEPT', 'INTERSECT', 'RETURNING', 'CONFLICT'))
    return null
  const isDistinct = isWord(query[1], 'DISTINCT', 'ALL')
  const from = outer(query, 'FROM')
  const listed = splitAtCommas(query.slice(isDistinct ? 2 : 1, from < 0 ? undefined : from))
  const behind = from < 0 ? [] : query.slice(from + 1)
  const source = new Reader(behind)
  const name = source.name()
  return {
    kind: 'copy',
    sql,
    table,
    columns,
    values: listed.length === columns.length ? listed.map((value) => textOf(sql, value)) : [],
    from: from >= 0 && !isDistinct && source.at === behind.length ? name : null,
  }
}

/** The position of a keyword that stands in no parentheses; -1 when there is none. */
function outer(tokens: readonly Token[], word: string): number {
  let depth = 0
  return tokens.findIndex((token) => {
    if (isPunctuation(token, '(')) depth++
    if (isPunctuation(token, ')')) depth--
    return depth === 0 && isWord(token, word)
  })
}

function hasOuter(tokens: readonly Token[], ...words: readonly string[]): boolean {
  return words.some((word) => outer(tokens, word) >= 0)
}
