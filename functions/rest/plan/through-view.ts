/**
 * Writes of views as writes of their table: what a request calls by the view's names, in the table's; and the rules of both.
 * @module
 */
import type { Catalog, Column, Table } from '../../../db/catalog/catalog.ts'
import { rowMark } from '../../../db/catalog/grants.ts'
import type { UpdatableView } from '../../../db/catalog/updatable-view.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import { allRows, type Rights, type RowPolicy } from '../../access/area.ts'
import type { Payload } from '../ask/parse-payload.ts'
import type {
  Condition,
  Field,
  FieldItem,
  OrderTerm,
  ResourceRequest,
  RestRequest,
  SelectItem,
} from '../ask/request.ts'
import { errors } from '../errors.ts'
import { nameOf } from './plan-field.ts'

/** A view and the table behind it. */
export interface Through {
  readonly view: Table
  readonly base: Table
  readonly source: UpdatableView
}

/**
 * The table that a view is written through; null for what is written itself, as a view that has triggers for it is.
 *
 * @throws 405 for a view that only shows
 */
export function throughOf(table: Table, request: RestRequest, catalog: Catalog): Through | null {
  if (table.kind === 'table' || isTriggered(table, request)) return null
  const source = table.updatable
  const base = source && catalog.tables.get(source.base)
  if (!source || !base) throw errors.notWritable(table.shownName)
  return { view: table, base, source }
}

/** Whether triggers do it. They cannot be told what becomes of a row that is there already. */
function isTriggered({ insteadOf }: Table, { action, preferences }: RestRequest): boolean {
  if (action === 'upsert' || (action === 'insert' && preferences.resolution !== null)) return false
  return (insteadOf as readonly string[]).includes(action)
}

/** Methods that a view answers beside reading. */
export function methodsOfView({ updatable, insteadOf, primaryKey }: Table): readonly string[] {
  const isPut = updatable !== null && primaryKey.length > 0
  return [
    ...(updatable !== null || insteadOf.includes('insert') ? ['POST'] : []),
    ...(isPut ? ['PUT'] : []),
    ...(updatable !== null || insteadOf.includes('update') ? ['PATCH'] : []),
    ...(updatable !== null || insteadOf.includes('delete') ? ['DELETE'] : []),
  ]
}

/** What an expression of the view goes by among the table's columns, none of which begins so. */
function innerName(name: string): string {
  return `_atoll_view_${name}`
}

/** The request in the table's names; what it shows keeps the view's. */
export function requestThrough(request: RestRequest, through: Through, rights: Rights): RestRequest {
  const { view, base, source } = through
  const seen = seenThrough(through, rights)
  const select = request.root.select.flatMap((item) =>
    item.kind === 'star' ? starThrough(through, seen) : [item],
  )
  return {
    ...request,
    table: base.name,
    root: resourceThrough({ ...request.root, select }, view, source),
    columns: request.columns?.map((name) => source.columns.get(name) ?? name) ?? null,
    onConflict: request.onConflict?.map((name) => settable(name, view, source)) ?? null,
  }
}

/**
 * The rows to write in the table's names.
 *
 * @throws 0A000 for a column that is worked out, `PGRST204` for one that is not there
 */
export function payloadThrough(payload: Payload, { view, source }: Through): Payload {
  const names = new Map(payload.columns.map((name) => [name, settable(name, view, source)]))
  const rows = payload.rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).flatMap(([name, value]) => (names.has(name) ? [[names.get(name), value]] : [])),
    ),
  )
  return { ...payload, rows, columns: [...names.values()] }
}

function settable(name: string, view: Table, { columns }: UpdatableView): string {
  const own = columns.get(name)
  if (own !== undefined) return own
  if (view.columns.has(name)) throw errors.viewColumn(view.shownName, name)
  throw errors.noColumn(name, view.shownName)
}

function resourceThrough(resource: ResourceRequest, view: Table, source: UpdatableView): ResourceRequest {
  const embeds = new Set(
    resource.select.flatMap((item) =>
      item.kind === 'embed' ? [item.alias ?? item.target, item.target] : [],
    ),
  )
  const named = (name: string): string => {
    const own = source.columns.get(name)
    if (own !== undefined) return own
    if (source.expressions.has(name)) return innerName(name)
    if (embeds.has(name)) return name
    throw errors.undefinedColumn(view.shownName, name)
  }
  const field = (one: Field): Field => ({ ...one, name: named(one.name) })
  const condition = (one: Condition): Condition =>
    one.kind === 'filter' ? { ...one, field: field(one.field) } : { ...one, terms: one.terms.map(condition) }
  const order = (term: OrderTerm): OrderTerm =>
    term.embed === null ? { ...term, field: field(term.field) } : term
  return {
    ...resource,
    select: resource.select.flatMap((item) => itemThrough(item, source, field)),
    where: resource.where.map(condition),
    order: resource.order.map(order),
  }
}

function itemThrough(item: SelectItem, source: UpdatableView, field: (one: Field) => Field): SelectItem[] {
  if (item.kind === 'star') return [item]
  if (item.kind === 'embed') {
    // What is embedded is no view's: its own names stand.
    const hint = item.hint === null ? null : (source.columns.get(item.hint) ?? item.hint)
    return [
      {
        ...item,
        hint,
        alias: item.alias ?? item.target,
        target: source.columns.get(item.target) ?? item.target,
      },
    ]
  }
  if (item.field === null) return [item]
  const alias = item.alias ?? item.aggregate?.name ?? nameOf(item.field)
  return [{ ...item, alias, field: field(item.field) }]
}

/**
 * The table as who writes the view sees it: the view's columns that both let them see, under the table's names, and the relations that the
 * view has as well.
 */
export function seenThrough({ view, base, source }: Through, rights: Rights): Table {
  const own = rights.seen(view)
  const table = rights.seen(base)
  const plain = [...source.columns].filter(
    ([name, column]) => own.columns.has(name) && table.columns.has(column),
  )
  const shown = new Set(plain.map(([, column]) => column))
  const expressions = [...source.expressions]
    .filter(([name]) => own.columns.has(name))
    .map(([name, text]): [string, Column] => [
      innerName(name),
      {
        ...(view.columns.get(name) as Column),
        name: innerName(name),
        expression: text.replaceAll(`${rowMark}.`, `${quoteName(base.name)}.`),
      },
    ])
  return {
    ...table,
    columns: new Map([...[...table.columns].filter(([name]) => shown.has(name)), ...expressions]),
    // Those of the view are in its names.
    declared: [],
    relations: table.relations.filter(({ constraint, to, on }) =>
      own.relations.some(
        (one) => one.constraint === constraint && one.to === to && one.on.length === on.length,
      ),
    ),
  }
}

/** What `*` shows: the view's columns in its order. */
function starThrough({ view, source }: Through, seen: Table): FieldItem[] {
  const names = [...view.columns.keys()].filter((name) =>
    seen.columns.has(source.columns.get(name) ?? innerName(name)),
  )
  return names.map((name) => ({
    kind: 'field',
    field: { name, path: [] },
    alias: name,
    cast: null,
    aggregate: null,
  }))
}

/** A policy of the view, as one of the table. */
export function policyThrough(policy: RowPolicy, { base, source }: Through): RowPolicy {
  switch (policy.kind) {
    case 'all':
      return policy
    case 'every':
      return {
        kind: 'every',
        policies: policy.policies.map((part) => policyThrough(part, { base, source } as Through)),
      }
    case 'condition': {
      const text = policy.text.replace(ownColumn, (mark, name: string) => {
        const view = name.replaceAll('""', '"')
        const plain = source.columns.get(view)
        if (plain !== undefined) return `${rowMark}.${quoteName(plain)}`
        const expression = source.expressions.get(view)
        return expression === undefined ? mark : `(${expression})`
      })
      const { reads } = policy
      return { ...policy, text, readsOwnTable: reads === null || reads.includes(base.name) }
    }
  }
}

const ownColumn = new RegExp(`${rowMark}\\."((?:[^"]|"")*)"`, 'g')

/** The rows of the table that the view shows. */
export function filterOf({ source: { filter, readsBase } }: Through): RowPolicy {
  if (filter === null) return allRows
  return { kind: 'condition', name: '', text: `(${filter})`, readsOwnTable: readsBase, reads: null }
}
