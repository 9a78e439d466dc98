/**
 * Comparisons of two values as SQL, unknown where one is null.
 * @module
 */
import type { ColumnType } from '../../../db/catalog/catalog.ts'
import { over } from '../../../db/catalog/value-form.ts'
import type { Operator } from '../ask/request.ts'
import { errors } from '../errors.ts'
import type { TypedSql } from './compile-field.ts'

/** Unknown where the value is null, as in PostgreSQL, and never unknown where it is not. */
export function known(value: string, sql: string): string {
  return `(CASE WHEN ${value} IS NULL THEN NULL ELSE ifnull(${sql},0) END)`
}

export function quantified(
  left: string,
  quantifier: 'any' | 'all',
  list: string,
  test: (element: string) => string,
): string {
  const holds = `EXISTS (SELECT 1 FROM json_each(${list}) AS _atoll_q WHERE ${quantifier === 'any' ? '' : 'NOT '}(${test('_atoll_q.value')}))`
  return known(left, quantifier === 'any' ? holds : `NOT ${holds}`)
}

export function isOrder(operator: Operator): operator is 'lt' | 'lte' | 'gt' | 'gte' {
  return operator === 'lt' || operator === 'lte' || operator === 'gt' || operator === 'gte'
}

/** @param equal and order write what the operator needs of them, which may add parameters */
export function jsonComparison(
  operator: Operator,
  sign: string,
  left: string,
  equal: () => string,
  order: () => string,
): string {
  if (isOrder(operator)) return known(left, `${order()}${sign}0`)
  const isSame = equal()
  if (operator === 'isdistinct') return `(${left} IS NULL OR NOT ifnull(${isSame},0))`
  return known(left, operator === 'neq' ? `NOT ifnull(${isSame},0)` : isSame)
}

/** @param right SQL of a stored value, as `left` is */
export function compareStored(
  operator: Operator,
  sign: string,
  { sql, form }: TypedSql,
  right: string,
): string {
  if (!form || form.order.length === 0 || !isOrder(operator)) return `${sql} ${sign} ${right}`
  const values = (of: string) => form.order.map((text) => over(text, of)).join(',')
  return `(${values(sql)}) ${sign} (${values(right)})`
}

/** Bytes travel as their digits. */
export function comparable(value: string, type: ColumnType): string {
  return type === 'blob' ? `unhex(${value})` : value
}

export function withAffinity(parameter: string, type: ColumnType): string {
  switch (type) {
    case 'integer':
    case 'boolean':
      return `CAST(${parameter} AS INTEGER)`
    case 'real':
    case 'numeric':
    case 'timestamp':
    case 'timestamp_ms':
      return `CAST(${parameter} AS NUMERIC)`
    default:
      return parameter
  }
}

export function compileIs(left: TypedSql, word: string): string {
  switch (word.toLowerCase()) {
    case 'null':
      return `${left.sql} IS NULL`
    case 'not_null':
      return `${left.sql} IS NOT NULL`
    case 'true':
      return `${booleanSql(left)} IS TRUE`
    case 'false':
      return `${booleanSql(left)} IS FALSE`
    case 'unknown':
      return `${left.sql} IS NULL`
    default:
      throw errors.unparsable(
        'filter',
        `is.${word}`,
        4,
        `unexpected "${word.slice(0, 1)}" expecting isVal: (null, not_null, true, false, unknown)`,
      )
  }
}

function booleanSql(left: TypedSql): string {
  if (left.type === 'boolean' || left.type === 'integer') return left.sql
  throw errors.undefinedFunction(`argument of IS must be type boolean, not type ${left.type}`)
}
