/**
 * Conditions that an app's policies give, as SQL: of rows, and of stored objects.
 * @module
 */
import {
  Column,
  getTableName,
  getViewName,
  is,
  Param,
  Placeholder,
  SQL,
  type SQLWrapper,
  Subquery,
  Table,
  View,
} from 'drizzle-orm'
import { QueryBuilder, SQLiteSyncDialect } from 'drizzle-orm/sqlite-core'
import { parameterMark, type RowCondition, rowMark } from './grants.ts'

/** Where conditions stand. */
export interface ConditionPlace {
  /** What they are a policy of, in messages. */
  readonly name: string
  /** What the row in question goes by in them, as Drizzle names its table. */
  readonly rowName: string
  /** Why they may not read a table, or null when they may. */
  readonly refusal: (table: string) => string | null
}

export type CompiledCondition = Omit<RowCondition, 'readsOwnTable'>

/** Begins subqueries of conditions. */
export const queryBuilder = new QueryBuilder()

/**
 * Makes SQL of what the conditions of one place give.
 *
 * @returns a function that throws for what is no condition, or reads what does not lie there
 */
export function createConditionCompiler(place: ConditionPlace): (answer: unknown) => CompiledCondition {
  /** What the texts met so far read. */
  const known = new Map<string, readonly string[] | null>()
  return (answer) => {
    if (typeof answer === 'boolean') return { text: answer ? '1' : '0', parameters: [], reads: [] }
    if (!is(answer, SQL)) {
      throw new TypeError(`a policy of ${place.name} gives no condition: it must return SQL, true or false`)
    }
    settleClaims(answer)
    const { sql: text, params } = answer.toQuery(renderOptions(place.rowName))
    let reads = known.get(text)
    if (reads === undefined) {
      if (reservedNames.test(text)) {
        throw new Error(`a policy of ${place.name} uses a name that begins with _atoll_ or _t and a digit`)
      }
      reads = readTables(answer, text, place)
      if (known.size < 100) known.set(text, reads)
    }
    return { text, parameters: params.map((value) => bindable(value, place.name)), reads }
  }
}

/** Names that statements give to what they read. */
const reservedNames = /\b_t\d|_atoll_/i

/**
 * Settles what claims are compared as, before Drizzle's types and SQLite's affinities make something else of them. A claim that is missing, or
 * that no value of the column can be, is null, which is equal to none.
 */
function settleClaims(chunk: unknown): void {
  if (Array.isArray(chunk)) for (const part of chunk) settleClaims(part)
  else if (is(chunk, Param)) {
    const param = chunk as { value: unknown }
    param.value = is(chunk.encoder, Column) ? comparable(param.value, chunk.encoder) : (param.value ?? null)
  } else if (is(chunk, SQL)) settleClaims(chunk.queryChunks)
  else {
    const inner = innerOf(chunk)
    if (inner !== null) settleClaims(inner.queryChunks)
  }
}

/** Whole numbers as they are written: SQLite would take `07`, `7.0` and ` 7` for 7 as well. */
const wholeText = /^(?:0|-?[1-9]\d*)$/

function comparable(value: unknown, column: Column): unknown {
  if (value === undefined || value === null || is(value, Placeholder)) return value ?? null
  switch (column.columnType) {
    case 'SQLiteInteger':
      if (typeof value === 'string') return wholeText.test(value) ? value : null
      return typeof value === 'number' || typeof value === 'bigint' ? value : null
    case 'SQLiteText':
      // With the affinity of a number, texts that read as it would be equal to it.
      if (typeof value === 'number' || typeof value === 'bigint') return String(value)
      return typeof value === 'string' ? value : null
    case 'SQLiteBoolean':
      return typeof value === 'boolean' || value === 0 || value === 1 ? value : null
    case 'SQLiteTimestamp':
      return value instanceof Date ? value : null
    case 'SQLiteReal':
    case 'SQLiteNumeric':
      return typeof value === 'boolean' ? null : value
    default:
      return value
  }
}

/** The SQL of a subquery; null for what is none, or wraps itself as names and parameters do. */
function innerOf(chunk: unknown): SQL | null {
  if (is(chunk, Subquery)) return chunk._.sql
  if (chunk === null || typeof chunk !== 'object' || is(chunk, Column) || is(chunk, Table) || is(chunk, View))
    return null
  const wrapper = chunk as SQLWrapper
  if (typeof wrapper.getSQL !== 'function') return null
  const inner = wrapper.getSQL()
  return inner.queryChunks.includes(wrapper) ? null : inner
}

/**
 * Looks at the tables that a condition's subqueries read.
 *
 * @returns their names; null when SQL written as text reads others, of which it cannot be told
 * @throws when one of them does not lie beside the row, or columns are not those of `row`
 */
function readTables(
  condition: SQL,
  text: string,
  { name, rowName, refusal }: ConditionPlace,
): string[] | null {
  const found: Found = { tables: new Set(), names: new Set([rowName]), columnsOf: new Set(), queries: 0 }
  collect(condition, found, rowName)
  for (const table of found.tables) {
    const reason = refusal(table)
    if (reason !== null) throw new Error(`a policy of ${name} reads ${table}: ${reason}`)
  }
  for (const table of found.columnsOf) {
    if (found.names.has(table)) continue
    throw new Error(
      `a policy of ${name} names a column of ${table}, which it does not read; use the columns of row`,
    )
  }
  const selects = text.match(/\bselect\b/gi)?.length ?? 0
  return selects > found.queries ? null : [...found.tables]
}

/** What stands in a Drizzle expression. */
interface Found {
  /** Tables that subqueries read. */
  readonly tables: Set<string>
  /** What they are called there. */
  readonly names: Set<string>
  /** What the tables of its columns are called. */
  readonly columnsOf: Set<string>
  /** How many of them Drizzle has built. */
  queries: number
}

function collect(chunk: unknown, found: Found, rowName: string): void {
  if (Array.isArray(chunk)) for (const part of chunk) collect(part, found, rowName)
  else if (is(chunk, SQL)) collect(chunk.queryChunks, found, rowName)
  else if (is(chunk, Column)) collectColumn(chunk.table, found, rowName)
  else if (is(chunk, Table)) {
    found.tables.add(getTableName(chunk))
    found.names.add(getTableName(chunk))
  } else if (is(chunk, View)) {
    found.tables.add(getViewName(chunk))
    found.names.add(getViewName(chunk))
  } else {
    if (is(chunk, Subquery)) found.names.add(chunk._.alias)
    const inner = innerOf(chunk)
    if (inner === null) return
    found.queries++
    collect(inner, found, rowName)
  }
}

/** Drizzle writes aliases into FROM as plain names: which table they stand for is known by their columns only. */
function collectColumn(table: Table, found: Found, rowName: string): void {
  const name = getTableName(table)
  const symbols = table as unknown as Record<symbol, unknown>
  if (name !== rowName && symbols[Symbol.for('drizzle:IsAlias')] === true) {
    found.tables.add(symbols[Symbol.for('drizzle:OriginalName')] as string)
  } else found.columnsOf.add(name)
}

const { casing } = new SQLiteSyncDialect() as unknown as { casing: never }

const renderOptions = (rowName: string) => ({
  casing,
  escapeName: (name: string) => (name === rowName ? rowMark : `"${name.replaceAll('"', '""')}"`),
  escapeParam: (number: number, value: unknown) => {
    const mark = `${parameterMark}${number}${parameterMark}`
    // D1 binds numbers as REAL: a whole one becomes an integer again, with its digits.
    return isWhole(value) ? `CAST(${mark} AS INTEGER)` : mark
  },
  escapeString: (text: string) => `'${text.replaceAll("'", "''")}'`,
})

function isWhole(value: unknown): boolean {
  return typeof value === 'bigint' || typeof value === 'boolean' || Number.isSafeInteger(value)
}

function bindable(value: unknown, name: string): string | number | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (isWhole(value)) return String(value)
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return value
  if (is(value, Placeholder))
    throw new TypeError(`a policy of ${name} has a placeholder; use the caller's claims`)
  // A claim of a form that no column has is equal to none.
  return null
}
