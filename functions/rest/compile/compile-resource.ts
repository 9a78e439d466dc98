/**
 * The SQL of a plan's resources: what is shown, where rows come from, which and in what order.
 *
 * Longer than other files: every part calls the others, since an embedded resource is shown, joined, filtered and ordered
 * like the one that it is in.
 * @module
 */
import type { ColumnPair } from '../../../db/catalog/catalog.ts'
import { isToOne, storedColumns } from '../../../db/catalog/catalog.ts'
import { hereMark, thereMark } from '../../../db/catalog/grants.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import type { Media } from '../ask/media.ts'
import { canFail } from '../plan/can-fail.ts'
import {
  type EmbedPlan,
  embedsOf,
  type JunctionPlan,
  type OrderPlan,
  type OutputItem,
  type ResourcePlan,
  type SpreadOutput,
} from '../plan/plan.ts'
import { renamed } from '../plan/rename-root.ts'
import { ResourceTree } from '../plan/resource-tree.ts'
import { castTo, orderValue, type TypedSql } from './compile-field.ts'
import { policyTerms } from './compile-policy.ts'
import { PredicateCompiler } from './compile-predicate.ts'
import { implicitOrder, rangeSql, spreadRangeSql } from './compile-range.ts'
import { columnEntry, columnValue, csvLine, type Entry, jsonObject, jsonOf } from './compile-row.ts'
import { sortColumns } from './sort-columns.ts'
import { allOf, type Parameters } from './sql.ts'
import { storedValue } from './stored-value.ts'

/** Names of the columns that a resource shows, those of spreads among them. */
export function columnNames(resource: ResourcePlan): readonly string[] {
  return resource.output.flatMap((item) => {
    if (item.kind === 'spread') return columnNames(item.embed.resource)
    return item.kind === 'embed' && item.hidden ? [] : [item.name]
  })
}

/** What of a plan every one of its resources is compiled by. */
export interface CompileOptions {
  readonly media: Media
  readonly maxRows: number | null
}

/**
 * Writes the SQL of a plan's resources. One for each statement, since it collects the statement's parameters.
 */
export class ResourceCompiler {
  readonly #parameters: Parameters
  readonly #root: ResourcePlan
  readonly #options: CompileOptions
  readonly #predicates: PredicateCompiler
  readonly #tree: ResourceTree
  /** True when the root is being written, and so has no joins. */
  #written = false

  /** @param alias stands for the root's own, where its rows go by another name */
  constructor(parameters: Parameters, root: ResourcePlan, options: CompileOptions, alias = root.alias) {
    this.#parameters = parameters
    this.#root = alias === root.alias ? root : renamed(root, alias)
    this.#options = options
    this.#tree = new ResourceTree(this.#root)
    this.#predicates = new PredicateCompiler(parameters, ({ embed, exists }) =>
      exists ? this.#exists(embed) : `NOT ${this.#exists(embed)}`,
    )
  }

  /** Rows of the root, each as one text in the column `r`. */
  rows(): string {
    const root = this.#root
    if (root.aggregated) return `SELECT ${this.#grouped(root, [], true, (entries) => this.#shape(entries))}`
    return `SELECT ${this.#shape(this.#entries(root))} AS r FROM ${this.#source(root)}${this.#where(root, [])}${this.#order(root) || implicitOrder(root)}${this.#range(root, true)}`
  }

  /**
   * Rows of the root with the values that they are sorted by, as many as can be in the answer when other databases have
   * rows as well.
   */
  spreadRows(): string {
    const root = this.#root
    const keys = root.order.flatMap((term, i) => sortColumns(this.#orderValue(term), i))
    const columns = [`${this.#shape(this.#entries(root))} AS r`, ...keys]
    return `SELECT ${columns.join(', ')}${this.from()}${this.#order(root)}${spreadRangeSql(root, this.#options.maxRows, this.#parameters)}`
  }

  /** All rows of the root in order with the values that they are sorted by, or these alone. */
  orderedRows(isShown: boolean): string {
    const root = this.#root
    const keys = root.order.flatMap((term, i) => sortColumns(this.#orderValue(term), i))
    const shown = isShown ? [`${this.#shape(this.#entries(root))} AS r`] : []
    const columns = [...shown, ...keys]
    return `SELECT ${columns.length === 0 ? '1 AS r' : columns.join(', ')}${this.from()}${this.#order(root)}`
  }

  /** Order and range of grouped rows, as many as can be in the answer when other databases have groups as well. */
  firstGroups(places: readonly number[]): string {
    const { limit } = this.#root
    if (places.length === 0 || (limit === null && this.#options.maxRows === null)) return ''
    const order = this.#order(this.#root)
    const range = spreadRangeSql(this.#root, this.#options.maxRows, this.#parameters)
    return `${order === '' ? ' ORDER BY ' : `${order}, `}${places.join(', ')}${range}`
  }

  /** The values under the names of the root's rows. */
  rootEntries(): Entry[] {
    return this.#entries(this.#root)
  }

  /** Where the root's rows come from and which of them. */
  from(): string {
    return ` FROM ${this.#source(this.#root)}${this.#where(this.#root, [])}`
  }

  /** What the root's rows are sorted by. */
  orderValues(): string[] {
    return this.#root.order.map((term) => this.#orderValue(term))
  }

  /** The number of rows without limit and offset, in the column `n`. */
  count(): string {
    const root = this.#root
    if (root.aggregated)
      return `SELECT count(*) AS n FROM (SELECT ${this.#grouped(root, [], false, () => '1')})`
    return `SELECT count(*) AS n FROM ${this.#table(root)}${this.#where(root, [])}`
  }

  /**
   * What a write returns of each row: the row's text, null when an inner embed leaves it out, and the values that
   * `order` sorts by, since RETURNING has no order.
   */
  returning(): string {
    const keys = this.sortKeys().map((key, i) => `, ${key} AS k${i}`)
    return `${this.returned()} AS r${keys.join('')}`
  }

  /** What a written row is sorted by. */
  sortKeys(): string[] {
    this.#written = true
    return this.#root.order.map((term) => this.#orderValue(term))
  }

  /** The text of a written row; null when an inner embed leaves it out. */
  returned(): string {
    this.#written = true
    const inner = this.#innerEmbeds(this.#root)
    const text = this.#shape(this.#root.output.flatMap((item) => this.#returned(item)))
    return inner.length === 0 ? text : `CASE WHEN ${allOf(inner)} THEN ${text} END`
  }

  /** The root's filters, or the rows that filters, order and limit choose. */
  chosen(): string {
    this.#written = true
    const root = this.#root
    const where = this.#whereChosen()
    if (root.limit === null && root.offset === null) return where
    const rowid = `${root.alias}.rowid`
    return ` WHERE ${rowid} IN (SELECT ${rowid} FROM ${root.alias}${where}${this.#order(root)}${this.#range(root, false)})`
  }

  /** Of the rows that filters, order and limit choose on several databases, those that this one may have. */
  firstChosen(): string {
    this.#written = true
    return `${this.#whereChosen()}${this.#order(this.#root)}${spreadRangeSql(this.#root, null, this.#parameters)}`
  }

  #whereChosen(): string {
    const filters = this.#filters(this.#root)
    return filters.length === 0 ? '' : ` WHERE (${allOf(filters)})`
  }

  // --- what is shown -------------------------------------------------------------------------------------------

  #entries(resource: ResourcePlan): Entry[] {
    return resource.output.flatMap((item) => this.#entriesOf(item))
  }

  #entriesOf(item: OutputItem): Entry[] {
    switch (item.kind) {
      case 'column':
        return [columnEntry(item)]
      case 'count': {
        const value: TypedSql = { sql: 'count(*)', type: 'integer' }
        return [{ name: item.name, value: item.cast ? castTo(value, item.cast) : value, aggregate: true }]
      }
      case 'embed': {
        if (item.hidden) return []
        const value: TypedSql = { sql: this.#embedded(item.embed), type: 'json' }
        return [{ name: item.name, value, aggregate: false }]
      }
      case 'spread':
        if (isToOne(item.embed.relation)) return this.#entries(item.embed.resource)
        return this.#entries(item.embed.resource).map((entry) => ({
          name: entry.name,
          value: {
            sql: `(SELECT json_group_array(${jsonOf(entry)}) FROM ${this.#manyRows(item.embed)})`,
            type: 'json',
          },
          aggregate: false,
        }))
    }
  }

  /** RETURNING has no joins: each column of a to-one spread is a subquery of its own. */
  #returned(item: OutputItem): Entry[] {
    if (item.kind !== 'spread' || !isToOne(item.embed.relation)) return this.#entriesOf(item)
    const { embed } = item
    const from = `${this.#source(embed.resource, embed)}${this.#where(embed.resource, this.#joins(embed))}`
    return this.#entries(embed.resource).map((entry) => ({
      ...entry,
      value: { ...entry.value, sql: `(SELECT ${entry.value.sql} FROM ${from} LIMIT 1)` },
    }))
  }

  /** JSON of an embedded resource: an object or null, or an array. */
  #embedded(embed: EmbedPlan): string {
    const { resource, relation } = embed
    if (resource.aggregated) {
      const rows = `SELECT ${this.#grouped(resource, this.#joins(embed), true, (entries) => this.#object(entries), embed)}`
      return isToOne(relation)
        ? `(SELECT json(r) FROM (${rows}))`
        : `(SELECT json_group_array(json(r)) FROM (${rows}))`
    }
    const object = this.#object(this.#entries(resource))
    if (!isToOne(relation)) return `(SELECT json_group_array(${object}) FROM ${this.#manyRows(embed)})`
    return `(SELECT ${object} FROM ${this.#source(resource, embed)}${this.#where(resource, this.#joins(embed))}${this.#order(resource)}${this.#range(resource, false) || ' LIMIT 1'})`
  }

  /** Rows of a to-many embed; ordered or limited ones in a subquery, so that arrays keep that order. */
  #manyRows(embed: EmbedPlan): string {
    const { resource } = embed
    const range = this.#range(resource, true)
    if (resource.order.length === 0 && range === '') {
      return `${this.#source(resource, embed)}${this.#where(resource, this.#joins(embed))}`
    }
    const rows = `SELECT ${resource.alias}.* FROM ${this.#source(resource, embed)}${this.#where(resource, this.#joins(embed))}${this.#order(resource)}${range}`
    return `(${rows}) AS ${resource.alias}${this.#spreadJoins(resource)}`
  }

  /**
   * Rows of a resource with aggregates, grouped by everything that is none. Two levels, because JSON is made of
   * groups and not of rows.
   */
  #grouped(
    resource: ResourcePlan,
    joins: readonly string[],
    ranged: boolean,
    shape: (entries: readonly Entry[]) => string,
    embed?: EmbedPlan,
  ): string {
    const entries = this.#entries(resource)
    const columns = entries.map((entry, i) => `${entry.value.sql} AS c${i}`)
    const groups = entries.flatMap((entry, i) => (entry.aggregate ? [] : [String(i + 1)]))
    const outer = entries.map((entry, i) => ({ ...entry, value: { ...entry.value, sql: `c${i}` } }))
    const groupBy = groups.length === 0 ? '' : ` GROUP BY ${groups.join(',')}`
    return `${shape(outer)} AS r FROM (SELECT ${columns.join(',')} FROM ${this.#source(resource, embed)}${this.#where(resource, joins)}${groupBy}${this.#order(resource)}${ranged ? this.#range(resource, true) : ''})`
  }

  // --- where rows come from ------------------------------------------------------------------------------------

  /** The table, the join table before it and the to-one spreads behind it. */
  #source(resource: ResourcePlan, embed?: EmbedPlan): string {
    const table = this.#table(resource)
    const junction = embed?.junction
    const from = junction ? `${this.#table(junction)} CROSS JOIN ${table}` : table
    return from + this.#spreadJoins(resource)
  }

  /** The table, or rows that are bound to the statement in the order of the table's columns. */
  #table({ table, alias, source }: Pick<ResourcePlan, 'table' | 'alias' | 'source'>): string {
    if (source === 'table') return `${quoteName(table.name)} AS ${alias}`
    const columns = storedColumns(table).map(
      (column, i) => `${storedValue(column, 'value', i)} AS ${quoteName(column.name)}`,
    )
    const rows = this.#parameters.add(
      source === 'rows' ? { kind: 'rows' } : { kind: 'gathered', index: source.gathered },
    )
    return `(SELECT ${columns.join(', ')} FROM json_each(${rows})) AS ${alias}`
  }

  #spreadJoins(resource: ResourcePlan): string {
    return resource.output
      .filter((item): item is SpreadOutput => item.kind === 'spread' && isToOne(item.embed.relation))
      .map(({ embed }) => {
        const { resource: inner } = embed
        const on = allOf([...this.#joins(embed), ...this.#conditions(inner)])
        return ` LEFT JOIN ${this.#table(inner)} ON ${on}${this.#spreadJoins(inner)}`
      })
      .join('')
  }

  /** Conditions that tie an embedded resource to its parent, whose alias the relation's columns are read under. */
  #joins(embed: EmbedPlan): string[] {
    const { relation, resource, junction } = embed
    const parent = this.#tree.holderOf(embed).alias
    const equal = (left: string, right: string, pairs: readonly ColumnPair[]) =>
      pairs.map(([here, there]) => `${left}.${quoteName(here)} = ${right}.${quoteName(there)}`)
    if (!junction || !relation.junction) return this.#related(embed, parent)
    return [
      ...equal(parent, junction.alias, relation.junction.from),
      ...equal(junction.alias, resource.alias, relation.junction.to),
      ...this.#policy(junction),
    ]
  }

  /** Conditions on the rows that a relation leads to from one that goes by `parent`; of a declared one, what its SQL says. */
  #related(embed: EmbedPlan, parent: string): string[] {
    const { relation, resource, reads } = embed
    const { rule } = relation
    const matches = (alias: string): string[] => {
      const equal = relation.on.map(
        ([here, there]) => `${parent}.${quoteName(here)} = ${alias}.${quoteName(there)}`,
      )
      if (!rule?.condition) return equal
      const condition = this.#withReads(reads, rule.canFail, betweenRows(rule.condition, parent, alias))
      if (!rule.canFail || !this.#tree.isGuarded(resource)) return [...equal, condition]
      // As a filter that can fail, it is asked of no rows that policies hide.
      const guards = [...this.#policy({ ...resource, alias }), ...this.#guards(this.#tree.holderOf(embed))]
      return [...equal, `CASE WHEN ${allOf(guards)} THEN ${condition} END`]
    }
    if (!rule?.first) return matches(resource.alias)
    // The rows that come first are chosen among those that the caller may see.
    const chosen = { ...resource, alias: `${resource.alias}_first` }
    const keys = (alias: string) => resource.table.primaryKey.map((name) => `${alias}.${quoteName(name)}`)
    const { limit, order } = rule.first
    const by = [...(order === null ? [] : [betweenRows(order, parent, chosen.alias)]), ...keys(chosen.alias)]
    const terms = [...matches(chosen.alias), ...this.#policy(chosen)]
    return [
      `(${keys(resource.alias).join(', ')}) IN (SELECT ${keys(chosen.alias).join(', ')} FROM ${this.#table(chosen)} WHERE ${allOf(terms)} ORDER BY ${by.join(', ')} LIMIT ${limit})`,
    ]
  }

  /** A condition whose subqueries find, under the names of tables, the rows of them that the caller may see. */
  #withReads(reads: readonly JunctionPlan[], canFail: boolean, condition: string): string {
    const narrowed = reads.filter(({ source, policy }) => source !== 'table' || policy.kind !== 'all')
    if (narrowed.length === 0) return condition
    const tables = narrowed.map((read) => {
      const name = quoteName(read.table.name)
      // With its schema, the name means the table, not what is called by it here.
      const rows = read.source === 'table' ? `main.${name} AS ${read.alias}` : this.#table(read)
      const terms = this.#policy(read)
      // Once for the statement: rows that were bound to it, and those that a failure could tell of.
      const once = canFail || read.source !== 'table' ? 'MATERIALIZED ' : ''
      return `${name} AS ${once}(SELECT * FROM ${rows}${terms.length === 0 ? '' : ` WHERE ${allOf(terms)}`})`
    })
    return `(WITH ${tables.join(', ')} SELECT ${condition})`
  }

  #where(resource: ResourcePlan, joins: readonly string[]): string {
    const terms = [...joins, ...this.#conditions(resource)]
    return terms.length === 0 ? '' : ` WHERE ${allOf(terms)}`
  }

  /** The resource's own filters, and that its inner embeds have rows. */
  #conditions(resource: ResourcePlan): string[] {
    return [...this.#filters(resource), ...this.#innerEmbeds(resource)]
  }

  /**
   * The caller's policy and the request's filters. SQLite takes conditions in whatever order it likes: a filter that
   * can fail, and tell by its error what is in a row, is asked of no row that the policy hides.
   */
  #filters(resource: ResourcePlan): string[] {
    const picked = resource.picked ? [this.#picked(resource)] : []
    const policy = this.#policy(resource)
    if (!this.#tree.isGuarded(resource)) {
      return [...picked, ...resource.where.map((predicate) => this.#predicates.compile(predicate))]
    }
    const filters = resource.where.map((predicate) => {
      const sql = this.#predicates.compile(predicate)
      return canFail(predicate) ? `CASE WHEN ${allOf(this.#guards(resource))} THEN ${sql} END` : sql
    })
    return [...picked, ...policy, ...filters]
  }

  /** The rows that were found before. */
  #picked({ alias }: ResourcePlan): string {
    return `${alias}.rowid IN (SELECT value FROM json_each(${this.#parameters.add({ kind: 'gathered', index: 0 })}))`
  }

  /** The policies of a resource, of the join table that it is reached by, and of all that it is in. */
  #guards(resource: ResourcePlan): string[] {
    const own = this.#policy(resource)
    const above = this.#tree.above(resource)
    if (above === null) return own
    const { junction } = above.embed
    const joined = junction === null ? [] : this.#policy(junction)
    return [...own, ...joined, ...this.#guards(above.resource)]
  }

  #policy({ policy, alias, table }: Pick<ResourcePlan, 'policy' | 'alias' | 'table'>): string[] {
    return policyTerms(policy, alias, quoteName(table.name), this.#parameters)
  }

  #innerEmbeds(resource: ResourcePlan): string[] {
    return embedsOf(resource.output).flatMap(({ embed }) => (embed.inner ? [this.#exists(embed)] : []))
  }

  #exists(embed: EmbedPlan): string {
    const { resource, junction } = embed
    const tables = `${junction ? `${this.#table(junction)} CROSS JOIN ` : ''}${this.#table(resource)}`
    return `EXISTS (SELECT 1 FROM ${tables}${this.#where(resource, this.#joins(embed))}${this.#range(resource, false)})`
  }

  // --- order and range -----------------------------------------------------------------------------------------

  #order(resource: ResourcePlan): string {
    if (resource.order.length === 0) return ''
    return ` ORDER BY ${resource.order.map((term) => this.#orderTerm(term)).join(', ')}`
  }

  #orderValue({ embed, field }: OrderPlan): string {
    const sql = 'output' in field ? columnValue(field.output).sql : orderValue(field)
    // A spread is joined to a read; to a write nothing is.
    if (embed === null || (embed.kind === 'spread' && !this.#written)) return sql
    const { resource } = embed.embed
    return `(SELECT ${sql} FROM ${this.#source(resource)}${this.#where(resource, this.#joins(embed.embed))} LIMIT 1)`
  }

  #orderTerm(term: OrderPlan): string {
    const { embed, field, descending, nulls } = term
    const sql = this.#orderValue(term)
    const nullable = embed !== null || 'output' in field || field.column.nullable || field.path.length > 0
    // SQLite's own order has nulls as the least values; saying otherwise would keep it from using an index.
    const natural = descending ? 'last' : 'first'
    const where = nullable && nulls !== natural ? ` NULLS ${nulls.toUpperCase()}` : ''
    return `${sql}${descending ? ' DESC' : ''}${where}`
  }

  #range(resource: ResourcePlan, toMany: boolean): string {
    return rangeSql(resource, toMany ? this.#options.maxRows : null, this.#parameters)
  }

  // --- JSON ----------------------------------------------------------------------------------------------------

  /** The text of one row. */
  #shape(entries: readonly Entry[]): string {
    return this.#options.media.kind === 'csv' ? csvLine(entries) : this.#object(entries)
  }

  #object(entries: readonly Entry[]): string {
    const object = jsonObject(entries)
    return this.#options.media.nullsStripped ? `json_patch('{}',${object})` : object
  }
}

/** SQL of a relation, with what its two rows go by in the statement. */
function betweenRows(sql: string, here: string, there: string): string {
  return sql.replaceAll(hereMark, here).replaceAll(thereMark, there)
}
