import type { Column } from '../../../db/catalog/catalog.ts'
import { denialPrefix } from '../../../db/errors/constraint-error.ts'
import { quoteName, quoteText } from '../../../db/sql/quote.ts'
import { namesOneRow } from '../plan/place.ts'
import type { ReferencePlan, WritePlan } from '../plan/plan.ts'
import { keyText } from './compile-field.ts'
import { deniedProposals, passOrFail, policyTerms, writtenChecks } from './compile-policy.ts'
import { columnNames, ResourceCompiler } from './compile-resource.ts'
import { allOf, type ParameterList, type Parameters, type Statement, writeStatement } from './sql.ts'
import { storedOrDefault, storedValue, touchedValue, updatedValue } from './stored-value.ts'

/** What a write needs of the database, in one batch and so in one transaction. */
export interface CompiledWrite {
  /** One row with the number of payload rows that exist already, in its column `n`; for merges. */
  readonly existing: Statement | null
  /** Which rows would be denied, asked before values are reserved for them, in the column `reason`; null when none can be, or nothing is reserved. */
  readonly proposed: Statement | null
  /** Undoes everything before the write, when it holds rows that are denied but would be passed over as duplicates. */
  readonly forbid: Statement | null
  /**
   * The rows that a delete will take, read before it does: afterwards what refers to them may be gone as well.
   */
  readonly doomed: Statement | null
  /** The rows that an update of several will show, as they are before; null when nothing is shown of it, or one row at most. */
  readonly measured: Statement | null
  readonly write: Statement
  /** The same for one new row, which tells by a row of its own that it was written; null where the write returns rows, or makes none. */
  readonly single: Statement | null
  /** The distribution values of the rows that will be changed, in the column `b`; null when nobody needs them. */
  readonly slots: Statement | null
  /** Of a write of so many rows in an order, these rows as their database finds them: rowid in `id`, `b`, and the keys of the order. */
  readonly first: Statement | null
  /** What the write may take away of the values that are unique over all shards: `u0`, `u1`, …; null for nothing. */
  readonly freed: Statement | null
  /**
   * Whether the write returns rows: `r` (a row's text, or null), `k0`… (what to sort by) and `l0`… (the primary key,
   * as text). Otherwise the number of rows is asked for.
   */
  readonly returns: boolean
  /** Undo everything when they find too many rows, or not exactly one. */
  readonly guards: readonly Statement[]
  /** Names of the columns, for the head line of CSV. */
  readonly columns: readonly string[]
}

/** Rows that the statement before has changed, in the column `n`. */
export const affectedRows: Statement = { text: 'SELECT changes() AS n', parameters: [], packed: false }

export function compileWrite(plan: WritePlan): CompiledWrite {
  const { preferences, media } = plan
  const returns = preferences.return === 'representation' || preferences.return === 'headers-only'
  const compilerFor = (parameters: ParameterList) =>
    new ResourceCompiler(parameters, plan.root, { media, maxRows: null })
  const readsFirst = plan.action === 'delete' && preferences.return === 'representation'
  const doomed = readsFirst ? writeStatement((parameters) => compilerFor(parameters).rows()) : null
  const isTold = returns && !readsFirst
  const writing = (alone: boolean) => (parameters: ParameterList) => {
    const compiler = compilerFor(parameters)
    const text = statementText(plan, compiler, parameters)
    const shown = isTold ? [compiler.returning() + keyColumns(plan, parameters)] : []
    const checks = plan.action === 'delete' ? null : writtenChecks(plan, parameters)
    // Checks come first: nothing of a denied row is worked out.
    const returning = [...(checks === null ? [] : [`${checks} AS c`]), ...shown]
    if (alone && returning.length === 0) returning.push('1 AS c')
    return returning.length === 0 ? text : `${text} RETURNING ${returning.join(', ')}`
  }
  const makesRows = plan.action === 'insert' || plan.action === 'upsert'
  return {
    existing:
      plan.conflict?.resolution === 'merge'
        ? writeStatement((parameters) => existingRows(plan, parameters))
        : null,
    proposed: setsUnique(plan) ? deniedRows(plan, (reasons) => reasons) : null,
    forbid: plan.conflict ? deniedRows(plan, (reasons) => `INSERT INTO _atoll_guard ${reasons}`) : null,
    doomed,
    measured:
      plan.action === 'update' && preferences.return === 'representation' && !namesOneRow(plan.root)
        ? writeStatement((parameters) => compilerFor(parameters).rows())
        : null,
    slots: slotsOfChosen(plan),
    first: firstOfOrder(plan),
    freed: freedValues(plan),
    write: writeStatement(writing(false)),
    single: makesRows && !isTold ? writeStatement(writing(true)) : null,
    returns: isTold,
    guards: guardsFor(plan),
    columns: columnNames(plan.root),
  }
}

/** The distribution value of rows that shards may be asked for, in the column `b`; null when there is but one place for them. */
function soughtValue({ action, route, root: { alias, placement } }: WritePlan): string | null {
  const changesRows = action === 'update' || action === 'delete'
  if (!changesRows || route.kind === 'primary' || placement.kind !== 'distributed') return null
  return `CAST(${alias}.${quoteName(placement.by)} AS TEXT) AS b`
}

function slotsOfChosen(plan: WritePlan): Statement | null {
  const value = soughtValue(plan)
  if (value === null) return null
  return writeStatement((parameters) => {
    const compiler = new ResourceCompiler(parameters, plan.root, { media: plan.media, maxRows: null })
    return `SELECT ${value} FROM ${quoteName(plan.root.table.name)}${compiler.chosen()}`
  })
}

/** More rows than the write asks for, as each database finds them: which they are in all turns out when they are merged. */
function firstOfOrder(plan: WritePlan): Statement | null {
  const { alias, table, limit, offset } = plan.root
  const value = soughtValue(plan)
  if (value === null || (limit === null && offset === null)) return null
  return writeStatement((parameters) => {
    const compiler = new ResourceCompiler(parameters, plan.root, { media: plan.media, maxRows: null })
    const keys = compiler.sortKeys().map((key, i) => `, ${key} AS k${i}`)
    return `SELECT ${alias}.rowid AS id, ${value}${keys.join('')} FROM ${quoteName(table.name)}${compiler.firstChosen()}`
  })
}

/** What is not read here stays behind as an orphan. */
const maxFreed = 1000

function freedValues(plan: WritePlan): Statement | null {
  const { alias, table } = plan.root
  if (table.uniqueAcrossShards.length === 0) return null
  const merges = plan.conflict?.resolution === 'merge'
  if (plan.action !== 'delete' && !(setsUnique(plan) && (plan.action === 'update' || merges))) return null
  const values = table.uniqueAcrossShards.map(
    (name, i) => `CAST(${alias}.${quoteName(name)} AS TEXT) AS u${i}`,
  )
  return writeStatement((parameters) => {
    const compiler = new ResourceCompiler(parameters, plan.root, { media: plan.media, maxRows: null })
    const where = merges ? ` WHERE ${existsAlready(plan, parameters) ?? '0'}` : compiler.chosen()
    return `SELECT ${values.join(', ')} FROM ${quoteName(table.name)}${where} LIMIT ${maxFreed}`
  })
}

function setsUnique({ root, columns, filled }: WritePlan): boolean {
  return [...columns, ...filled].some(({ name }) => root.table.uniqueAcrossShards.includes(name))
}

function statementText(plan: WritePlan, compiler: ResourceCompiler, parameters: ParameterList): string {
  const table = quoteName(plan.root.table.name)
  switch (plan.action) {
    case 'delete':
      return `DELETE FROM ${table}${compiler.chosen()}`
    case 'update': {
      const row = parameters.add({ kind: 'rows' })
      const sets = [...plan.columns, ...plan.filled].map(
        (column, i) => `${quoteName(column.name)} = ${updatedValue(plan, column, `(${row}->0)`, i)}`,
      )
      return `UPDATE ${table} SET ${sets.join(', ')}${compiler.chosen()}`
    }
    default:
      return insertText(plan, parameters)
  }
}

/** One statement and one parameter for any number of rows. */
function insertText(plan: WritePlan, parameters: ParameterList): string {
  const columns = [...plan.columns, ...plan.filled]
  const names = columns.map((column) => quoteName(column.name)).join(', ')
  const values = columns.map((column, i) => storedOrDefault(column, 'value', i)).join(', ')
  const rows = parameters.add({ kind: 'rows' })
  // WHERE keeps ON CONFLICT from being read as a join's ON.
  const insert = `INSERT INTO ${quoteName(plan.root.table.name)} (${names}) SELECT ${values} FROM json_each(${rows}) WHERE true`
  if (!plan.conflict) return insert
  const key = plan.conflict.key.map((column) => quoteName(column.name)).join(', ')
  const nothingToSet = plan.columns.length === 0
  if (plan.conflict.resolution === 'ignore' || nothingToSet)
    return `${insert} ON CONFLICT (${key}) DO NOTHING`
  const sets = [
    ...plan.columns.map((column) => `${quoteName(column.name)} = excluded.${quoteName(column.name)}`),
    ...plan.touched.map((column, i) => {
      const value = touchedValue(column, `(${rows}->0)`, columns.length + i)
      return `${quoteName(column.name)} = ${value}`
    }),
  ]
  const table = quoteName(plan.root.table.name)
  const guard = passOrFail(plan.policy, table, parameters)
  return `${insert} ON CONFLICT (${key}) DO UPDATE SET ${sets.join(', ')}${guard === null ? '' : ` WHERE ${guard}`}`
}

function existingRows(plan: WritePlan, parameters: ParameterList): string {
  const exists = existsAlready(plan, parameters)
  return exists === null
    ? 'SELECT 0 AS n'
    : `SELECT count(*) AS n FROM ${quoteName(plan.root.table.name)} WHERE ${exists}`
}

/** That a row has the key of one of the payload's; null when the payload does not name the key, so that all are new. */
export function existsAlready({ conflict, columns }: WritePlan, parameters: Parameters): string | null {
  const key = conflict?.key ?? []
  const positions = key.map((column) => columns.indexOf(column))
  if (positions.includes(-1)) return null
  const names = key.map((column) => quoteName(column.name)).join(', ')
  const values = key.map((column, i) => storedValue(column, 'value', positions[i] as number)).join(', ')
  return `(${names}) IN (SELECT ${values} FROM json_each(${parameters.add({ kind: 'rows' })}))`
}

/** The primary key as text, for `Location`, of a row that the caller may see. */
function keyColumns(plan: WritePlan, parameters: Parameters): string {
  if (plan.preferences.return !== 'headers-only' || plan.keyShown === null) return ''
  const { table, alias } = plan.root
  const seen = policyTerms(plan.keyShown, alias, quoteName(table.name), parameters)
  return table.primaryKey
    .map((name, i) => {
      const text = keyText(table.columns.get(name) as Column, `${alias}.${quoteName(name)}`)
      return `, CASE WHEN ${allOf(seen)} THEN ${text} END AS l${i}`
    })
    .join('')
}

/**
 * Why rows would be denied, were they written. A duplicate is told from a new row by what becomes of it: of rows that are denied, neither
 * may be known. What a merge keeps of a row that is there, its payload does not say, so only parents are asked for; its own check follows.
 */
function deniedRows(plan: WritePlan, statementOf: (reasons: string) => string): Statement | null {
  if (plan.action === 'delete') return null
  const checks = plan.check.kind !== 'all' && plan.conflict?.resolution !== 'merge'
  const reasons: [by: 'check' | ReferencePlan, reason: string][] = [
    ...(checks ? [['check', 'row'] as ['check', string]] : []),
    ...plan.references.map((reference, i): [ReferencePlan, string] => [reference, `parent/${i}`]),
  ]
  if (reasons.length === 0) return null
  return writeStatement((parameters) => {
    const whens = reasons.map(([by, reason]) => {
      const denied = deniedProposals(plan, parameters, by, fromChosen(plan, parameters))
      return `WHEN EXISTS (${denied}) THEN ${quoteText(denialPrefix + reason)}`
    })
    return statementOf(
      `SELECT reason FROM (SELECT CASE ${whens.join(' ')} END AS reason) WHERE reason IS NOT NULL`,
    )
  })
}

/** FROM and WHERE of the rows that an update changes; null for new rows. */
export function fromChosen({ action, root, media }: WritePlan, parameters: ParameterList): string | null {
  if (action !== 'update') return null
  return ` FROM ${root.alias}${new ResourceCompiler(parameters, root, { media, maxRows: null }).chosen()}`
}

/** A row in the guard table aborts the transaction, with the row's text as the reason. */
function guardsFor(plan: WritePlan): Statement[] {
  const guard = (reason: string, when: string): Statement => ({
    text: `INSERT INTO _atoll_guard SELECT ${quoteText(`atoll/${reason}/`)}||changes() WHERE changes() ${when}`,
    parameters: [],
    packed: false,
  })
  const { maxAffected } = plan.preferences
  return [
    ...(plan.media.kind === 'object' ? [guard('singular', '<> 1')] : []),
    ...(maxAffected !== null && plan.action !== 'insert' ? [guard('max-affected', `> ${maxAffected}`)] : []),
  ]
}
