/**
 * PostgreSQL's `=`, `@>`, `<@` and `&&` on JSON values, written out for a value that is known when the statement
 * is: SQLite compares JSON only as text, where the order of keys and the spelling of numbers would count.
 * Source: https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT
 * @module
 */
import { joinBalanced } from '../../../db/sql/join-balanced.ts'
import { quoteText } from '../../../db/sql/quote.ts'
import type { Parameters } from './sql.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

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

  #equalsScalar(value: string, scalar: Scalar): string {
    if (scalar === null) return `json_type(${value})='null'`
    if (typeof scalar === 'boolean') return `json_type(${value})='${scalar}'`
    const parameter = this.#parameters.add({ kind: 'constant', value: scalar })
    const types = typeof scalar === 'number' ? "IN ('integer','real')" : "='text'"
    return `(json_type(${value}) ${types} AND (${value}->>'$')=${parameter})`
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

type Scalar = null | boolean | number | string

function isScalar(value: Json): value is Scalar {
  return value === null || typeof value !== 'object'
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function all(terms: readonly string[]): string {
  return `(${joinBalanced(terms, ' AND ')})`
}

function any(terms: readonly string[]): string {
  return terms.length === 0 ? '0' : joinBalanced(terms, ' OR ')
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
