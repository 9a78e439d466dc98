/**
 * A field as SQL: to compare with, to order by, and to show as JSON.
 * @module
 */
import { type ColumnType, isNumeric } from '../../../db/catalog/catalog.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import type { CastType } from '../ask/casts.ts'
import type { FieldPlan } from '../plan/plan.ts'
import type { Zone } from '../plan/zones.ts'
import { markedTime } from './marked-times.ts'
import { jsonPath } from './sql.ts'

/** A value in SQL and how it becomes JSON. */
export interface TypedSql {
  readonly sql: string
  readonly type: ColumnType
  /** Of a time, where it is shown otherwise than in UTC. */
  readonly zone?: Zone | undefined
}

function columnSql(field: FieldPlan): string {
  const { expression } = field.column
  if (expression !== null)
    return `(${expression.replaceAll(`${quoteName(field.table)}.`, `${field.alias}.`)})`
  return `${field.alias}.${quoteName(field.column.name)}`
}

/** The field's value: of a JSON path, JSON text (`->`) or plain text (`->>`). */
export function fieldValue(field: FieldPlan): TypedSql {
  const column = columnSql(field)
  const last = field.path.at(-1)
  if (last === undefined) return { sql: column, type: field.column.type, zone: field.column.zone }
  const path = jsonPath(field.path)
  if (!last.asText) return { sql: `(${column}->${path})`, type: 'json' }
  // `->>` gives SQLite's own values; PostgreSQL's gives text, for true and false as well.
  return {
    sql:
      `(CASE json_type(${column},${path}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ` +
      `ELSE CAST(${column}->>${path} AS TEXT) END)`,
    type: 'text',
  }
}

/** The field as something SQLite can order: JSON by the values inside it. */
export function orderValue(field: FieldPlan): string {
  const column = columnSql(field)
  if (field.path.length === 0) return column
  return field.path.at(-1)?.asText ? fieldValue(field).sql : `(${column}->>${jsonPath(field.path)})`
}

/** A number in sixteen digits: SQLite itself takes seventeen where fifteen are too few. */
const sixteen = (sql: string) => `printf('%!.16g',${sql})`

/** Whether that is the number, and it has none of its own that is shorter. */
const hasSixteen = (sql: string) =>
  `typeof(${sql}) = 'real' AND abs(${sql}) < 1e308 AND ${sql} <> round(${sql}) AND CAST(${sixteen(sql)} AS REAL) = ${sql}`

/** JSON of a value, for use inside `json_object` and `json_group_array`. */
export function toJson({ sql, type, zone }: TypedSql): string {
  if (zone !== undefined && type === 'timestamp') return markedTime('s', sql)
  if (zone !== undefined && type === 'timestamp_ms') return markedTime('m', `${sql}/1000.0`)
  switch (type) {
    case 'boolean':
      return `json(CASE WHEN ${sql} IS NULL THEN NULL WHEN ${sql} THEN 'true' ELSE 'false' END)`
    case 'json':
      return `json(${sql})`
    case 'timestamp':
      return `strftime('%Y-%m-%dT%H:%M:%SZ',${sql},'unixepoch')`
    case 'timestamp_ms':
      return `strftime('%Y-%m-%dT%H:%M:%fZ',${sql}/1000.0,'unixepoch')`
    case 'blob':
      return `(CASE WHEN ${sql} IS NULL THEN NULL ELSE '\\x'||lower(hex(${sql})) END)`
    case 'real':
    case 'numeric':
      return `json(CASE WHEN ${hasSixteen(sql)} THEN ${sixteen(sql)} ELSE json_quote(${sql}) END)`
    default:
      return sql
  }
}

/** Text of a value, for CSV and casts to text. */
export function toText({ sql, type, zone }: TypedSql): string {
  switch (type) {
    case 'boolean':
      return `(CASE WHEN ${sql} IS NULL THEN NULL WHEN ${sql} THEN 'true' ELSE 'false' END)`
    case 'json':
      return sql
    case 'integer':
      return `CAST(${sql} AS TEXT)`
    case 'real':
    case 'numeric':
      // PostgreSQL writes whole numbers without a point.
      return `(CASE WHEN abs(${sql}) < 9e15 AND ${sql} = CAST(${sql} AS INTEGER) THEN CAST(CAST(${sql} AS INTEGER) AS TEXT) WHEN ${hasSixteen(sql)} THEN ${sixteen(sql)} ELSE CAST(${sql} AS TEXT) END)`
    default:
      return toJson({ sql, type, zone })
  }
}

const numberLike = (sql: string) => `json_valid(${sql}) AND json_type(${sql}) IN ('integer','real')`

/**
 * A value as another type. Text that is no number, boolean or JSON makes the statement fail, as in PostgreSQL;
 * SQLite would make it 0. (`json()` of it is what fails; D1 has no other function that raises an error.)
 */
export function castTo(value: TypedSql, cast: CastType): TypedSql {
  const text = toText(value)
  const isNumber = isNumeric(value.type)
  switch (cast) {
    case 'text':
      return { sql: text, type: 'text' }
    case 'date':
      return { sql: value.zone === undefined ? `date(${text})` : markedDate(value), type: 'text' }
    case 'json':
      return { sql: value.type === 'text' ? `json(${text})` : text, type: 'json' }
    case 'integer':
      if (isNumber) return { sql: `CAST(round(${value.sql}) AS INTEGER)`, type: 'integer' }
      return { sql: numberFrom(text, 'INTEGER'), type: 'integer' }
    case 'real':
      if (isNumber) return { sql: `CAST(${value.sql} AS REAL)`, type: 'real' }
      return { sql: numberFrom(text, 'REAL'), type: 'real' }
    case 'boolean':
      if (value.type === 'boolean') return value
      return {
        sql: `(CASE lower(${text}) WHEN 'true' THEN 1 WHEN 't' THEN 1 WHEN '1' THEN 1 WHEN 'false' THEN 0 WHEN 'f' THEN 0 WHEN '0' THEN 0 ELSE json(${text}||'?') END)`,
        type: 'boolean',
      }
  }
}

function markedDate({ sql, type }: TypedSql): string {
  return markedTime('d', type === 'timestamp_ms' ? `${sql}/1000.0` : sql)
}

function numberFrom(text: string, type: 'INTEGER' | 'REAL'): string {
  return `(CASE WHEN ${text} IS NULL THEN NULL WHEN ${numberLike(text)} THEN CAST(${text} AS ${type}) ELSE json(${text}||'?') END)`
}
