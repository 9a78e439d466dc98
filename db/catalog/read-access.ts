import { alias, type SQLiteTable, type SQLiteView } from 'drizzle-orm/sqlite-core'
import type { Column as CatalogColumn } from './catalog.ts'
import { createConditionCompiler, queryBuilder } from './compile-condition.ts'
import {
  everyRow,
  type Grant,
  operations,
  type RoleRights,
  type RowCondition,
  type RowRule,
  type TableRights,
} from './grants.ts'
import type { Access, Condition, PolicyCaller, RoleGrants, Rows } from './policy.ts'

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

function ruleOf(rows: AnyRows, source: AccessSource): RowRule {
  if (rows === true) return everyRow
  const { name, refusal } = source
  const condition = rows as Condition<unknown>
  const row = alias(source.drizzle as SQLiteTable, rowName)
  const compile = createConditionCompiler({ name, rowName, refusal })
  return {
    kind: 'rule',
    source: String(condition),
    decide(caller: PolicyCaller): RowCondition {
      const compiled = compile(condition({ caller, row, query: queryBuilder }))
      return { ...compiled, readsOwnTable: compiled.reads === null || compiled.reads.includes(name) }
    },
  }
}
