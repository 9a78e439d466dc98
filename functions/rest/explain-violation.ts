/**
 * Says which constraint a write broke, in PostgreSQL's words. SQLite names columns at best, and nothing at all for
 * foreign keys, so those are looked for, one by one, after the failure.
 * @module
 */
import { type Relation, sameColumns } from '../../db/catalog/catalog.ts'
import type { Row } from '../../db/cluster/cluster.ts'
import type { ConstraintError } from '../../db/cluster/constraint-error.ts'
import { type AtollError, errors } from '../errors.ts'
import { ResourceCompiler } from './compile-resource.ts'
import type { BoundWrite } from './execute.ts'
import { type ParameterList, quoteName, type Statement, writeStatement } from './sql.ts'

/** Runs a statement with the write's operands and some of its rows; given by the stage that may. */
export type Ask = (statement: Statement, rows: string) => Promise<readonly Row[]>

export async function explainViolation(
  error: ConstraintError,
  write: BoundWrite,
  ask: Ask,
): Promise<AtollError> {
  const { table } = write.plan.root
  switch (error.kind) {
    case 'unique': {
      const key = table.uniques.find((unique) => sameColumns(unique.columns, error.columns))
      const columns = key?.columns ?? error.columns
      const values = columns.map((column) => sentValue(write, column))
      const known = values.every((value) => value !== undefined)
      const details = known ? `Key (${columns.join(', ')})=(${values.join(', ')}) already exists.` : null
      return errors.notUnique(key?.constraint ?? columns.join('_'), details)
    }
    case 'not-null':
      return errors.notNull(table.name, error.columns[0] as string, failingRow(write))
    case 'check':
      return errors.checkFailed(table.name, error.subject)
    case 'foreign-key':
      return explainForeignKey(write, ask)
  }
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
  const values = [...plan.root.table.columns.values()].map((column) => {
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
    for (const chunk of write.chunks) {
      const values = await firstValue(missingParent(write, relation), chunk, ask)
      if (values === null) continue
      const columns = relation.on.map(([here]) => here).join(', ')
      const details = `Key (${columns})=(${values}) is not present in table "${relation.to}".`
      return errors.noParent(table.name, relation.constraint, details)
    }
  }
  for (const relation of relations.filter(({ forward }) => !forward)) {
    const values = await firstValue(presentChild(write, relation), '[]', ask)
    if (values === null) continue
    const columns = relation.on.map(([here]) => here).join(', ')
    const details = `Key (${columns})=(${values}) is still referenced from table "${relation.to}".`
    return errors.hasChildren(table.name, relation.constraint, relation.to, details)
  }
  return errors.foreignKey(table.name)
}

async function firstValue(statement: Statement | null, rows: string, ask: Ask): Promise<string | null> {
  if (statement === null) return null
  const [found] = await ask(statement, rows)
  return (found?.v as string | undefined) ?? null
}

/** The first key of the payload that the parent table does not have; null when the payload sets only a part of it. */
function missingParent({ plan }: BoundWrite, relation: Relation): Statement | null {
  const positions = relation.on.map(([here]) => plan.columns.findIndex((column) => column.name === here))
  if (positions.includes(-1)) return null
  return writeStatement((parameters: ParameterList) => {
    const value = (position: number) => `value->>${position}`
    const matches = relation.on.map(
      ([, there], i) => `p.${quoteName(there)} = ${value(positions[i] as number)}`,
    )
    const present = positions.map((position) => `${value(position)} IS NOT NULL`)
    const shown = positions.map((position) => `CAST(${value(position)} AS TEXT)`).join(`||', '||`)
    return `SELECT ${shown} AS v FROM json_each(${parameters.add({ kind: 'rows' })}) WHERE ${present.join(' AND ')} AND NOT EXISTS (SELECT 1 FROM ${quoteName(relation.to)} AS p WHERE ${matches.join(' AND ')}) LIMIT 1`
  })
}

/** The first of the chosen rows that a child row refers to. */
function presentChild({ plan }: BoundWrite, relation: Relation): Statement {
  const { root } = plan
  return writeStatement((parameters) => {
    const chosen = new ResourceCompiler(parameters, root, { media: plan.media, maxRows: null }).chosen()
    const matches = relation.on.map(
      ([here, there]) => `c.${quoteName(there)} = ${root.alias}.${quoteName(here)}`,
    )
    const shown = relation.on
      .map(([here]) => `CAST(${root.alias}.${quoteName(here)} AS TEXT)`)
      .join(`||', '||`)
    return `SELECT ${shown} AS v FROM ${root.alias}${chosen === '' ? ' WHERE 1' : chosen} AND EXISTS (SELECT 1 FROM ${quoteName(relation.to)} AS c WHERE ${matches.join(' AND ')}) LIMIT 1`
  })
}
