/**
 * Says which constraint a write broke, in PostgreSQL's words. SQLite names columns at best, and nothing at all for
 * foreign keys, so those are looked for, one by one, after the failure.
 * @module
 */
import type { Column, Relation, Table } from '../../../db/catalog/catalog.ts'
import { violatedKey } from '../../../db/catalog/unique-name.ts'
import type { AtollError } from '../../../db/errors/atoll-error.ts'
import { type ConstraintError, PolicyViolation } from '../../../db/errors/constraint-error.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import type { Row } from '../../../db/sql/statement.ts'
import { allRows, type RowPolicy } from '../../access/area.ts'
import { keyText } from '../compile/compile-field.ts'
import { deniedProposals, policyTerms } from '../compile/compile-policy.ts'
import { ResourceCompiler } from '../compile/compile-resource.ts'
import { fromChosen } from '../compile/compile-write.ts'
import { allOf, type ParameterList, type Statement, writeStatement } from '../compile/sql.ts'
import { storedValue } from '../compile/stored-value.ts'
import { errors } from '../errors.ts'
import type { ReferencePlan } from '../plan/plan.ts'
import type { BoundWrite as Bound } from './bound-write.ts'

/** A write and the rows of the part that failed. */
interface BoundWrite extends Bound {
  readonly chunks: readonly string[]
}

/** Runs a statement with the write's operands and some of its rows; given by the stage that may. */
export type Ask = (statement: Statement, rows: string) => Promise<readonly Row[]>

export async function explainViolation(
  error: ConstraintError | PolicyViolation,
  write: BoundWrite,
  ask: Ask,
): Promise<AtollError> {
  const { table } = write.plan.root
  const { signedIn } = write.rights.caller
  if (error instanceof PolicyViolation) {
    const reference = error.reference === null ? undefined : write.plan.references[error.reference]
    if (reference === undefined) return errors.deniedRow(table.shownName, signedIn)
    return errors.noParent(table.shownName, reference.constraint, await missingKey(write, reference, ask))
  }
  switch (error.kind) {
    case 'unique':
      return explainUnique(error, write, ask)
    case 'not-null': {
      const [column] = error.columns as [string]
      if (!mayName(write, column)) return errors.deniedRow(table.shownName, signedIn)
      return errors.notNull(table.shownName, column, failingRow(write))
    }
    case 'check': {
      // A constraint without a name is called by its text, which may name any column.
      const told =
        /^\w+$/.test(error.subject) || [...table.columns.keys()].every((name) => mayName(write, name))
      return errors.checkFailed(table.shownName, told ? error.subject : `${table.name}_check`)
    }
    case 'foreign-key':
      return explainForeignKey(write, ask)
  }
}

/** Whether the caller may know of a column: because they see it, or have set it. */
function mayName({ rights, plan }: BoundWrite, column: string): boolean {
  return rights.seen(plan.root.table).columns.has(column) || plan.columns.some((set) => set.name === column)
}

/**
 * That a key is taken says that a row is there. Of a row that the caller may not see only that much is told which
 * the refusal itself says, and nothing to those whose row would have been denied in any case.
 */
async function explainUnique(error: ConstraintError, write: BoundWrite, ask: Ask): Promise<AtollError> {
  const { plan, rights } = write
  const { table } = plan.root
  const denied = await whatDenies(write, ask)
  if (denied === 'check') return errors.deniedRow(table.shownName, rights.caller.signedIn)
  if (denied !== null) {
    return errors.noParent(table.shownName, denied.constraint, await missingKey(write, denied, ask))
  }
  const key = violatedKey(table, error.columns, error.subject)
  const columns = key?.columns ?? error.columns
  const seesAll = rights.has(table, 'select') && rights.rows(table, 'select').kind === 'all'
  const values = columns.map((column) => sentValue(write, column))
  const known = seesAll && values.length > 0 && values.every((value) => value !== undefined)
  const details = known ? `Key (${columns.join(', ')})=(${values.join(', ')}) already exists.` : null
  // An index over expressions may be of any column.
  const of = columns.length > 0 ? columns : [...table.columns.keys()]
  const told = of.every((column) => mayName(write, column))
  return errors.notUnique(told ? (key?.constraint ?? columns.join('_')) : `${table.name}_key`, details)
}

/** What would have denied the rows, had no key been taken; null for nothing. */
async function whatDenies({ plan, chunks }: BoundWrite, ask: Ask): Promise<'check' | ReferencePlan | null> {
  const statementFor = (by: 'check' | ReferencePlan) =>
    writeStatement(
      (parameters) => `${deniedProposals(plan, parameters, by, fromChosen(plan, parameters))} LIMIT 1`,
    )
  const reasons = [...(plan.check.kind === 'all' ? [] : ['check' as const]), ...plan.references]
  for (const by of reasons) {
    for (const chunk of chunks) {
      if ((await ask(statementFor(by), chunk)).length > 0) return by
    }
  }
  return null
}

/** The value of a column in the one row that was sent, as text; undefined when several were, or it was not. */
function sentValue({ payload }: BoundWrite, column: string): string | undefined {
  const [row, ...others] = payload.rows
  const value = row?.[column]
  if (others.length > 0 || value === undefined || value === null) return undefined
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function failingRow(write: BoundWrite): string | null {
  const { plan, payload } = write
  if (plan.action === 'update' || payload.rows.length !== 1) return null
  const shown = [...plan.root.table.columns.values()].filter((column) => mayName(write, column.name))
  const values = shown.map((column) => {
    const fallback = column.default?.kind === 'value' ? String(column.default.value) : 'null'
    return sentValue(write, column.name) ?? (plan.columns.includes(column) ? 'null' : fallback)
  })
  return `Failing row contains (${values.join(', ')}).`
}

async function explainForeignKey(write: BoundWrite, ask: Ask): Promise<AtollError> {
  const { plan } = write
  const { table } = plan.root
  const relations = table.relations.filter(({ junction, toIsView }) => junction === null && !toIsView)
  const sets = (column: string) => plan.columns.some((set) => set.name === column)
  const parents = relations.filter(({ forward, on }) => forward && on.some(([here]) => sets(here)))
  for (const relation of plan.action === 'delete' ? [] : parents) {
    const { constraint, to: parent, on } = relation
    const details = await missingKey(write, { constraint, parent, on, policy: allRows }, ask)
    if (details !== null) return errors.noParent(table.shownName, constraint, details)
  }
  // Which rows refer to this one is told of those that the caller may see.
  const children = write.rights
    .seen(table)
    .relations.filter(({ forward, junction, toIsView }) => !forward && junction === null && !toIsView)
  for (const relation of children) {
    const child = write.rights.catalog.tables.get(relation.to) as Table
    if (!write.rights.has(child, 'select')) continue
    const policy = write.rights.rows(child, 'select')
    const values = await firstValue(presentChild(write, relation, policy), '[]', ask)
    if (values === null) continue
    const columns = relation.on.map(([here]) => here).join(', ')
    const details = `Key (${columns})=(${values}) is still referenced from table "${child.shownName}".`
    return errors.hasChildren(table.shownName, relation.constraint, child.shownName, details)
  }
  return errors.foreignKey(table.shownName)
}

async function firstValue(statement: Statement | null, rows: string, ask: Ask): Promise<string | null> {
  if (statement === null) return null
  const [found] = await ask(statement, rows)
  return (found?.v as string | undefined) ?? null
}

/** Which key of the payload the parent table does not have, in PostgreSQL's words; null when none is found. */
async function missingKey(write: BoundWrite, reference: ReferencePlan, ask: Ask): Promise<string | null> {
  for (const chunk of write.chunks) {
    const values = await firstValue(missingParent(write, reference), chunk, ask)
    if (values === null) continue
    const columns = reference.on.map(([here]) => here).join(', ')
    const parent = write.rights.catalog.tables.get(reference.parent)?.shownName ?? reference.parent
    return `Key (${columns})=(${values}) is not present in table "${parent}".`
  }
  return null
}

/** The first key of the payload that the parent table does not have; null when the payload sets only a part of it. */
function missingParent({ plan }: BoundWrite, relation: ReferencePlan): Statement | null {
  const positions = relation.on.map(([here]) => plan.columns.findIndex((column) => column.name === here))
  if (positions.includes(-1)) return null
  return writeStatement((parameters: ParameterList) => {
    const columnAt = (position: number) => plan.columns[position] as Column
    // `value` alone could be a column of the parent.
    const value = (position: number) => storedValue(columnAt(position), '_atoll_w.value', position)
    const text = (position: number) => keyText(columnAt(position), value(position))
    const matches = relation.on.map(
      ([, there], i) => `_atoll_p.${quoteName(there)} = ${value(positions[i] as number)}`,
    )
    const present = positions.map((position) => `${value(position)} IS NOT NULL`)
    const shown = positions.map(text).join(`||', '||`)
    const rows = parameters.add({ kind: 'rows' })
    const parent = quoteName(relation.parent)
    const known = [...matches, ...policyTerms(relation.policy, '_atoll_p', parent, parameters)]
    return `SELECT ${shown} AS v FROM json_each(${rows}) AS _atoll_w WHERE ${present.join(' AND ')} AND NOT EXISTS (SELECT 1 FROM ${parent} AS _atoll_p WHERE ${allOf(known)}) LIMIT 1`
  })
}

/** The first of the chosen rows that a child row refers to. */
function presentChild({ plan }: BoundWrite, relation: Relation, policy: RowPolicy): Statement {
  const { root } = plan
  return writeStatement((parameters) => {
    const child = quoteName(relation.to)
    const chosen = new ResourceCompiler(parameters, root, { media: plan.media, maxRows: null }).chosen()
    const matches = relation.on.map(
      ([here, there]) => `_atoll_c.${quoteName(there)} = ${root.alias}.${quoteName(here)}`,
    )
    const shown = relation.on
      .map(([here]) => keyText(root.table.columns.get(here) as Column, `${root.alias}.${quoteName(here)}`))
      .join(`||', '||`)
    return `SELECT ${shown} AS v FROM ${root.alias}${chosen === '' ? ' WHERE 1' : chosen} AND EXISTS (SELECT 1 FROM ${child} AS _atoll_c WHERE ${allOf([...matches, ...policyTerms(policy, '_atoll_c', child, parameters)])}) LIMIT 1`
  })
}
