/**
 * Reads that several databases answer together: each is asked for what it has, in order and no more than can be in the
 * answer, with the values that its rows are merged by. `merge-parts.ts` puts them together.
 * @module
 */

import type { CastType } from '../ask/casts.ts'
import type { AggregateName } from '../ask/request.ts'
import { errors } from '../errors.ts'
import type { ReadPlan } from '../plan/plan.ts'
import { ResourceCompiler } from './compile-resource.ts'
import type { Entry } from './compile-row.ts'
import { csvLine, jsonOf } from './compile-row.ts'
import { sortColumns, sortNames } from './sort-columns.ts'
import { type Statement, writeStatement } from './sql.ts'

/** What each of several databases is asked. */
export type CompiledSpread =
  | {
      readonly kind: 'rows'
      /** As many rows as can be in the answer. */
      readonly rows: Statement
      /** All rows in order, to be asked for by a range; and what they are sorted by alone. */
      readonly ordered: Statement
      readonly keys: Statement
      /** Names of the columns that rows are sorted by. */
      readonly sorted: readonly string[]
    }
  | {
      readonly kind: 'groups'
      readonly rows: Statement
      readonly columns: readonly GroupColumn[]
      /** Names of the columns that its rows have, and of those that may be long. */
      readonly names: readonly string[]
      readonly long: readonly string[]
    }

/** A column of grouped rows: one of the groups' own, or an aggregate, and how parts of it are put together. */
export type GroupColumn =
  | { readonly kind: 'key'; readonly name: string }
  | {
      readonly kind: 'aggregate'
      readonly name: string
      readonly aggregate: AggregateName
      readonly cast: CastType | null
    }

export function compileSpread(plan: ReadPlan): CompiledSpread {
  const { root } = plan
  if (!root.aggregated) {
    return {
      kind: 'rows',
      rows: writeStatement((parameters) => new ResourceCompiler(parameters, root, plan).spreadRows()),
      ordered: writeStatement((parameters) => new ResourceCompiler(parameters, root, plan).orderedRows(true)),
      keys: writeStatement((parameters) => new ResourceCompiler(parameters, root, plan).orderedRows(false)),
      sorted: root.order.flatMap((_, i) => sortNames(i)),
    }
  }
  let entries: readonly Entry[] = []
  const names: string[] = []
  const rows = writeStatement((parameters) => {
    const compiler = new ResourceCompiler(parameters, root, plan)
    entries = compiler.rootEntries()
    const columns: string[] = []
    names.length = 0
    // Groups are named by their places: a column of the table may have any name.
    const groups: number[] = []
    for (const [i, entry] of entries.entries()) {
      if (!entry.aggregate) groups.push(columns.length + 1)
      for (const [name, sql] of partColumns(entry, i, plan)) {
        columns.push(`${sql} AS ${name}`)
        names.push(name)
      }
    }
    const keys = compiler.orderValues().flatMap(sortColumns)
    names.push(...root.order.flatMap((_, i) => sortNames(i)))
    const groupBy = groups.length === 0 ? '' : ` GROUP BY ${groups.join(', ')}`
    const first = isOrderedByGroups(plan) ? compiler.firstGroups(groups) : ''
    return `SELECT ${[...columns, ...keys].join(', ')}${compiler.from()}${groupBy}${first}`
  })
  const long = names.filter((name) => /^[gjp]/.test(name))
  return { kind: 'groups', rows, columns: entries.map(groupColumn), names, long }
}

/**
 * Whether each database may send its first groups alone: those that are first of all are among them when the order is one of groups,
 * and not of what is counted in them. How many there are in all, nobody may have asked.
 */
function isOrderedByGroups({ root, preferences }: ReadPlan): boolean {
  if (preferences.count) return false
  return root.order.every(({ embed, field }) => {
    if (embed !== null || 'output' in field) return false
    return root.output.some(
      (item) =>
        item.kind === 'column' &&
        item.aggregate === null &&
        item.cast === null &&
        item.field.column === field.column &&
        JSON.stringify(item.field.path) === JSON.stringify(field.path),
    )
  })
}

/** `g`: what groups are told apart by; `j`: JSON of a value in brackets, or its CSV; `p`, `y`: a part and its type; `n`: a count. */
function partColumns(entry: Entry, i: number, { media }: ReadPlan): [name: string, sql: string][] {
  if (!entry.aggregate) {
    const text = media.kind === 'csv' ? csvLine([entry]) : `json_array(${jsonOf(entry)})`
    return [
      [`g${i}`, entry.value.sql],
      [`j${i}`, text],
    ]
  }
  const { aggregate: name, inner } = entry.partial ?? { aggregate: 'count', inner: null }
  if (inner === null || name === 'count') return [[`n${i}`, `count(${inner === null ? '*' : inner.sql})`]]
  const part = `${name === 'avg' ? 'sum' : name}(${inner.sql})`
  const shown = { name: entry.name, aggregate: true, value: { ...inner, sql: part } }
  return [
    [
      `p${i}`,
      `CASE typeof(${part}) WHEN 'integer' THEN CAST(${part} AS TEXT) WHEN 'blob' THEN hex(${part}) ELSE ${part} END`,
    ],
    [`y${i}`, `typeof(${part})`],
    ...(name === 'avg' ? [[`n${i}`, `count(${inner.sql})`] as [string, string]] : []),
    ...(name === 'min' || name === 'max'
      ? [[`j${i}`, `json_array(${jsonOf(shown)})`] as [string, string]]
      : []),
  ]
}

function groupColumn(entry: Entry): GroupColumn {
  if (!entry.aggregate) return { kind: 'key', name: entry.name }
  const { aggregate, cast } = entry.partial ?? { aggregate: 'count' as const, cast: null }
  if (cast !== null && entry.partial?.inner.form && aggregate !== 'count')
    throw errors.notAcrossShards('An aggregate of a custom type cannot be cast when several shards answer.')
  if (cast !== null && cast !== 'text' && cast !== 'integer' && cast !== 'real') {
    throw errors.notAcrossShards(`An aggregate cannot be cast to ${cast} when several shards answer.`)
  }
  return { kind: 'aggregate', name: entry.name, aggregate, cast }
}
