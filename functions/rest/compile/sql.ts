/**
 * Writing SQL text: names, literals, and the statement that holds them.
 * @module
 */

import { joinBalanced } from '../../../db/sql/join-balanced.ts'
import { quoteText } from '../../../db/sql/quote.ts'
import type { JsonStep } from '../ask/request.ts'
import { errors } from '../errors.ts'
import type { Bindable, Bindings } from '../plan/bindings.ts'

/** Where a parameter's value comes from when the statement is run. */
export type ParameterSource =
  | { readonly kind: 'constant'; readonly value: Bindable }
  | { readonly kind: 'operand'; readonly index: number; readonly convert: (text: string) => Bindable }
  /** The rows of a payload: a JSON array of arrays, as `storage-rows.ts` makes it. */
  | { readonly kind: 'rows' }
  /** Rows of another table, a JSON array of arrays that was read before. */
  | { readonly kind: 'gathered'; readonly index: number }
  /** A parameter of a policy's condition: what it is for the caller at hand. */
  | { readonly kind: 'policy'; readonly name: string; readonly index: number }

/** Most bytes of one parameter, under D1's limit of 2,000,000. */
export const maxParameterBytes = 1_900_000

/** D1 binds at most 100 parameters to a statement. */
const maxParameters = 100

/** One statement, compiled: run it with the parameters that `bindParameters` makes. */
export interface Statement {
  readonly text: string
  readonly parameters: readonly ParameterSource[]
  /** True when all parameters travel as one JSON array, because there are more than D1 binds. */
  readonly packed: boolean
}

/** Takes a value and gives what stands for it in the statement's text. */
export interface Parameters {
  add(source: ParameterSource): string
}

/** Writes values into the text itself, for statements that cannot have parameters. */
export class LiteralList implements Parameters {
  readonly #bindings: Bindings

  constructor(bindings: Bindings) {
    this.#bindings = bindings
  }

  add(source: ParameterSource): string {
    if (source.kind === 'rows') throw new Error('rows are never written into a statement')
    const value = boundValue(source, this.#bindings)
    if (value === null) return 'NULL'
    return typeof value === 'number' ? String(value) : quoteText(value)
  }
}

/** Collects the parameters of a statement while its text is written. */
export class ParameterList implements Parameters {
  readonly sources: ParameterSource[] = []
  readonly #packed: boolean

  constructor(packed: boolean) {
    this.#packed = packed
  }

  add(source: ParameterSource): string {
    const number = this.sources.push(source)
    return this.#packed ? `(?1->>'$[${number - 1}]')` : `?${number}`
  }
}

/** Writes a statement; a second time, packed, when it needs more parameters than D1 binds. */
export function writeStatement(write: (parameters: ParameterList) => string): Statement {
  const attempt = (packed: boolean): Statement => {
    const parameters = new ParameterList(packed)
    return { text: write(parameters), parameters: parameters.sources, packed }
  }
  const plain = attempt(false)
  return plain.parameters.length <= maxParameters ? plain : attempt(true)
}

export function bindParameters(statement: Statement, bindings: Bindings, rows = '[]'): Bindable[] {
  const values = statement.parameters.map((source) =>
    source.kind === 'rows' ? rows : boundValue(source, bindings),
  )
  return statement.packed ? [JSON.stringify(values)] : values
}

function boundValue(source: Exclude<ParameterSource, { kind: 'rows' }>, bindings: Bindings): Bindable {
  switch (source.kind) {
    case 'constant':
      return source.value
    case 'operand':
      return source.convert(bindings.operands[source.index] as string)
    case 'gathered':
      return bindings.gathered?.[source.index] ?? '[]'
    case 'policy':
      return bindings.rights.value(source.name, source.index)
  }
}

/** A JSON path as an SQL literal; keys are always quoted, so that none is read as a path of its own. */
export function jsonPath(path: readonly JsonStep[]): string {
  const steps = path.map(({ at }) => {
    if (typeof at === 'number') return at < 0 ? `[#${at}]` : `[${at}]`
    if (at.includes('"')) throw errors.notImplemented('A JSON key with a double quote cannot be reached.')
    return `."${at}"`
  })
  return quoteText(`$${steps.join('')}`)
}

/** All of the terms, or true when there are none. */
export function allOf(terms: readonly string[]): string {
  return terms.length === 0
    ? '1'
    : terms.length === 1
      ? (terms[0] as string)
      : joinBalanced(terms.map(wrap), ' AND ')
}

function wrap(term: string): string {
  return `(${term})`
}
