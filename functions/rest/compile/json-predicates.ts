/**
 * PostgreSQL's `=`, `<`, `@>`, `<@` and `&&` on JSON values, as `jsonb` has them: SQLite compares JSON only as text, where the order of keys
 * and the spelling of numbers would count.
 * Source: https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT and #JSON-INDEXING
 * @module
 */
import { joinBalanced } from '../../../db/sql/join-balanced.ts'
import { quoteText } from '../../../db/sql/quote.ts'
import { byteLength } from '../../core/byte-length.ts'
import { isRawNumber, type RawNumber } from '../../core/parse-json.ts'
import type { Parameters } from './sql.ts'

export type Json =
  | null
  | boolean
  | number
  | string
  /** A number whose digits JavaScript would not keep. */
  | RawNumber
  | readonly Json[]
  | { readonly [key: string]: Json }

/** Builds predicates over JSON text; `value` arguments are SQL expressions that hold JSON text. */
export class JsonPredicates {
  readonly #parameters: Parameters
  #names = 0

  constructor(parameters: Parameters) {
    this.#parameters = parameters
  }

  equals(value: string, to: Json): string {
    if (isArray(to)) {
      return all([
        `json_type(${value})='array'`,
        `json_array_length(${value})=${to.length}`,
        ...to.map((element, i) => this.equals(`(${value}->'$[${i}]')`, element)),
      ])
    }
    if (isObject(to)) {
      const entries = Object.entries(to)
      return all([
        `json_type(${value})='object'`,
        `(SELECT count(*) FROM json_each(${value}))=${entries.length}`,
        ...entries.map(([key, element]) => this.equals(`(${value}->${path(key)})`, element)),
      ])
    }
    return this.#equalsScalar(value, to)
  }

  /** `value @> part` */
  contains(value: string, part: Json, top = true): string {
    if (isArray(part)) {
      return all([`json_type(${value})='array'`, ...part.map((element) => this.#someElement(value, element))])
    }
    if (isObject(part)) {
      const entries = Object.entries(part)
      return all([
        `json_type(${value})='object'`,
        ...entries.map(([key, element]) => this.contains(`(${value}->${path(key)})`, element, false)),
      ])
    }
    // An array may contain a scalar, but only at the top.
    const equal = this.#equalsScalar(value, part)
    return top ? `(${equal} OR json_type(${value})='array' AND ${this.#someElement(value, part)})` : equal
  }

  /** `value <@ whole` */
  containedIn(value: string, whole: Json, top = true): string {
    if (isArray(whole)) {
      const each = this.#name()
      const held = whole.map((element) => this.containedIn(elementText(each), element, false))
      const elements = `json_type(${value})='array' AND NOT EXISTS (SELECT 1 FROM json_each(${value}) AS ${each} WHERE NOT (${any(held)}))`
      // An array may contain a scalar, but only at the top.
      const scalars = top ? whole.filter(isScalar) : []
      return `(${any([elements, ...scalars.map((scalar) => this.#equalsScalar(value, scalar))])})`
    }
    if (isObject(whole)) {
      const each = this.#name()
      const cases = Object.entries(whole).map(
        ([key, element]) =>
          `WHEN ${quoteText(key)} THEN ${this.containedIn(elementText(each), element, false)}`,
      )
      const held = cases.length === 0 ? '0' : `CASE ${each}.key ${cases.join(' ')} ELSE 0 END`
      return `(json_type(${value})='object' AND NOT EXISTS (SELECT 1 FROM json_each(${value}) AS ${each} WHERE NOT (${held})))`
    }
    return this.#equalsScalar(value, whole)
  }

  /** `value && others`: the arrays have an element in common. */
  overlaps(value: string, others: readonly Json[]): string {
    return any(others.map((other) => `(json_type(${value})='array' AND ${this.#someElement(value, other)})`))
  }

  #someElement(value: string, element: Json): string {
    const each = this.#name()
    return `EXISTS (SELECT 1 FROM json_each(${value}) AS ${each} WHERE ${this.contains(elementText(each), element, false)})`
  }

  /**
   * How a value stands to another in `jsonb`'s order, as SQL that is below, above or equal to 0: null, then texts, numbers, booleans, arrays,
   * objects; of two arrays or objects, first the one with fewer elements.
   */
  order(value: string, to: Json): string {
    if (isArray(to)) {
      return firstOf([
        signOf(rankOf(value), String(ranks.array)),
        signOf(`json_array_length(${value})`, String(to.length)),
        ...to.map((element, i) => this.order(`(${value}->'$[${i}]')`, element)),
      ])
    }
    if (isObject(to)) {
      // By the length of keys, then by their bytes: so they lie in a jsonb.
      const entries = Object.entries(to).sort(([a], [b]) => byteLength(a) - byteLength(b) || (a < b ? -1 : 1))
      const sorted = 'ORDER BY length(CAST(key AS BLOB)), key LIMIT 1 OFFSET'
      return firstOf([
        signOf(rankOf(value), String(ranks.object)),
        signOf(`(SELECT count(*) FROM json_each(${value}))`, String(entries.length)),
        ...entries.flatMap(([key, element], i) => [
          signOf(`(SELECT key FROM json_each(${value}) ${sorted} ${i})`, quoteText(key)),
          this.order(`(${value}->${path(key)})`, element),
        ]),
      ])
    }
    return orderOfScalar(value, this.#parameters.add({ kind: 'constant', value: JSON.stringify(to) }))
  }

  #equalsScalar(value: string, scalar: Scalar): string {
    if (scalar === null) return `json_type(${value})='null'`
    if (typeof scalar === 'boolean') return `json_type(${value})='${scalar}'`
    return equalsScalar(value, this.#parameters.add({ kind: 'constant', value: JSON.stringify(scalar) }))
  }

  #name(): string {
    return `e${this.#names++}`
  }
}

/** JSON text of the element that `json_each` is at: its value column drops JSON's types. */
function elementText(each: string): string {
  return `(CASE ${each}.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null' WHEN 'array' THEN ${each}.value WHEN 'object' THEN ${each}.value ELSE json_quote(${each}.value) END)`
}

function path(key: string): string {
  return quoteText(`$."${key.replaceAll('"', '\\"')}"`)
}

type Scalar = null | boolean | number | string | RawNumber

function isScalar(value: Json): value is Scalar {
  return value === null || typeof value !== 'object' || isRawNumber(value)
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value)
}

function all(terms: readonly string[]): string {
  return `(${joinBalanced(terms, ' AND ')})`
}

function any(terms: readonly string[]): string {
  return terms.length === 0 ? '0' : joinBalanced(terms, ' OR ')
}

/** Where a type of JSON stands in `jsonb`'s order. */
const ranks = { null: 0, text: 1, number: 2, boolean: 3, array: 4, object: 5 } as const

function rankOf(value: string): string {
  const { text, number, boolean, array, object } = ranks
  return `(CASE json_type(${value}) WHEN 'null' THEN 0 WHEN 'text' THEN ${text} WHEN 'integer' THEN ${number} WHEN 'real' THEN ${number} WHEN 'true' THEN ${boolean} WHEN 'false' THEN ${boolean} WHEN 'array' THEN ${array} ELSE ${object} END)`
}

/** Digits of a number as JSON has them, without zeros that say nothing. */
function digitsOf(value: string): string {
  const raw = `(${value}->'$')`
  return `(CASE WHEN instr(${raw},'.')>0 AND instr(lower(${raw}),'e')=0 THEN rtrim(rtrim(${raw},'0'),'.') ELSE ${raw} END)`
}

/** A double tells numbers of fewer digits apart. */
const exactDigits = 16

/**
 * Whether a value is a scalar.
 *
 * @param scalar SQL that holds it as JSON text
 */
export function equalsScalar(value: string, scalar: string): string {
  const isLong = `max(length(${value}->'$'),length(${scalar}->'$'))>${exactDigits}`
  const isSame = `(${value}->>'$') IS (${scalar}->>'$')`
  const digits = `(json_type(${value}) NOT IN ('integer','real') OR NOT ${isLong} OR ${digitsOf(value)}=${digitsOf(scalar)})`
  return `(${rankOf(value)}=${rankOf(scalar)} AND ${isSame} AND ${digits})`
}

/** How a value stands to a scalar in `jsonb`'s order: below, above or equal to 0. */
export function orderOfScalar(value: string, scalar: string): string {
  return firstOf([
    signOf(rankOf(value), rankOf(scalar)),
    signOf(`ifnull(${value}->>'$',0)`, `ifnull(${scalar}->>'$',0)`),
  ])
}

function signOf(a: string, b: string): string {
  return `(CASE WHEN ${a}<${b} THEN -1 WHEN ${a}>${b} THEN 1 ELSE 0 END)`
}

/** The first of some orders that is not 0. */
function firstOf(orders: readonly string[]): string {
  return `coalesce(${orders.map((order) => `nullif(${order},0)`).join(',')},0)`
}

/** PostgreSQL's order of arrays: element by element, the shorter first when it is the other's beginning. */
export function compareArray(
  value: string,
  operator: 'lt' | 'lte' | 'gt' | 'gte',
  to: readonly Json[],
  parameters: Parameters,
): string {
  const orEqual = operator === 'lte' || operator === 'gt'
  let sql = orEqual ? `json_array_length(${value})<=${to.length}` : '0'
  for (let i = to.length - 1; i >= 0; i--) {
    const element = parameters.add({ kind: 'constant', value: scalarOf(to[i] as Json) })
    const own = `(${value}->>${i})`
    sql = `(CASE WHEN json_array_length(${value})<=${i} OR ${own}<${element} THEN 1 WHEN ${own}=${element} THEN ${sql} ELSE 0 END)`
  }
  return operator === 'gt' || operator === 'gte' ? `NOT (${sql})` : sql
}

function scalarOf(json: Json): string | number | null {
  return typeof json === 'string' || typeof json === 'number' ? json : JSON.stringify(json)
}
