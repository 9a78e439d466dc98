import type { ColumnPair } from '../../db/catalog/catalog.ts'
import { isToOne } from '../../db/catalog/catalog.ts'
import { errors } from '../errors.ts'
import { castTo, fieldValue, orderValue, type TypedSql, toJson, toText } from './compile-field.ts'
import { PredicateCompiler } from './compile-predicate.ts'
import { integerText } from './convert-operand.ts'
import type {
  ColumnOutput,
  EmbedPlan,
  OrderPlan,
  OutputItem,
  ReadPlan,
  ResourcePlan,
  SpreadOutput,
} from './plan.ts'
import type { Value } from './request.ts'
import {
  allOf,
  joinBalanced,
  type ParameterList,
  quoteName,
  quoteText,
  type Statement,
  writeStatement,
} from './sql.ts'

/** What a plan needs of the database, in one batch. */
export interface CompiledRead {
  /** One row per row of the answer, in its column `r`: JSON text, or a line of CSV. */
  readonly rows: Statement
  /** One row with the number of rows there are, in its column `n`. */
  readonly count: Statement | null
  /** Names of the columns, for the head line of CSV. */
  readonly columns: readonly string[]
}

export function compilePlan(plan: ReadPlan): CompiledRead {
  let columns: readonly string[] = []
  const rows = writeStatement((parameters) => {
    const compiler = new ReadCompiler(parameters, plan)
    columns = compiler.columns()
    return compiler.rows()
  })
  const count = plan.preferences.count
    ? writeStatement((parameters) => new ReadCompiler(parameters, plan).count())
    : null
  return { rows, count, columns }
}

/** One value of a row under its name. */
interface Entry {
  readonly name: string
  readonly value: TypedSql
  readonly aggregate: boolean
}

class ReadCompiler {
  readonly #parameters: ParameterList
  readonly #plan: ReadPlan
  readonly #predicates: PredicateCompiler

  constructor(parameters: ParameterList, plan: ReadPlan) {
    this.#parameters = parameters
    this.#plan = plan
    this.#predicates = new PredicateCompiler(parameters, ({ embed, exists }) =>
      exists ? this.#exists(embed) : `NOT ${this.#exists(embed)}`,
    )
  }

  columns(): readonly string[] {
    return this.#entries(this.#plan.root).map((entry) => entry.name)
  }

  rows(): string {
    const { root, media } = this.#plan
    const shape = media.kind === 'csv' ? csvLine : (entries: readonly Entry[]) => this.#object(entries)
    if (root.aggregated) return `SELECT ${this.#grouped(root, [], true, shape)}`
    const entries = this.#entries(root)
    return `SELECT ${shape(entries)} AS r FROM ${this.#source(root)}${this.#where(root, [])}${this.#order(root) || implicitOrder(root)}${this.#range(root, true)}`
  }

  count(): string {
    const { root } = this.#plan
    if (root.aggregated)
      return `SELECT count(*) AS n FROM (SELECT ${this.#grouped(root, [], false, () => '1')})`
    return `SELECT count(*) AS n FROM ${quoteName(root.table.name)} AS ${root.alias}${this.#where(root, [])}`
  }

  // --- what is shown -------------------------------------------------------------------------------------------

  #entries(resource: ResourcePlan): Entry[] {
    return resource.output.flatMap((item) => this.#entriesOf(item))
  }

  #entriesOf(item: OutputItem): Entry[] {
    switch (item.kind) {
      case 'column':
        return [{ name: item.name, value: columnValue(item), aggregate: item.aggregate !== null }]
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

  /** JSON of an embedded resource: an object or null, or an array. */
  #embedded(embed: EmbedPlan): string {
    const { resource, relation } = embed
    if (resource.aggregated) {
      const shape = (entries: readonly Entry[]) => this.#object(entries)
      const rows = `SELECT ${this.#grouped(resource, this.#joins(embed), true, shape, embed)}`
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
    const table = `${quoteName(resource.table.name)} AS ${resource.alias}`
    const junction = embed?.junction
    const from = junction
      ? `${quoteName(junction.table.name)} AS ${junction.alias} CROSS JOIN ${table}`
      : table
    return from + this.#spreadJoins(resource)
  }

  #spreadJoins(resource: ResourcePlan): string {
    return resource.output
      .filter((item): item is SpreadOutput => item.kind === 'spread' && isToOne(item.embed.relation))
      .map(({ embed }) => {
        const { resource: inner } = embed
        const on = allOf([...this.#joins(embed), ...this.#conditions(inner)])
        return ` LEFT JOIN ${quoteName(inner.table.name)} AS ${inner.alias} ON ${on}${this.#spreadJoins(inner)}`
      })
      .join('')
  }

  /** Conditions that tie an embedded resource to its parent, whose alias the relation's columns are read under. */
  #joins(embed: EmbedPlan): string[] {
    const { relation, resource, junction } = embed
    const parent = this.#parentOf(embed)
    const equal = (left: string, right: string, pairs: readonly ColumnPair[]) =>
      pairs.map(([here, there]) => `${left}.${quoteName(here)} = ${right}.${quoteName(there)}`)
    if (!junction || !relation.junction) return equal(parent, resource.alias, relation.on)
    return [
      ...equal(parent, junction.alias, relation.junction.from),
      ...equal(junction.alias, resource.alias, relation.junction.to),
    ]
  }

  readonly #parents = new Map<EmbedPlan, string>()

  #parentOf(embed: EmbedPlan): string {
    if (this.#parents.size === 0) this.#nameParents(this.#plan.root)
    return this.#parents.get(embed) as string
  }

  #nameParents(resource: ResourcePlan): void {
    for (const item of resource.output) {
      if (item.kind !== 'embed' && item.kind !== 'spread') continue
      this.#parents.set(item.embed, resource.alias)
      this.#nameParents(item.embed.resource)
    }
  }

  #where(resource: ResourcePlan, joins: readonly string[]): string {
    const terms = [...joins, ...this.#conditions(resource)]
    return terms.length === 0 ? '' : ` WHERE ${allOf(terms)}`
  }

  /** The resource's own filters, and that its inner embeds have rows. */
  #conditions(resource: ResourcePlan): string[] {
    const inner = resource.output.filter(
      (item) => (item.kind === 'embed' || item.kind === 'spread') && item.embed.inner,
    ) as readonly { readonly embed: EmbedPlan }[]
    return [
      ...resource.where.map((predicate) => this.#predicates.compile(predicate)),
      ...inner.map(({ embed }) => this.#exists(embed)),
    ]
  }

  #exists(embed: EmbedPlan): string {
    const { resource, junction } = embed
    const tables = `${junction ? `${quoteName(junction.table.name)} AS ${junction.alias} CROSS JOIN ` : ''}${quoteName(resource.table.name)} AS ${resource.alias}`
    return `EXISTS (SELECT 1 FROM ${tables}${this.#where(resource, this.#joins(embed))})`
  }

  // --- order and range -----------------------------------------------------------------------------------------

  #order(resource: ResourcePlan): string {
    if (resource.order.length === 0) return ''
    return ` ORDER BY ${resource.order.map((term) => this.#orderTerm(term)).join(', ')}`
  }

  #orderTerm({ embed, field, descending, nulls }: OrderPlan): string {
    let sql = 'output' in field ? columnValue(field.output).sql : orderValue(field)
    if (embed?.kind === 'embed') {
      const { resource } = embed.embed
      sql = `(SELECT ${sql} FROM ${this.#source(resource)}${this.#where(resource, this.#joins(embed.embed))} LIMIT 1)`
    }
    const nullable = embed !== null || 'output' in field || field.column.nullable || field.path.length > 0
    // SQLite's own order has nulls as the least values; saying otherwise would keep it from using an index.
    const natural = descending ? 'last' : 'first'
    const where = nullable && nulls !== natural ? ` NULLS ${nulls.toUpperCase()}` : ''
    return `${sql}${descending ? ' DESC' : ''}${where}`
  }

  #range(resource: ResourcePlan, toMany: boolean): string {
    const maxRows = toMany ? this.#plan.maxRows : null
    if (resource.limit === null && resource.offset === null && maxRows === null) return ''
    const limit =
      resource.limit === null
        ? String(maxRows ?? -1)
        : this.#bindNumber(resource.limit, (text) =>
            Math.min(limitOf(text), maxRows ?? Number.MAX_SAFE_INTEGER),
          )
    const offset = resource.offset === null ? '' : ` OFFSET ${this.#bindNumber(resource.offset, offsetOf)}`
    return ` LIMIT ${limit}${offset}`
  }

  #bindNumber(value: Value, convert: (text: string) => number): string {
    if (value.kind === 'constant') return String(convert(value.text))
    return `CAST(${this.#parameters.add({ kind: 'operand', index: value.index, convert })} AS INTEGER)`
  }

  // --- JSON ----------------------------------------------------------------------------------------------------

  #object(entries: readonly Entry[]): string {
    const object = jsonObject(entries)
    return this.#plan.media.nullsStripped ? `json_patch('{}',${object})` : object
  }
}

/**
 * Rows that nobody ordered come as they were inserted, whichever index the database takes: else equal requests
 * would page through different orders.
 */
function implicitOrder(resource: ResourcePlan): string {
  return resource.table.kind === 'table' ? ` ORDER BY ${resource.alias}.rowid` : ''
}

function columnValue(item: ColumnOutput): TypedSql {
  const field = fieldValue(item.field)
  const value = item.cast ? castTo(field, item.cast) : field
  if (!item.aggregate) return value
  const { name, cast } = item.aggregate
  const result: TypedSql = { sql: `${name}(${value.sql})`, type: aggregateType(name, value) }
  return cast ? castTo(result, cast) : result
}

function aggregateType(name: string, value: TypedSql): TypedSql['type'] {
  if (name === 'count') return 'integer'
  if (name === 'avg') return 'real'
  return value.type
}

function jsonOf(entry: Entry): string {
  return toJson(entry.value)
}

/** D1 documents 32 arguments to a function: 15 columns and room to spare. */
const columnsPerObject = 15

function jsonObject(entries: readonly Entry[]): string {
  const unique = [...new Map(entries.map((entry) => [entry.name, entry])).values()]
  const parts: string[] = []
  // Wide rows are objects whose texts are joined. That a part's text ends in one brace of its own is certain when
  // its last value is plain, so JSON values go to the end, where the last part keeps its brace.
  const plainFirst = [
    ...unique.filter((entry) => entry.value.type !== 'json'),
    ...unique.filter((entry) => entry.value.type === 'json'),
  ]
  const ordered = unique.length > columnsPerObject ? plainFirst : unique
  for (let i = 0; i === 0 || i < ordered.length; i += columnsPerObject) {
    const pairs = ordered
      .slice(i, i + columnsPerObject)
      .map((entry) => `${quoteText(entry.name)},${jsonOf(entry)}`)
    parts.push(`json_object(${pairs.join(',')})`)
  }
  if (parts.length === 1) return parts[0] as string
  const joined = parts.map((part, i) => {
    const isLast = i === parts.length - 1
    const opened = i === 0 ? part : `substr(${part},2)`
    if (isLast) return opened
    const endsPlain = ordered[(i + 1) * columnsPerObject - 1]?.value.type !== 'json'
    return endsPlain ? `rtrim(${opened},'}')||','` : `substr(${opened},1,length(${opened})-1)||','`
  })
  return `json(${joined.join('||')})`
}

/** One line of CSV (RFC 4180), nulls as nothing. */
function csvLine(entries: readonly Entry[]): string {
  if (entries.length === 0) return "''"
  const fields = entries.map((entry) => {
    const text = toText(entry.value)
    return `CASE WHEN ${text} IS NULL THEN '' WHEN ${text} GLOB '*[,"'||char(10,13)||']*' THEN '"'||replace(${text},'"','""')||'"' ELSE ${text} END`
  })
  return joinBalanced(
    fields.map((field) => `(${field})`),
    "||','||",
  )
}

function limitOf(text: string): number {
  const number = rangeNumber('limit', text)
  if (number < 0) throw errors.negativeLimit()
  return number
}

function offsetOf(text: string): number {
  return Math.max(0, rangeNumber('offset', text))
}

function rangeNumber(name: string, text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw errors.invalidNumber(name, text)
  return Number(integerText(text))
}
