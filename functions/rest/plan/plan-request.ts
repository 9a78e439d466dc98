import type { Catalog, Table } from '../../../db/catalog/catalog.ts'
import { isToOne, storedColumns } from '../../../db/catalog/catalog.ts'
import type { Schema } from '../../../db/catalog/schemas.ts'
import { allRows, type Rights, type RowPolicy } from '../../access/area.ts'
import { castTypeOf } from '../ask/casts.ts'
import { nearestName } from '../ask/nearest-name.ts'
import type { Preferences } from '../ask/parse-preferences.ts'
import type {
  Condition,
  EmbedItem,
  FieldItem,
  FilterCondition,
  OrderTerm,
  ResourceRequest,
  RestRequest,
} from '../ask/request.ts'
import { errors } from '../errors.ts'
import { checkAggregate } from './check-aggregate.ts'
import { findRelation } from './find-relation.ts'
import { gather, routeOf } from './place.ts'
import {
  type ColumnOutput,
  type Embedded,
  type EmbedPlan,
  embedsOf,
  type FieldPlan,
  type JunctionPlan,
  type OrderPlan,
  type OutputItem,
  type Predicate,
  type ReadPlan,
  type ResourcePlan,
  type RoutePlan,
} from './plan.ts'
import { fieldPlan, nameOf } from './plan-field.ts'
import { inZone, type Zone, zoneOf } from './zones.ts'

export interface PlanOptions {
  /** Whether updates and deletes must have a filter or a limit. */
  readonly safeUpdate: boolean
  /** Where the request looks for tables. */
  readonly schema: Schema
  readonly aggregates: boolean
  readonly maxRows: number | null
  /** Whether there are shards beside the primary database. */
  readonly sharded: boolean
}

/** Resolves a request against the catalog and the caller's rights. */
export function planRequest(
  request: RestRequest,
  catalog: Catalog,
  rights: Rights,
  options: PlanOptions,
): ReadPlan {
  const planner = new Planner(catalog, rights, options, request.preferences)
  const table = planner.table(request.table)
  const resource = planner.resource(table, request.root, rights.rows(table, 'select'))
  return readPlan(withWholeOrder(resource), request, options)
}

function readPlan(resource: ResourcePlan, request: RestRequest, options: PlanOptions): ReadPlan {
  const { media, preferences, headersOnly } = request
  const { root, gathers } = options.sharded ? gather(resource) : { root: resource, gathers: [] }
  const route: RoutePlan = options.sharded && root.source === 'table' ? routeOf(root) : { kind: 'primary' }
  const asked = { media, preferences, legacyNames: request.legacyNames, headersOnly }
  return { kind: 'read', root, route, gathers, ...asked, maxRows: options.maxRows }
}

/**
 * Rows of a distributed table have one order, however many databases they lie on: what the request leaves open, the
 * primary key decides.
 */
function withWholeOrder(root: ResourcePlan): ResourcePlan {
  if (root.placement.kind !== 'distributed' || root.aggregated) return root
  const key = root.table.primaryKey.map(
    (name): OrderPlan => ({
      embed: null,
      field: fieldPlan(root.table, root.alias, { name, path: [] }),
      descending: false,
      nulls: 'first',
    }),
  )
  return { ...root, order: [...root.order, ...key] }
}

/**
 * Plans what a client makes of the rows that a function answers with. The function decided which rows those are, so
 * the table's policy is not asked for them; for what is embedded in them it is. Columns that the caller may not select
 * are left out, unless the function is the caller's only way to the table.
 */
export function planRows(
  request: RestRequest,
  table: Table,
  catalog: Catalog,
  rights: Rights,
  options: PlanOptions,
): ReadPlan {
  const seen = rights.seenInRows(table)
  // The rows are bound to the statement, where no full-text index knows them.
  const unindexed = { ...seen, search: null }
  const planner = new Planner(catalog, rights, options, request.preferences)
  const root = planner.resource(table, request.root, allRows, { seen: unindexed })
  const where = root.where.map(untyped)
  return readPlan({ ...root, source: 'rows', where }, request, options)
}

/** A condition on rows that are bound to the statement, which have no column that says how to compare. */
function untyped(predicate: Predicate): Predicate {
  if (predicate.kind === 'embed') return predicate
  if (predicate.kind === 'compare') return { ...predicate, field: { ...predicate.field, untyped: true } }
  return { ...predicate, terms: predicate.terms.map(untyped) }
}

/** Holds what every resource of one plan shares: the catalog, the caller and the aliases given so far. */
export class Planner {
  readonly #catalog: Catalog
  readonly #rights: Rights
  readonly #options: PlanOptions
  readonly #zone: Zone | null
  #aliases = 0

  constructor(catalog: Catalog, rights: Rights, options: PlanOptions, { timezone }: Preferences) {
    this.#zone = timezone === null ? null : zoneOf(timezone)
    this.#catalog = catalog
    this.#rights = rights
    this.#options = options
  }

  /** The table that a request asks for. */
  table(name: string): Table {
    const { schema } = this.#options
    const table = schema.tables.get(name)
    if (table) return table
    const known = [...schema.tables.values()].filter((candidate) => this.#rights.knows(candidate))
    const nearest = nearestName(
      name,
      known.map((candidate) => candidate.shownName),
    )
    throw errors.noTable(schema.name, name, nearest)
  }

  /** A table that a relation of the schema's leads to. */
  #related(sqlName: string): Table {
    return this.#catalog.tables.get(sqlName) as Table
  }

  /**
   * @param policy which rows the caller may see; asked for by whoever knows the operation
   * @param how what the rows go by in the statement, and the table as the caller sees it, if not as usual
   */
  resource(
    table: Table,
    request: ResourceRequest,
    policy: RowPolicy,
    how: { readonly alias?: string; readonly seen?: Table } = {},
  ): ResourcePlan {
    const { alias = this.#alias() } = how
    const whole = how.seen ?? this.#rights.seen(table)
    const seen = this.#zone === null ? whole : inZone(whole, this.#zone)
    const output = request.select.flatMap((item): OutputItem[] => {
      if (item.kind === 'star') return starOutput(seen, alias)
      return [item.kind === 'field' ? this.#fieldOutput(seen, alias, item) : this.#embedOutput(seen, item)]
    })
    const embeds = embedsOf(output)
    return {
      table,
      alias,
      source: 'table',
      placement: table.placement,
      policy,
      output,
      where: request.where.map((condition) => planCondition(seen, alias, condition, embeds)),
      order: request.order.flatMap((term) => planOrder(seen, alias, term, embeds, this.#rights)),
      limit: request.limit,
      offset: request.offset,
      aggregated: output.some(isAggregated),
    }
  }

  /** A name that no table has, so that none is hidden by it. */
  #alias(): string {
    return `_t${this.#aliases++}`
  }

  #fieldOutput(table: Table, alias: string, item: FieldItem): OutputItem {
    if (item.aggregate && !this.#options.aggregates) throw errors.noAggregates()
    const aggregate = item.aggregate && {
      name: item.aggregate.name,
      cast: item.aggregate.cast === null ? null : castTypeOf(item.aggregate.cast),
    }
    if (item.field === null)
      return { kind: 'count', name: item.alias ?? 'count', cast: aggregate?.cast ?? null }
    const cast = item.cast === null ? null : castTypeOf(item.cast)
    if (isBareCount(table, item)) return { kind: 'count', name: item.alias ?? 'count', cast }
    const field = fieldPlan(table, alias, item.field)
    if (aggregate) checkAggregate(aggregate.name, cast, field)
    return {
      kind: 'column',
      name: item.alias ?? item.aggregate?.name ?? nameOf(item.field),
      field,
      cast,
      aggregate,
    }
  }

  #embedOutput(table: Table, item: EmbedItem): Embedded {
    const relation = findRelation(table, item.target, item.hint, this.#options.schema, this.#catalog)
    const target = this.#related(relation.to)
    const resource = this.resource(target, item.resource, this.#rights.rows(target, 'select'))
    const toMany = !isToOne(relation)
    if (item.spread && toMany && resource.aggregated) {
      throw errors.notImplemented('Aggregates are not implemented for one-to-many or many-to-many spreads.')
    }
    const besides = (name: string): JunctionPlan => {
      const table = this.#related(name)
      const policy = this.#rights.rows(table, 'select')
      return { table, alias: this.#alias(), source: 'table', placement: table.placement, policy }
    }
    const embed: EmbedPlan = {
      relation,
      resource,
      junction: relation.junction && besides(relation.junction.table),
      reads: (relation.rule?.reads ?? []).map(besides),
      inner: item.join === 'inner',
    }
    const name = item.alias ?? item.target
    if (item.spread) return { kind: 'spread', name, embed }
    return { kind: 'embed', name, embed, hidden: shownOf(resource).length === 0 }
  }
}

/** Output items that show something. */
function shownOf(resource: ResourcePlan): readonly OutputItem[] {
  return resource.output.filter((item) => item.kind !== 'embed' || !item.hidden)
}

function isAggregated(item: OutputItem): boolean {
  if (item.kind === 'count') return true
  if (item.kind === 'column') return item.aggregate !== null
  return item.kind === 'spread' && item.embed.resource.aggregated
}

/** `count` without parentheses counts rows, unless the table has such a column. */
function isBareCount(table: Table, item: FieldItem): boolean {
  const { field } = item
  return field?.name === 'count' && field.path.length === 0 && !item.aggregate && !table.columns.has('count')
}

function starOutput(table: Table, alias: string): ColumnOutput[] {
  return storedColumns(table).map(({ name }) => ({
    kind: 'column',
    name,
    field: fieldPlan(table, alias, { name, path: [] }),
    cast: null,
    aggregate: null,
  }))
}

function planCondition(
  table: Table,
  alias: string,
  condition: Condition,
  embeds: readonly Embedded[],
): Predicate {
  if (condition.kind !== 'filter') {
    const terms = condition.terms.map((term) => planCondition(table, alias, term, embeds))
    return { kind: condition.kind, negated: condition.negated, terms }
  }
  const { kind: _, field, ...comparison } = condition
  const embed = embeds.find((item) => item.name === field.name || targetOf(item) === field.name)
  if (embed && field.path.length === 0) {
    const exists = existenceOf(condition)
    if (exists !== null) return { kind: 'embed', embed: embed.embed, exists }
    if (!table.columns.has(field.name)) throw errors.embedOperator(field.name)
  }
  return { kind: 'compare', field: fieldPlan(table, alias, field), ...comparison }
}

/** What callers call the table that is embedded. */
function targetOf({ embed }: Embedded): string {
  return embed.resource.table.shownName
}

/** Whether `is.null` and its like ask for an embedded resource to have rows; null for any other filter. */
function existenceOf(filter: FilterCondition): boolean | null {
  if (filter.operator !== 'is' || filter.value.kind !== 'constant') return null
  const word = filter.value.text.toLowerCase()
  if (word !== 'null' && word !== 'not_null') return null
  return (word === 'not_null') !== filter.negated
}

function planOrder(
  table: Table,
  alias: string,
  term: OrderTerm,
  embeds: readonly Embedded[],
  rights: Rights,
): readonly OrderPlan[] {
  const direction = {
    descending: term.descending,
    nulls: term.nulls ?? (term.descending ? 'first' : 'last'),
  } as const
  const by = (embed: Embedded | null, field: FieldPlan) =>
    orderedBy(field).map((part): OrderPlan => ({ embed, field: part, ...direction }))
  if (term.embed === null) return by(null, fieldPlan(table, alias, term.field))
  const embed =
    embeds.find((item) => item.name === term.embed) ?? embeds.find((item) => targetOf(item) === term.embed)
  if (!embed) throw errors.notEmbedded(term.embed)
  const { relation, resource } = embed.embed
  if (!isToOne(relation)) throw errors.orderToMany(table.shownName, term.embed)
  const renamed = resource.output.find((item) => item.kind === 'column' && item.name === term.field.name)
  if (embed.kind === 'spread' && renamed?.kind === 'column' && term.field.path.length === 0) {
    const { field, cast, aggregate } = renamed
    if (cast === null && aggregate === null && field.column.form !== null) return by(embed, field)
    return [{ embed, field: { output: renamed }, ...direction }]
  }
  return by(embed, fieldPlan(rights.seen(resource.table), resource.alias, term.field))
}

/** A field of a form that several values order, once for each. */
function orderedBy(field: FieldPlan): readonly FieldPlan[] {
  const parts = field.path.length === 0 ? (field.column.form?.order ?? []) : []
  return parts.length < 2 ? [field] : parts.map((_, part) => ({ ...field, part }))
}
