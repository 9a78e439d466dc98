/**
 * What of each table an answer is made from, as its plan tells: columns that are shown, and columns that decide. What cannot be told decides.
 * @module
 */
import type { Catalog, Column, Table } from '../../../db/catalog/catalog.ts'
import { keyColumn } from '../../../db/catalog/catalog.ts'
import type { RowPolicy } from '../../access/area.ts'
import type { Footprint } from '../../cache/area.ts'
import {
  type EmbedPlan,
  embedsOf,
  type FieldPlan,
  type OutputItem,
  type Predicate,
  type ReadPlan,
  type ResourcePlan,
} from './plan.ts'

/** By the SQL name of the table; null: of any change there. */
export type Footprints = ReadonlyMap<string, Footprint | null>

interface Found {
  readonly deciding: Set<string>
  readonly shown: Set<string>
  /** Null: rows are shown whose keys are not. */
  marks: Set<string> | null
  /** Whether anything counts. */
  isWhole: boolean
}

export function footprintsOf(plan: ReadPlan, catalog: Catalog): Footprints {
  const collector = new Collector(catalog, plan)
  collector.resource(plan.root, plan.root.aggregated)
  for (const { table, policy, where } of plan.gathers) {
    // Its rows are bound to statements as they are.
    collector.whole(table.name)
    collector.policy(policy, table)
    for (const predicate of where) collector.predicate(predicate)
  }
  return collector.footprints()
}

class Collector {
  readonly #catalog: Catalog
  /** Whether rows are JSON, as the database writes it. */
  readonly #isJson: boolean
  readonly #found = new Map<string, Found>()

  constructor(catalog: Catalog, { media }: ReadPlan) {
    this.#catalog = catalog
    this.#isJson = media.kind !== 'csv' && !media.nullsStripped
  }

  footprints(): Footprints {
    return new Map(
      [...this.#found].map(([name, { deciding, shown, marks, isWhole }]) => {
        const footprint = { deciding: [...deciding], shown: [...shown], marks: marks && [...marks] }
        return [name, isWhole ? null : footprint]
      }),
    )
  }

  #of(name: string): Found {
    const known = this.#found.get(name)
    if (known) return known
    const table = this.#catalog.tables.get(name)
    // By these rows are told apart, and found.
    const own = table ? table.primaryKey : []
    const by = table?.placement.kind === 'distributed' ? [table.placement.by] : []
    const found: Found = {
      deciding: new Set([...own, ...by]),
      shown: new Set(),
      marks: new Set(),
      isWhole: table?.kind !== 'table',
    }
    this.#found.set(name, found)
    return found
  }

  whole(name: string): void {
    this.#of(name).isWhole = true
  }

  /** @param grouped whether what is shown decides as well: rows that are grouped are not shown one by one */
  resource(resource: ResourcePlan, grouped: boolean): void {
    const { table, policy, where, order, output } = resource
    this.#of(table.name)
    this.policy(policy, table)
    for (const predicate of where) this.predicate(predicate)
    for (const { field } of order) this.#decides('output' in field ? field.output.field : field)
    this.#shows(resource, grouped)
    for (const { embed, kind } of embedsOf(output)) {
      // A row's own embedded rows are shown one by one; of a spread, the values are among the parent's.
      this.#embed(embed, table, grouped, kind === 'spread')
    }
  }

  #embed(embed: EmbedPlan, parent: Table, grouped: boolean, isSpread: boolean): void {
    const { relation, resource, junction, reads } = embed
    const { table } = resource
    for (const [here, there] of relation.on) {
      this.#column(parent.name, here)
      this.#column(table.name, there)
    }
    for (const [here, between] of relation.junction?.from ?? []) {
      this.#column(parent.name, here)
      this.#column(relation.junction?.table as string, between)
    }
    for (const [between, there] of relation.junction?.to ?? []) {
      this.#column(relation.junction?.table as string, between)
      this.#column(table.name, there)
    }
    const { columns } = relation.rule ?? {}
    for (const name of columns?.here ?? []) this.#column(parent.name, name)
    for (const name of columns?.there ?? []) this.#column(table.name, name)
    for (const [other, name] of columns?.others ?? []) this.#column(other, name)
    for (const besides of junction ? [junction, ...reads] : reads) {
      this.#of(besides.table.name)
      this.policy(besides.policy, besides.table)
    }
    this.resource(resource, grouped || resource.aggregated)
    if (isSpread) this.#of(table.name).marks = null
  }

  /** What a resource shows of its own rows, and by what they are told apart. */
  #shows({ table, output }: ResourcePlan, grouped: boolean): void {
    const found = this.#of(table.name)
    let showsAny = false
    for (const item of output) {
      if (item.kind !== 'column') continue
      showsAny = true
      if (grouped || item.aggregate) this.#decides(item.field)
      else this.#field(item.field, found.shown)
    }
    if (grouped || !showsAny || found.marks === null) return
    const name = this.#isJson ? keyNameOf(table, output) : null
    if (name === null) found.marks = null
    else found.marks.add(`${JSON.stringify(name)}:`)
  }

  predicate(predicate: Predicate): void {
    switch (predicate.kind) {
      case 'compare':
        this.#decides(predicate.field)
        break
      case 'embed':
        // It is among the outputs as well, at times as one that shows nothing.
        this.#embedAlone(predicate.embed)
        break
      default:
        for (const term of predicate.terms) this.predicate(term)
    }
  }

  /** Rows that only filter. */
  #embedAlone({ relation, resource, junction, reads }: EmbedPlan): void {
    const parent = this.#catalog.tables.get(relation.from)
    if (parent) this.#embed({ relation, resource, junction, reads, inner: true }, parent, false, false)
    else this.whole(resource.table.name)
  }

  policy(policy: RowPolicy, table: Table): void {
    if (policy.kind === 'every') for (const part of policy.policies) this.policy(part, table)
    if (policy.kind !== 'condition') return
    const named = namesIn(policy.text)
    const readsAny = readsUnnamed.test(policy.text)
    for (const name of [table.name, ...(policy.reads ?? [])]) {
      const read = this.#catalog.tables.get(name)
      if (!read || readsAny) this.whole(name)
      else for (const column of read.columns.values()) if (named(column.name)) this.#column(name, column.name)
    }
  }

  #decides(field: FieldPlan): void {
    this.#field(field, this.#of(field.table).deciding)
  }

  #field({ table, column }: FieldPlan, into: Set<string>): void {
    this.#add(this.#catalog.tables.get(table), column, into)
  }

  #column(table: string, name: string): void {
    const found = this.#catalog.tables.get(table)
    const column = found?.columns.get(name)
    if (column) this.#add(found, column, this.#of(table).deciding)
    else this.whole(table)
  }

  /** A column, or those that one is computed from. */
  #add(table: Table | undefined, column: Column, into: Set<string>): void {
    if (!table) return
    // Values of other kinds may be equal there, and not look alike.
    if (column.type === 'blob' || /^(?:|any|.*blob.*)$/.test(column.sqlType)) this.whole(table.name)
    into.add(column.name)
    const { expression, form } = column
    const texts = [expression ?? '', ...(form?.isDeclared ? [form.print ?? '', ...form.order] : [])]
    for (const named of texts.filter((text) => text !== '').map(namesIn)) {
      for (const other of table.columns.values())
        if (!into.has(other.name) && named(other.name)) this.#add(table, other, into)
    }
  }
}

/** What a row's key is called among what is shown of it; null: it is not, or not as it is stored. */
function keyNameOf(table: Table, output: readonly OutputItem[]): string | null {
  const key = keyColumn(table)
  if (key === null || key.form !== null || (key.type !== 'integer' && key.type !== 'text')) return null
  // Of names that are given twice, the last one counts; a spread may bring any.
  if (output.some(({ kind }) => kind === 'spread')) return null
  const names = output.map(({ name }) => name)
  const item = output.find((one) => one.kind === 'column' && one.field.column.name === key.name)
  if (item?.kind !== 'column' || item.cast || item.aggregate || item.field.path.length > 0) return null
  return names.indexOf(item.name) === names.lastIndexOf(item.name) ? item.name : null
}

/** SQL that may read columns without naming them. */
const readsUnnamed = /(?:\bselect|\bdistinct|\ball|,|\.)\s*\*|\bnatural\b/i

/** Whether SQL names a column, or may. */
function namesIn(text: string): (name: string) => boolean {
  const words = new Set(text.toLowerCase().match(/\w+/g))
  return (name) => !/^\w+$/.test(name) || words.has(name.toLowerCase())
}
