/**
 * Reads that several databases answer together: each is asked for what it has, in order and no more than can be in the
 * answer, with the values that its rows are merged by. `merge-parts.ts` puts them together.
 * @module
 */

import { errors } from '../errors.ts'
import type { CastType } from './casts.ts'
import { ResourceCompiler } from './compile-resource.ts'
import type { Entry } from './compile-row.ts'
import { csvLine, jsonOf } from './compile-row.ts'
import type { ReadPlan } from './plan.ts'
import type { AggregateName } from './request.ts'
import { sortColumns } from './sort-columns.ts'
import { type Statement, writeStatement } from './sql.ts'

/** What each of several databases is asked. */
export type CompiledSpread =
  | { readonly kind: 'rows'; readonly rows: Statement }
  | { readonly kind: 'groups'; readonly rows: Statement; readonly columns: readonly GroupColumn[] }

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
    }
  }
  let entries: readonly Entry[] = []
  const rows = writeStatement((parameters) => {
    const compiler = new ResourceCompiler(parameters, root, plan)
    entries = compiler.rootEntries()
    const columns: string[] = []
    // Groups are named by their places: a column of the table may have any name.
    const groups: number[] = []
    for (const [i, entry] of entries.entries()) {
      if (!entry.aggregate) groups.push(columns.length + 1)
      columns.push(...partColumns(entry, i, plan))
    }
    const keys = compiler.orderValues().flatMap(sortColumns)
    const groupBy = groups.length === 0 ? '' : ` GROUP BY ${groups.join(', ')}`
    return `SELECT ${[...columns, ...keys].join(', ')}${compiler.from()}${groupBy}`
  })
  return { kind: 'groups', rows, columns: entries.map(groupColumn) }
}

/** `g`: what groups are told apart by; `j`: JSON of a value in brackets, or its CSV; `p`, `y`: a part and its type; `n`: a count. */
function partColumns(entry: Entry, i: number, { media }: ReadPlan): string[] {
  if (!entry.aggregate) {
    const text = media.kind === 'csv' ? csvLine([entry]) : `json_array(${jsonOf(entry)})`
    return [`${entry.value.sql} AS g${i}`, `${text} AS j${i}`]
  }
  const { aggregate: name, inner } = entry.partial ?? { aggregate: 'count', inner: null }
  if (inner === null || name === 'count') return [`count(${inner === null ? '*' : inner.sql}) AS n${i}`]
  const part = `${name === 'avg' ? 'sum' : name}(${inner.sql})`
  const shown = { name: entry.name, aggregate: true, value: { sql: part, type: inner.type } }
  return [
    `CASE typeof(${part}) WHEN 'integer' THEN CAST(${part} AS TEXT) WHEN 'blob' THEN hex(${part}) ELSE ${part} END AS p${i}`,
    `typeof(${part}) AS y${i}`,
    ...(name === 'avg' ? [`count(${inner.sql}) AS n${i}`] : []),
    ...(name === 'min' || name === 'max' ? [`json_array(${jsonOf(shown)}) AS j${i}`] : []),
  ]
}

function groupColumn(entry: Entry): GroupColumn {
  if (!entry.aggregate) return { kind: 'key', name: entry.name }
  const { aggregate, cast } = entry.partial ?? { aggregate: 'count' as const, cast: null }
  if (cast !== null && cast !== 'text' && cast !== 'integer' && cast !== 'real') {
    throw errors.notAcrossShards(`An aggregate cannot be cast to ${cast} when several shards answer.`)
  }
  return { kind: 'aggregate', name: entry.name, aggregate, cast }
}
