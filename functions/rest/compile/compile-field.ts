/**
 * A field as SQL: to compare with, to order by, and to show as JSON.
 * @module
 */
import { type Column, type ColumnType, isNumeric, type ValueForm } from '../../../db/catalog/catalog.ts'
import { over } from '../../../db/catalog/value-form.ts'
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
  /** Of a stored value that is shown otherwise than its type says. */
  readonly form?: ValueForm | null
}

/** A value as it is shown. */
export function printed(value: TypedSql): TypedSql {
  const { sql, form } = value
  if (!form) return value
  return { sql: form.print === null ? sql : over(form.print, sql), type: form.type }
}

function columnSql(field: FieldPlan): string {
  const { expression } = field.column
  if (expression !== null)
    return `(${expression.replaceAll(`${quoteName(field.table)}.`, `${field.alias}.`)})`
  return `${field.alias}.${quoteName(field.column.name)}`
}

/** A column of JSON is JSON, however it is stored. */
function columnValue({ column, ...field }: FieldPlan): TypedSql {
  const { type, zone, form } = column
  const value: TypedSql = { sql: columnSql({ column, ...field }), type, zone, form }
  return form?.isJson ? printed(value) : value
}

/** The field's value: of a JSON path, JSON text (`->`) or plain text (`->>`). */
export function fieldValue(field: FieldPlan): TypedSql {
  const value = columnValue(field)
  const column = value.sql
  const last = field.path.at(-1)
  if (last === undefined) return value
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
  const column = columnValue(field).sql
  if (field.path.length === 0) {
    const order = field.column.form?.order[field.part ?? 0]
    return order === undefined ? column : over(order, columnSql(field))
  }
  return field.path.at(-1)?.asText ? fieldValue(field).sql : `(${column}->>${jsonPath(field.path)})`
}

/** A number in sixteen digits: SQLite itself takes seventeen where fifteen are too few. */
const sixteen = (sql: string) => `printf('%!.16g',${sql})`

/** Whether that is the number, and it has none of its own that is shorter. */
const hasSixteen = (sql: string) =>
  `typeof(${sql}) = 'real' AND abs(${sql}) < 1e308 AND ${sql} <> round(${sql}) AND CAST(${sixteen(sql)} AS REAL) = ${sql}`

/** JSON of a value, for use inside `json_object` and `json_group_array`. */
export function toJson(value: TypedSql): string {
  const { sql, type, zone } = printed(value)
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
export function toText(value: TypedSql): string {
  const { sql, type, zone } = printed(value)
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

/** Text of a column that a key has: as filters name it where its type has a form, else as it is stored. */
export function keyText({ type, form }: Pick<Column, 'type' | 'form'>, sql: string): string {
  return form === null ? `CAST(${sql} AS TEXT)` : toText({ sql, type, form })
}

const numberLike = (sql: string) => `json_valid(${sql}) AND json_type(${sql}) IN ('integer','real')`

/**
 * A value as another type. Text that is no number, boolean or JSON makes the statement fail, as in PostgreSQL;
 * SQLite would make it 0. (`json()` of it is what fails; D1 has no other function that raises an error.)
 */
export function castTo(stored: TypedSql, cast: CastType): TypedSql {
  const value = printed(stored)
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
