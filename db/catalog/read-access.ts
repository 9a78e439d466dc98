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
import {
  alias,
  QueryBuilder,
  SQLiteSyncDialect,
  type SQLiteTable,
  type SQLiteView,
} from 'drizzle-orm/sqlite-core'
import type { Access, Condition, PolicyCaller, RoleGrants, Rows } from '../policy.ts'
import type { Column as CatalogColumn } from './catalog.ts'
import {
  everyRow,
  type Grant,
  operations,
  parameterMark,
  type RoleRights,
  type RowCondition,
  type RowRule,
  rowMark,
  type TableRights,
} from './grants.ts'

/** What a table's grants are read from. */
export interface AccessSource {
  readonly name: string
  readonly drizzle: SQLiteTable | SQLiteView
  readonly access: Access<never>
  readonly columns: ReadonlyMap<string, CatalogColumn>
  /** Why a condition on this table may not read another, or null when it may; known once placement is. */
  readonly refusal: (table: string) => string | null
}

type AnyRows = Rows<never>

/** Everything that a grant may hold, whatever its operation. */
interface AnyGrant {
  readonly where?: AnyRows
  readonly check?: AnyRows
  readonly columns?: readonly string[]
}

const allowedParts: Readonly<Record<string, readonly string[]>> = {
  select: ['where', 'columns'],
  insert: ['check', 'columns'],
  update: ['where', 'check', 'columns'],
  delete: ['where'],
}

/** Reads `access` of one table; what it says wrongly goes to `problems`. */
export function readAccess(source: AccessSource, problems: string[]): TableRights {
  const rights = new Map<string, RoleRights>()
  for (const [role, grants] of Object.entries(source.access)) {
    const unknown = Object.keys(grants).filter((key) => key !== 'refer' && !(key in allowedParts))
    for (const key of unknown) {
      problems.push(
        `table ${source.name}, role ${role}: there is no operation ${key}; use ${operations.join(', ')} or refer`,
      )
    }
    const read = (operation: keyof RoleGrants<never>) => readGrant(source, role, operation, grants, problems)
    const refer = grants.refer === undefined ? null : ruleOf(grants.refer, source)
    const select = read('select')
    rights.set(role, {
      select,
      insert: read('insert'),
      update: read('update'),
      delete: read('delete'),
      refer: refer ?? select?.where ?? null,
    })
  }
  return rights
}

function readGrant(
  source: AccessSource,
  role: string,
  operation: string,
  grants: RoleGrants<never>,
  problems: string[],
): Grant | null {
  const given = grants[operation as 'select'] as AnyRows | AnyGrant | undefined
  if (given === undefined) return null
  const where = `table ${source.name}, role ${role}, ${operation}`
  if (given !== true && typeof given !== 'function' && (typeof given !== 'object' || given === null)) {
    problems.push(`${where}: a grant is true, a condition or an object; leave it out to deny`)
    return null
  }
  const parts: AnyGrant =
    typeof given === 'object' ? given : operation === 'insert' ? { check: given } : { where: given }
  for (const part of Object.keys(parts)) {
    if (!allowedParts[operation]?.includes(part))
      problems.push(`${where}: it has no ${part}; use ${allowedParts[operation]?.join(', ')}`)
  }
  const rows = ruleOf(parts.where ?? true, source)
  return {
    where: rows,
    // As in PostgreSQL: what an update may find, it must leave findable, unless it says otherwise.
    check: parts.check === undefined ? rows : ruleOf(parts.check, source),
    columns: readColumnList(source, where, parts.columns, problems),
  }
}

function readColumnList(
  { columns }: AccessSource,
  where: string,
  list: readonly string[] | undefined,
  problems: string[],
): ReadonlySet<string> {
  if (list === undefined) return new Set(columns.keys())
  const names = new Set<string>()
  for (const key of list) {
    const column = [...columns.values()].find((candidate) => candidate.key === key)
    if (column) names.add(column.name)
    else problems.push(`${where}: there is no column ${key}; list columns as the Drizzle table names them`)
  }
  return names
}

/** The name that the row goes by in a condition, until it is known which one the statement gives it. */
const rowName = '_atoll_row'
const queryBuilder = new QueryBuilder()

function ruleOf(rows: AnyRows, source: AccessSource): RowRule {
  if (rows === true) return everyRow
  const condition = rows as Condition<unknown>
  const row = alias(source.drizzle as SQLiteTable, rowName)
  const known = new Map<string, readonly string[] | null>()
  return {
    kind: 'rule',
    source: String(condition),
    decide(caller: PolicyCaller): RowCondition {
      const answer = condition({ caller, row, query: queryBuilder })
      if (typeof answer === 'boolean') {
        return { text: answer ? '1' : '0', parameters: [], readsOwnTable: false, reads: [] }
      }
      if (!is(answer, SQL)) {
        throw new TypeError(
          `a policy of ${source.name} gives no condition: it must return SQL, true or false`,
        )
      }
      fillMissing(answer)
      const { sql: text, params } = answer.toQuery(renderOptions)
      let reads = known.get(text)
      if (reads === undefined) {
        if (reservedNames.test(text)) {
          throw new Error(`a policy of ${source.name} uses a name that begins with _atoll_ or _t and a digit`)
        }
        reads = readTables(answer, text, source)
        if (known.size < 100) known.set(text, reads)
      }
      const readsOwnTable = reads === null || reads.includes(source.name)
      return { text, parameters: params.map((value) => bindable(value, source.name)), readsOwnTable, reads }
    },
  }
}

/** Names that statements give to what they read. */
const reservedNames = /\b_t\d|_atoll_/i

/** A claim inside a claim may be missing: it is null, before a column's type makes something else of it. */
function fillMissing(chunk: unknown): void {
  if (Array.isArray(chunk)) for (const part of chunk) fillMissing(part)
  else if (is(chunk, Param)) {
    if (chunk.value === undefined) (chunk as { value: unknown }).value = null
  } else if (is(chunk, SQL)) fillMissing(chunk.queryChunks)
  else {
    const inner = innerOf(chunk)
    if (inner !== null) fillMissing(inner.queryChunks)
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
function readTables(condition: SQL, text: string, source: AccessSource): string[] | null {
  const found: Found = { tables: new Set(), names: new Set([rowName]), columnsOf: new Set(), queries: 0 }
  collect(condition, found)
  for (const table of found.tables) {
    const refusal = source.refusal(table)
    if (refusal !== null) throw new Error(`a policy of ${source.name} reads ${table}: ${refusal}`)
  }
  for (const name of found.columnsOf) {
    if (found.names.has(name)) continue
    throw new Error(
      `a policy of ${source.name} names a column of ${name}, which it does not read; use the columns of row`,
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

function collect(chunk: unknown, found: Found): void {
  if (Array.isArray(chunk)) for (const part of chunk) collect(part, found)
  else if (is(chunk, SQL)) collect(chunk.queryChunks, found)
  else if (is(chunk, Column)) collectColumn(chunk.table, found)
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
    collect(inner, found)
  }
}

/** Drizzle writes aliases into FROM as plain names: which table they stand for is known by their columns only. */
function collectColumn(table: Table, found: Found): void {
  const name = getTableName(table)
  const symbols = table as unknown as Record<symbol, unknown>
  if (name !== rowName && symbols[Symbol.for('drizzle:IsAlias')] === true) {
    found.tables.add(symbols[Symbol.for('drizzle:OriginalName')] as string)
  } else found.columnsOf.add(name)
}

const { casing } = new SQLiteSyncDialect() as unknown as { casing: never }

const renderOptions = {
  casing,
  escapeName: (name: string) => (name === rowName ? rowMark : `"${name.replaceAll('"', '""')}"`),
  escapeParam: (number: number, value: unknown) => {
    const mark = `${parameterMark}${number}${parameterMark}`
    // D1 binds numbers as REAL: a whole one becomes an integer again, with its digits.
    return isWhole(value) ? `CAST(${mark} AS INTEGER)` : mark
  },
  escapeString: (text: string) => `'${text.replaceAll("'", "''")}'`,
}

function isWhole(value: unknown): boolean {
  return typeof value === 'bigint' || typeof value === 'boolean' || Number.isSafeInteger(value)
}

function bindable(value: unknown, table: string): string | number | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (isWhole(value)) return String(value)
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return value
  if (is(value, Placeholder))
    throw new TypeError(`a policy of ${table} has a placeholder; use the caller's claims`)
  // A claim of a form that no column has is equal to none.
  return null
}
