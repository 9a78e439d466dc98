import { type Catalog, type Column, sameColumns, type Table } from '../../db/catalog/catalog.ts'
import type { Caller } from '../access/caller.ts'
import { errors } from '../errors.ts'
import { authorize } from './authorize.ts'
import { convertOperand } from './convert-operand.ts'
import type { Payload } from './parse-payload.ts'
import { type ConflictPlan, embedsOf, type RowPolicy, type WriteAction, type WritePlan } from './plan.ts'
import { Planner, type PlanOptions } from './plan-request.ts'
import type { RestRequest, Value } from './request.ts'
import { quoteName } from './sql.ts'

/** Resolves a write against the catalog and the caller's rights. */
export function planWrite(
  request: RestRequest,
  payload: Payload,
  catalog: Catalog,
  caller: Caller,
  options: PlanOptions,
): WritePlan {
  const planner = new Planner(catalog, caller, options)
  const table = planner.table(request.table)
  const action = request.action as WriteAction
  const columns = action === 'delete' ? [] : payload.columns.map((name) => writableColumn(table, name))
  if (table.kind === 'view') throw errors.notWritable(table.name)
  if (action === 'upsert') checkKeyFilters(table, request)
  const policy = authorizeWrite(table, action, request, caller)
  const shows = request.preferences.return === 'representation'
  const reads = shows || (action !== 'insert' && request.root.where.length > 0)
  const visible: RowPolicy = reads ? authorize(table, 'select', caller) : { kind: 'all' }
  const root = planner.resource(table, request.root, visible, quoteName(table.name))
  const leavesOut = embedsOf(root.output).some(({ embed }) => embed.inner)
  if (leavesOut && request.media.kind === 'object') {
    throw errors.notImplemented('A written row cannot be both one object and left out by an inner embed.')
  }
  if (root.aggregated) throw errors.notImplemented('Aggregates of written rows are not implemented.')
  if ((root.limit || root.offset) && root.order.length === 0 && action !== 'insert')
    throw errors.limitWithoutOrder()
  return {
    kind: 'write',
    action,
    root:
      action === 'insert' || action === 'upsert' ? { ...root, where: [], limit: null, offset: null } : root,
    policy,
    ...columnsToSet(table, action, columns),
    conflict: planConflict(table, action, request),
    media: request.media,
    preferences: request.preferences,
  }
}

/**
 * Whether the caller may make this write at all; asked before its body is read.
 *
 * @returns which rows they may write
 */
export function authorizeWrite(
  table: Table,
  action: WriteAction,
  request: RestRequest,
  caller: Caller,
): RowPolicy {
  if (action === 'insert' && request.preferences.resolution !== 'merge-duplicates') {
    return authorize(table, 'insert', caller)
  }
  if (action === 'insert' || action === 'upsert') {
    authorize(table, 'insert', caller)
    return authorize(table, 'update', caller)
  }
  return authorize(table, action, caller)
}

function writableColumn(table: Table, name: string): Column {
  const column = table.columns.get(name)
  if (column === undefined) throw errors.noColumn(name, table.name)
  if (column.generated) throw errors.generatedColumn(name)
  return column
}

/** An insert sets what Drizzle would fill, too; one that sets nothing names a column for SQLite's sake. */
function columnsToSet(table: Table, action: WriteAction, columns: readonly Column[]) {
  if (action === 'update' || action === 'delete') return { columns, filled: [] }
  const filled = [...table.columns.values()].filter(
    (column) => column.default?.kind === 'function' && !columns.includes(column),
  )
  if (columns.length > 0 || filled.length > 0) return { columns, filled }
  const first = [...table.columns.values()].find((column) => !column.generated)
  return { columns, filled: first ? [first] : [] }
}

function planConflict(table: Table, action: WriteAction, request: RestRequest): ConflictPlan | null {
  const { resolution } = request.preferences
  const names = (action === 'upsert' ? null : request.onConflict) ?? table.primaryKey
  const key = names.map((name) => table.columns.get(name) ?? failNoColumn(name, table))
  if (action === 'upsert') return { key, resolution: 'merge' }
  if (action !== 'insert' || resolution === null || key.length === 0) return null
  const isUnique = table.uniques.some((unique) => sameColumns(unique.columns, names))
  if (!isUnique) throw errors.noConflictTarget()
  return { key, resolution: resolution === 'merge-duplicates' ? 'merge' : 'ignore' }
}

function failNoColumn(name: string, table: Table): never {
  throw errors.undefinedColumn(table.name, name)
}

/** PUT names one row: its filters are `eq` on each column of the primary key, and nothing else. */
function checkKeyFilters(table: Table, request: RestRequest): void {
  if (request.root.limit || request.root.offset) throw errors.rangeOnPut()
  const names = request.root.where.map((condition) => {
    const plain =
      condition.kind === 'filter' &&
      condition.operator === 'eq' &&
      !condition.negated &&
      condition.quantifier === null &&
      condition.field.path.length === 0
    return plain ? condition.field.name : null
  })
  const matches =
    table.primaryKey.length > 0 &&
    names.length === table.primaryKey.length &&
    table.primaryKey.every((column) => names.includes(column))
  if (!matches) throw errors.notOnlyKeyFilters()
}

/** The payload of a PUT must be the row that its address names. */
export function checkKeyOfPut(
  request: RestRequest,
  plan: WritePlan,
  row: Readonly<Record<string, unknown>>,
  operands: readonly string[],
): void {
  for (const condition of request.root.where) {
    if (condition.kind !== 'filter') continue
    const column = plan.root.table.columns.get(condition.field.name) as Column
    const sent = plan.columns.includes(column) ? row[column.name] : null
    if (sent === undefined || sent === null) throw errors.keyMismatch()
    const named = convertOperand(column, textOf(condition.value, operands))
    if (convertOperand(column, String(sent)) !== named) throw errors.keyMismatch()
  }
}

function textOf(value: Value, operands: readonly string[]): string {
  return value.kind === 'constant' ? value.text : (operands[value.index] as string)
}
