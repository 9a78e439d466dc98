/**
 * What callers are told of an error that the app's own code threw.
 * @module
 */
import { PostgrestError } from '@supabase/postgrest-js'
import type { Catalog, Table } from '../../db/catalog/catalog.ts'
import { violatedKey } from '../../db/catalog/unique-name.ts'
import { translateDatabaseError } from '../../db/cluster/translate-error.ts'
import { leavesOpen, writes } from '../../db/cluster/unknown-outcome.ts'
import { AtollError } from '../../db/errors/atoll-error.ts'
import { ConstraintError } from '../../db/errors/constraint-error.ts'
import { errors } from './errors.ts'

/**
 * @param refusals what the caller themselves was refused, through `api.asCaller`
 * @returns the error to throw in its place: an AtollError for what callers are told, itself for all else
 */
export function tellFailure(error: unknown, catalog: Catalog, refusals: readonly AtollError[]): unknown {
  if (error instanceof AtollError) return error
  if (error instanceof PostgrestError) return tellAnswer(error, refusals)
  // Drizzle wraps what its database throws.
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof AtollError) return at
  return nameViolation(error, catalog) ?? nameOutage(error) ?? error
}

/** That a database did not answer, and whether what it was to write may be written; null for other errors. */
function nameOutage(error: unknown): AtollError | null {
  let query: string | null = null
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('query' in at && typeof at.query === 'string') query = at.query
    else {
      const told = translateDatabaseError('that the function asked', at)
      if (!(told instanceof AtollError) || told.body.code !== 'SHARD002') continue
      // A batch does not say what it was.
      const mayBeWritten = leavesOpen(at, told) && (query === null || writes(query))
      return mayBeWritten ? errors.outcomeUnknown('the database that the function asked', told) : told
    }
  }
  return null
}

/** Statuses of broken constraints, which are told whoever's rights the function wrote with. */
const violations: Readonly<Record<string, number>> = { 23502: 400, 23503: 409, 23505: 409, 23514: 400 }

/** What `throwOnError()` threw. */
function tellAnswer(error: PostgrestError, refusals: readonly AtollError[]): unknown {
  const { code, message, details, hint } = error
  const refusal = refusals.find(({ body }) => body.code === code && body.message === message)
  if (refusal) return refusal
  const status = violations[code]
  if (status === undefined) return error
  return new AtollError(status, code, message, { details, ...(hint ? { hint } : {}), cause: error })
}

/** The table that a statement writes to, and whether rows leave it. */
const written =
  /^\s*(?:with\b[\s\S]*?\b)?(?:(?:insert|replace)(?:\s+or\s+\w+)?\s+into|(update)(?:\s+or\s+\w+)?|(delete)\s+from)\s+["`[]?(\w+)/i

/** How an SQLite statement failed, as far as Drizzle and D1 tell. */
interface Failure {
  readonly violation: ConstraintError
  readonly table: string | null
  readonly action: 'insert' | 'update' | 'delete' | null
}

/**
 * Which constraint a statement broke, in the data API's words, from the catalog and SQLite's message alone; null for what is no
 * such failure, or one of Atoll's own tables. Values are not named: the message has none.
 */
export function nameViolation(error: unknown, catalog: Catalog): AtollError | null {
  const failure = readFailure(error)
  if (failure === null || failure.table?.startsWith('_atoll_')) return null
  const { violation, table } = failure
  const known = catalog.tables.get(table ?? '')
  switch (violation.kind) {
    case 'unique':
      return errors.notUnique(uniqueName(violation, table, known), null)
    case 'not-null':
      return errors.notNull(table ?? '', violation.columns[0] ?? '', null)
    case 'check': {
      // One without a name is called by its text.
      const isName = /^\w+$/.test(violation.subject)
      return errors.checkFailed(table, isName ? violation.subject : `${table ?? 'table'}_check`)
    }
    case 'foreign-key':
      return foreignKey(failure, known, catalog)
  }
}

/** Finds the failure among the causes of what was thrown. */
function readFailure(error: unknown): Failure | null {
  let query: string | null = null
  for (let at = error; at instanceof Error; at = at.cause) {
    // Drizzle's own message holds the query's parameters, which may say anything.
    if ('query' in at && typeof at.query === 'string') {
      query = at.query
      continue
    }
    const violation = at instanceof ConstraintError ? at : translateDatabaseError('', at)
    if (!(violation instanceof ConstraintError)) continue
    const [, update, remove, statementTable = null] = written.exec(query ?? '') ?? []
    const named = /^(\w+)\./.exec(violation.subject)?.[1] ?? null
    const action = statementTable === null ? null : update ? 'update' : remove ? 'delete' : 'insert'
    return {
      violation,
      table: violation.kind === 'check' ? statementTable : (named ?? statementTable),
      action,
    }
  }
  return null
}

function uniqueName({ columns, subject }: ConstraintError, table: string | null, known?: Table): string {
  const key = violatedKey(known, columns, subject)
  return key?.constraint ?? [table, ...columns, 'key'].join('_')
}

/** SQLite does not say which key: it is named where only one can be meant. */
function foreignKey({ table, action }: Failure, known: Table | undefined, catalog: Catalog): AtollError {
  if (table === null || !known) return errors.foreignKey(table)
  const direct = known.relations.filter(({ junction, toIsView }) => junction === null && !toIsView)
  const parents = [
    ...direct.filter(({ forward }) => forward).map(({ constraint }) => constraint),
    ...known.keysElsewhere.map(({ constraint }) => constraint),
  ]
  const children = direct.filter(({ forward, to }) => !forward && catalog.tables.has(to))
  const [parent, ...otherParents] = action === 'delete' ? [] : new Set(parents)
  const [child, ...otherChildren] = action === 'insert' ? [] : children
  if (parent !== undefined && otherParents.length === 0 && child === undefined) {
    return errors.noParent(table, parent, null)
  }
  if (child !== undefined && otherChildren.length === 0 && parent === undefined) {
    return errors.hasChildren(table, child.constraint, child.to, null)
  }
  return errors.foreignKey(table)
}
