/**
 * What a request wants, in the dialect's own terms. Made by `parse-request.ts`; knows no SQL and no schema.
 *
 * A request has a *shape* (names, operators, structure) and *operands* (the values that filters compare with,
 * limits and offsets). Everything from here to the compiled statement depends on the shape alone, so it is done
 * once per shape and isolate; operands are bound afterwards (see `shape.ts`).
 * @module
 */
import type { Media } from './media.ts'
import type { Preferences } from './parse-preferences.ts'

/** A value: bound later by its number, or part of the shape. */
export type Value =
  | { readonly kind: 'operand'; readonly index: number }
  | { readonly kind: 'constant'; readonly text: string }

/** A value's text, with the operands of the request at hand. */
export function textOf(value: Value, operands: readonly string[]): string {
  return value.kind === 'constant' ? value.text : (operands[value.index] as string)
}

export type Action = 'read' | 'insert' | 'update' | 'upsert' | 'delete'

export interface RestRequest {
  readonly action: Action
  readonly table: string
  /** Rows are found and counted, but the body stays empty. */
  readonly headersOnly: boolean
  readonly root: ResourceRequest
  readonly media: Media
  readonly preferences: Preferences
  /** Columns to write, when the client names them. */
  readonly columns: readonly string[] | null
  readonly onConflict: readonly string[] | null
  /** Embedded resources that have an alias and that filters, orders or limits call by their target's name, in that order. */
  readonly legacyNames: readonly (readonly [target: string, alias: string])[]
}

/** One resource: the table asked for, or one embedded in another. */
export interface ResourceRequest {
  readonly select: readonly SelectItem[]
  readonly where: readonly Condition[]
  readonly order: readonly OrderTerm[]
  readonly limit: Value | null
  readonly offset: Value | null
}

export type SelectItem = StarItem | FieldItem | EmbedItem

export interface StarItem {
  readonly kind: 'star'
}

export interface FieldItem {
  readonly kind: 'field'
  readonly field: Field | null
  readonly alias: string | null
  readonly cast: string | null
  readonly aggregate: Aggregate | null
}

export interface Aggregate {
  readonly name: AggregateName
  /** Cast of the aggregate's result. */
  readonly cast: string | null
}

export type AggregateName = 'count' | 'sum' | 'avg' | 'min' | 'max'

export interface EmbedItem {
  readonly kind: 'embed'
  readonly target: string
  readonly alias: string | null
  readonly hint: string | null
  readonly join: 'inner' | 'left' | null
  readonly spread: boolean
  readonly resource: ResourceRequest
}

/** A column, or a place inside a JSON column. */
export interface Field {
  readonly name: string
  readonly path: readonly JsonStep[]
}

export interface JsonStep {
  /** A key, or a position in an array (negative: from its end). */
  readonly at: string | number
  /** True for `->>`: as text; false for `->`: as JSON. */
  readonly asText: boolean
}

export type Condition = LogicCondition | FilterCondition

export interface LogicCondition {
  readonly kind: 'and' | 'or'
  readonly negated: boolean
  readonly terms: readonly Condition[]
}

export type Operator =
  | 'eq'
  | 'neq'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'like'
  | 'ilike'
  | 'match'
  | 'imatch'
  | 'in'
  | 'is'
  | 'isdistinct'
  | 'cs'
  | 'cd'
  | 'ov'
  | 'sl'
  | 'sr'
  | 'nxr'
  | 'nxl'
  | 'adj'
  | 'fts'
  | 'plfts'
  | 'phfts'
  | 'wfts'

export interface FilterCondition {
  readonly kind: 'filter'
  readonly field: Field
  readonly negated: boolean
  readonly operator: Operator
  readonly quantifier: 'any' | 'all' | null
  /** Language of a full-text operator. */
  readonly language: string | null
  readonly value: Value
}

export interface OrderTerm {
  /** Name of the embedded resource that the field belongs to. */
  readonly embed: string | null
  readonly field: Field
  readonly descending: boolean
  /** Where nulls go; null: last when ascending, first when descending, as PostgreSQL does. */
  readonly nulls: 'first' | 'last' | null
}
