/**
 * The values of a row under their names, and the row as one text.
 * @module
 */

import { joinBalanced } from '../../../db/sql/join-balanced.ts'
import { quoteText } from '../../../db/sql/quote.ts'
import type { CastType } from '../ask/casts.ts'
import type { AggregateName } from '../ask/request.ts'
import type { ColumnOutput } from '../plan/plan.ts'
import { castTo, fieldValue, type TypedSql, toJson, toText } from './compile-field.ts'

/** One value of a row under its name. */
export interface Entry {
  readonly name: string
  readonly value: TypedSql
  readonly aggregate: boolean
  /** Of an aggregate of values: which, of what, and what its result is cast to. */
  readonly partial?: {
    readonly aggregate: AggregateName
    readonly inner: TypedSql
    readonly cast: CastType | null
  }
}

export function columnEntry(item: ColumnOutput): Entry {
  const entry = { name: item.name, value: columnValue(item), aggregate: item.aggregate !== null }
  if (!item.aggregate) return entry
  const { name: aggregate, cast } = item.aggregate
  return { ...entry, partial: { aggregate, inner: plainValue(item), cast } }
}

function plainValue(item: ColumnOutput): TypedSql {
  const field = fieldValue(item.field)
  return item.cast ? castTo(field, item.cast) : field
}

export function columnValue(item: ColumnOutput): TypedSql {
  const value = plainValue(item)
  if (!item.aggregate) return value
  const { name, cast } = item.aggregate
  const result: TypedSql = {
    sql: `${name}(${value.sql})`,
    type: aggregateType(name, value),
    zone: value.zone,
    form: name === 'min' || name === 'max' ? (value.form ?? null) : null,
  }
  return cast ? castTo(result, cast) : result
}

function aggregateType(name: string, value: TypedSql): TypedSql['type'] {
  if (name === 'count') return 'integer'
  if (name === 'avg') return 'real'
  return value.type
}

export function jsonOf(entry: Entry): string {
  return toJson(entry.value)
}

/** D1 documents 32 arguments to a function: 15 columns and room to spare. */
const columnsPerObject = 15

export function jsonObject(entries: readonly Entry[]): string {
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
export function csvLine(entries: readonly Entry[]): string {
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
