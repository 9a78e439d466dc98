import {
  type Catalog,
  type Column,
  type ColumnPair,
  sameColumns,
  type Table,
} from '../../../db/catalog/catalog.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import { allRows, noRows, type Rights, type RowPolicy } from '../../access/area.ts'
import type { Payload } from '../ask/parse-payload.ts'
import { type RestRequest, textOf } from '../ask/request.ts'
import { errors } from '../errors.ts'
import { convertOperand } from './convert-operand.ts'
import { numberedColumn } from './numbered-column.ts'
import { gather, routeOf } from './place.ts'
import { type ConflictPlan, embedsOf, type ReferencePlan, type WriteAction, type WritePlan } from './plan.ts'
import { Planner, type PlanOptions } from './plan-request.ts'
import { filterOf, policyThrough, seenThrough, type Through } from './through-view.ts'

/**
 * Resolves a write against the catalog and the caller's rights.
 *
 * @param through the view that is written; request and payload are in its table's names
 */
export function planWrite(
  request: RestRequest,
  payload: Payload,
  catalog: Catalog,
  rights: Rights,
  options: PlanOptions,
  through: Through | null = null,
): WritePlan {
  const planner = new Planner(catalog, rights, options, request.preferences)
  // The table behind a view need not be in the view's schema.
  const table = through?.base ?? planner.table(request.table)
  const action = request.action as WriteAction
  requireWrite(table, action, request, rights)
  if (through !== null) requireThrough(through, payload, action, request, rights)
  if (options.safeUpdate) checkFiltered(action, request)
  const conflict = planConflict(table, action, request, rights)
  const columns =
    action === 'delete'
      ? []
      : payload.columns.map((name) => writableColumn(table, name, action, conflict, rights))
  if (action === 'upsert') checkKeyFilters(table, request)
  const own = policiesFor(table, action, conflict, rights)
  const ofView = through && policiesThrough(through, action, conflict, rights)
  const policy = ofView ? both(own.policy, ofView.policy) : own.policy
  const check = ofView ? both(own.check, ofView.check) : own.check
  const shows = request.preferences.return === 'representation'
  const { where, order, limit, offset } = request.root
  const chooses = where.length > 0 || order.length > 0 || limit !== null || offset !== null
  const reads = shows || (action !== 'insert' && chooses)
  const visible = reads ? both(rights.rows(table, 'select'), visibleThrough(through, rights)) : allRows
  const root = planner.resource(table, request.root, both(visible, policy), {
    alias: quoteName(table.name),
    ...(through ? { seen: seenThrough(through, rights) } : {}),
  })
  const leavesOut = embedsOf(root.output).some(({ embed }) => embed.inner)
  // What is changed is what the table's own filters find: an answer that leaves some of it out would hide that.
  if (leavesOut && (action === 'update' || action === 'delete'))
    throw errors.notImplemented('Rows to change are not chosen by embedded ones: filter the table itself.')
  if (leavesOut && request.media.kind === 'object') {
    throw errors.notImplemented('A written row cannot be both one object and left out by an inner embed.')
  }
  if (root.aggregated) throw errors.notImplemented('Aggregates of written rows are not implemented.')
  if ((root.limit || root.offset) && root.order.length === 0 && action !== 'insert')
    throw errors.limitWithoutOrder()
  const isDistributed = options.sharded && table.placement.kind === 'distributed'
  if (isDistributed) checkDistribution(table, action, columns)
  if (options.sharded && gather(root).gathers.length > 0) {
    throw errors.notAcrossShards('Written rows cannot show rows that lie on other databases.')
  }
  const numbered = numberedColumn(table, options.sharded)
  return {
    kind: 'write',
    action,
    route: isDistributed ? routeOf(root) : { kind: 'primary' },
    numbered,
    root:
      action === 'insert' || action === 'upsert' ? { ...root, where: [], limit: null, offset: null } : root,
    policy,
    check,
    shown: shows && action !== 'delete' ? visible : allRows,
    references: action === 'delete' ? [] : planReferences(table, columns, catalog, rights),
    keyShown: keyShown(table, rights),
    keyNames: keyNames(table, through),
    ...columnsToSet(table, action, columns, numbered),
    touched: conflict?.resolution === 'merge' ? touchedBy(table, columns, conflict) : [],
    conflict,
    media: request.media,
    preferences: request.preferences,
    legacyNames: request.legacyNames,
  }
}

/** What `pg-safeupdate` does on hosted Supabase: a filter that was forgotten does not cost all rows. */
function checkFiltered(action: WriteAction, { root: { where, limit } }: RestRequest): void {
  if ((action === 'update' || action === 'delete') && where.length === 0 && limit === null)
    throw errors.unfiltered(action)
}

/**
 * Whether the caller may make this write at all; asked before its body is read.
 *
 * @throws 42501 when they may not
 */
export function requireWrite(table: Table, action: WriteAction, request: RestRequest, rights: Rights): void {
  const merges = action === 'upsert' || request.preferences.resolution === 'merge-duplicates'
  if (action === 'insert' || action === 'upsert') {
    rights.require(table, 'insert')
    if (merges) rights.require(table, 'update')
  } else rights.require(table, action)
}

/** Which rows a write finds, and what they must be like after it. What a merge writes must pass both checks. */
function policiesFor(
  table: Table,
  action: WriteAction,
  conflict: ConflictPlan | null,
  rights: Rights,
): { readonly policy: RowPolicy; readonly check: RowPolicy } {
  switch (action) {
    case 'delete':
      return { policy: rights.rows(table, 'delete'), check: allRows }
    case 'update':
      return { policy: rights.rows(table, 'update'), check: rights.check(table, 'update') }
    default: {
      const check = rights.check(table, 'insert')
      if (conflict?.resolution !== 'merge') return { policy: allRows, check }
      // What a merge finds it reads, too.
      const seen = rights.has(table, 'select') ? rights.rows(table, 'select') : allRows
      return {
        policy: both(rights.rows(table, 'update'), seen),
        check: both(check, rights.check(table, 'update')),
      }
    }
  }
}

function both(a: RowPolicy, b: RowPolicy): RowPolicy {
  if (a.kind === 'all') return b
  return b.kind === 'all' ? a : { kind: 'every', policies: [a, b] }
}

/** Foreign keys that the payload sets, as far as they may not name every row of their parent. */
function planReferences(
  table: Table,
  columns: readonly Column[],
  catalog: Catalog,
  rights: Rights,
): ReferencePlan[] {
  const elsewhere = rights.unbounded ? [] : table.keysElsewhere
  const denied = elsewhere
    .filter((key) => key.columns.some((name) => columns.some((column) => column.name === name)))
    .map(
      (key): ReferencePlan => ({
        constraint: key.constraint,
        parent: key.parent,
        on: key.columns.map((name, i): ColumnPair => [name, key.parentColumns[i] as string]),
        policy: noRows,
      }),
    )
  const served = table.relations.flatMap(({ forward, junction, toIsView, constraint, to, on }) => {
    if (!forward || junction !== null || toIsView) return []
    if (!on.some(([here]) => columns.some((column) => column.name === here))) return []
    const parent = catalog.tables.get(to) as Table
    const policy = rights.referable(parent)
    const together = colocation(table, parent, on)
    if (policy.kind === 'all' && together.length === 0) return []
    return [{ constraint, parent: to, on: [...on, ...together], policy }]
  })
  return [...served, ...denied]
}

/** A child lies where its parent does: it has the parent's distribution value, even if it refers to it otherwise. */
function colocation(child: Table, parent: Table, on: readonly ColumnPair[]): readonly ColumnPair[] {
  if (child.placement.kind !== 'distributed' || parent.placement.kind !== 'distributed') return []
  const pair: ColumnPair = [child.placement.by, parent.placement.by]
  return on.some(([here, there]) => here === pair[0] && there === pair[1]) ? [] : [pair]
}

/** What must be allowed of a view beside what must be of its table. */
function requireThrough(
  { view, source }: Through,
  payload: Payload,
  action: WriteAction,
  request: RestRequest,
  rights: Rights,
): void {
  requireWrite(view, action, request, rights)
  const names = new Map([...source.columns].map(([name, column]) => [column, name]))
  const merges = action === 'upsert' || request.preferences.resolution === 'merge-duplicates'
  const key = view.primaryKey.map((name) => view.columns.get(name) as Column)
  const conflict: ConflictPlan | null = merges ? { key, resolution: 'merge' } : null
  if (action === 'delete') return
  for (const column of payload.columns) {
    const name = names.get(column)
    if (name !== undefined) writableColumn(view, name, action, conflict, rights)
  }
}

/** A view's own rules for its rows, as rules for those of its table; and that it is those that it shows. */
function policiesThrough(
  through: Through,
  action: WriteAction,
  conflict: ConflictPlan | null,
  rights: Rights,
): { readonly policy: RowPolicy; readonly check: RowPolicy } {
  const { policy, check } = policiesFor(through.view, action, conflict, rights)
  const finds = action === 'update' || action === 'delete' || conflict?.resolution === 'merge'
  return {
    policy: both(policyThrough(policy, through), finds ? filterOf(through) : allRows),
    check: policyThrough(check, through),
  }
}

function visibleThrough(through: Through | null, rights: Rights): RowPolicy {
  return through === null ? allRows : policyThrough(rights.rows(through.view, 'select'), through)
}

/** What the columns of the key are called in `Location`; none when the view does not show them all. */
function keyNames({ primaryKey }: Table, through: Through | null): readonly string[] {
  if (through === null) return primaryKey
  const names = new Map([...through.source.columns].map(([name, column]) => [column, name]))
  return primaryKey.every((column) => names.has(column))
    ? primaryKey.map((column) => names.get(column) as string)
    : []
}

/** A key is told of rows that the caller may see, if they may see its columns. */
function keyShown(table: Table, rights: Rights): RowPolicy | null {
  if (!rights.has(table, 'select')) return null
  const seen = rights.columns(table, 'select')
  return table.primaryKey.every((column) => seen.has(column)) ? rights.rows(table, 'select') : null
}

/** A column that the caller may set. One that they may not even see is to them as if it were not there. */
function writableColumn(
  table: Table,
  name: string,
  action: WriteAction,
  conflict: ConflictPlan | null,
  rights: Rights,
): Column {
  const column = table.columns.get(name)
  const inserts = action === 'insert' || action === 'upsert'
  const mayInsert = !inserts || rights.columns(table, 'insert').has(name)
  const isKey = conflict?.key.some((key) => key.name === name) === true
  // A merge sets its key to what it is.
  const updates = action === 'update' || (conflict?.resolution === 'merge' && !isKey)
  const mayUpdate = !updates || rights.columns(table, 'update').has(name)
  if (column === undefined || !(mayInsert && mayUpdate)) {
    if (column && knowsColumn(table, name, rights))
      throw errors.deniedColumn(table.shownName, name, rights.caller.signedIn)
    throw errors.noColumn(name, table.shownName)
  }
  if (column.generated) throw errors.generatedColumn(name)
  return column
}

function knowsColumn(table: Table, name: string, rights: Rights): boolean {
  return (['select', 'insert', 'update'] as const).some((operation) =>
    rights.columns(table, operation).has(name),
  )
}

/** New rows must say where they lie. Those that are there stay: the database refuses another value than they have. */
function checkDistribution(table: Table, action: WriteAction, columns: readonly Column[]): void {
  if (table.placement.kind !== 'distributed') return
  const by = table.columns.get(table.placement.by) as Column
  const isFilled = by.default?.kind === 'function' || by.default?.kind === 'rowid'
  if ((action === 'insert' || action === 'upsert') && !columns.includes(by) && !isFilled) {
    throw errors.notNull(table.shownName, by.name, null)
  }
}

/** An insert sets what Drizzle would fill, too; one that sets nothing names a column for SQLite's sake. */
function columnsToSet(
  table: Table,
  action: WriteAction,
  columns: readonly Column[],
  numbered: Column | null,
) {
  if (action === 'delete') return { columns, filled: [] }
  // An update of nothing changes nothing.
  if (action === 'update')
    return { columns, filled: columns.length === 0 ? [] : leftToUpdate(table, columns) }
  const filled = [...table.columns.values()].filter(
    (column) => (isFilled(column) || column === numbered) && !columns.includes(column),
  )
  if (columns.length > 0 || filled.length > 0) return { columns, filled }
  const first = [...table.columns.values()].find((column) => !column.generated)
  return { columns, filled: first ? [first] : [] }
}

/** Whether its default is not the database's. */
function isFilled({ default: made }: Column): boolean {
  return made?.kind === 'function' || (made?.kind === 'sql' && made.isOurs === true)
}

function leftToUpdate(table: Table, columns: readonly Column[]): Column[] {
  return [...table.columns.values()].filter((column) => column.onUpdate !== null && !columns.includes(column))
}

/** A merge that sets nothing leaves rows that are there as they are. */
function touchedBy(table: Table, columns: readonly Column[], { key }: ConflictPlan): Column[] {
  return columns.length === 0 ? [] : leftToUpdate(table, columns).filter((column) => !key.includes(column))
}

function planConflict(
  table: Table,
  action: WriteAction,
  request: RestRequest,
  rights: Rights,
): ConflictPlan | null {
  const { resolution } = request.preferences
  const names = (action === 'upsert' ? null : request.onConflict) ?? table.primaryKey
  const key = names.map((name) => {
    const column = table.columns.get(name)
    const isNamed = request.onConflict !== null && action !== 'upsert'
    if (column && (!isNamed || knowsColumn(table, name, rights))) return column
    throw errors.undefinedColumn(table.shownName, name)
  })
  if (action === 'upsert') return { key, resolution: 'merge' }
  if (action !== 'insert' || resolution === null || key.length === 0) return null
  const isUnique = table.uniques.some((unique) => sameColumns(unique.columns, names))
  if (!isUnique) throw errors.noConflictTarget()
  return { key, resolution: resolution === 'merge-duplicates' ? 'merge' : 'ignore' }
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
