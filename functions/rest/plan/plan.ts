/**
 * What a request will do: resolved against the catalog and the caller's rights. Made by `plan-request.ts`,
 * consumed by `compile-read.ts` and `compile-write.ts`. Data only: nothing here does I/O or knows SQL text.
 *
 * `placement` and `policy` are required wherever rows of a table are touched, so that no statement can be
 * compiled without saying where it runs and which rows the caller may see.
 * @module
 */

import type {
  Column,
  ColumnPair,
  Placement,
  Relation,
  SearchIndex,
  Table,
} from '../../../db/catalog/catalog.ts'
import type { RowPolicy } from '../../access/area.ts'
import type { CastType } from '../ask/casts.ts'
import type { Media } from '../ask/media.ts'
import type { Preferences } from '../ask/parse-preferences.ts'
import type { AggregateName, JsonStep, Operator, RestRequest, Value } from '../ask/request.ts'
import type { ZonedColumn } from './zones.ts'

export interface ReadPlan {
  readonly kind: 'read'
  /** Which databases answer. */
  readonly route: RoutePlan
  /** Rows that lie elsewhere and are read first, in the order in which `gathered` counts them. */
  readonly gathers: readonly GatherPlan[]
  readonly root: ResourcePlan
  readonly media: Media
  readonly preferences: Preferences
  /** What the answer warns of: embedded resources with an alias that were called by their target's name. */
  readonly legacyNames: RestRequest['legacyNames']
  readonly headersOnly: boolean
  /** Largest number of rows in one answer. */
  readonly maxRows: number | null
}

/** Which databases hold the rows of a resource. */
export type RoutePlan =
  | { readonly kind: 'primary' }
  /** Those that own the slots of values that are known when the request is bound. */
  | { readonly kind: 'pinned'; readonly column: Column; readonly pin: Pin }
  /** Where the lookup table says that rows with a value lie. */
  | {
      readonly kind: 'lookup'
      readonly table: Table
      readonly column: Column
      readonly value: Value
      readonly list: boolean
    }
  | { readonly kind: 'everywhere' }

/** What gives a slot: an operand (or a list of them), which is a distribution value or a routed id, or a parameter of a policy. */
export type Pin =
  | {
      readonly kind: 'value'
      readonly value: Value
      readonly list: boolean
      /** The column of routed ids; null: it is a distribution value. */
      readonly id: Column | null
    }
  | { readonly kind: 'policy'; readonly name: string; readonly index: number; readonly list?: false }

/** Rows of one table that are read where they lie, to be bound to a statement that runs elsewhere. */
export interface GatherPlan {
  readonly table: Table
  readonly alias: string
  readonly policy: RowPolicy
  readonly where: readonly Predicate[]
  readonly route: RoutePlan
}

/** Where rows come from: their table; those that a function answers with; or a gather, by its number. */
export type RowSource = 'table' | 'rows' | { readonly gathered: number }

export type WriteAction = 'insert' | 'update' | 'upsert' | 'delete'

export interface WritePlan {
  readonly kind: 'write'
  readonly action: WriteAction
  /** Which databases hold the rows that an update or delete finds. */
  readonly route: RoutePlan
  /** The column of new rows that takes a number out of a sequence, when the databases may not number them. */
  readonly numbered: Column | null
  /** The rows that are written, and what is shown of them. Its alias is the table's own name: RETURNING knows no other. */
  readonly root: ResourcePlan
  /** Which rows the caller may change or delete; those that a merge finds, too. The root's policy holds it as well. */
  readonly policy: RowPolicy
  /** What rows must be like after the write. */
  readonly check: RowPolicy
  /** What they must be like, beside that, to be shown. */
  readonly shown: RowPolicy
  /** Foreign keys that the payload sets and that may not name every row. */
  readonly references: readonly ReferencePlan[]
  /** Of which written rows the primary key may be told in `Location`; null: of none. */
  readonly keyShown: RowPolicy | null
  /** What the key's columns are called there; of a view that does not show them, none. */
  readonly keyNames: readonly string[]
  /** What the payload sets, in its order. */
  readonly columns: readonly Column[]
  /** Columns that the client left out and Drizzle fills: of an update, by `$onUpdate`. */
  readonly filled: readonly Column[]
  /** Columns that a merge sets by `$onUpdate` where a row is there already. */
  readonly touched: readonly Column[]
  readonly conflict: ConflictPlan | null
  readonly media: Media
  readonly preferences: Preferences
  /** What the answer warns of: embedded resources with an alias that were called by their target's name. */
  readonly legacyNames: RestRequest['legacyNames']
}

/** A foreign key of written rows: it may name only those rows of the parent that the policy is for. */
export interface ReferencePlan {
  readonly constraint: string
  readonly parent: string
  readonly on: readonly ColumnPair[]
  readonly policy: RowPolicy
}

/** What becomes of a row that is there already. */
export interface ConflictPlan {
  /** Columns of the unique key that tells. */
  readonly key: readonly Column[]
  readonly resolution: 'merge' | 'ignore'
}

/** Rows of one table, and what is shown of each. */
export interface ResourcePlan {
  readonly table: Table
  /** Name of the table in the statement, as SQL: `_t0`, `_t1`, … or the table's own in quotes. */
  readonly alias: string
  /** Rows come from the table, or are bound to the statement. */
  readonly source: RowSource
  readonly placement: Placement
  /** Which of its rows count. */
  readonly policy: RowPolicy
  readonly output: readonly OutputItem[]
  readonly where: readonly Predicate[]
  readonly order: readonly OrderPlan[]
  readonly limit: Value | null
  readonly offset: Value | null
  /** Whether its rows are those that were found before, by their rowids: the first gathered list. */
  readonly picked?: boolean
  /** True when an output item, here or in a to-one spread, is an aggregate: rows are then grouped. */
  readonly aggregated: boolean
}

export type OutputItem = ColumnOutput | CountOutput | EmbedOutput | SpreadOutput

export interface ColumnOutput {
  readonly kind: 'column'
  readonly name: string
  readonly field: FieldPlan
  readonly cast: CastType | null
  readonly aggregate: { readonly name: AggregateName; readonly cast: CastType | null } | null
}

/** `count()` of rows. */
export interface CountOutput {
  readonly kind: 'count'
  readonly name: string
  readonly cast: CastType | null
}

/** An embedded resource under a name of its own; `hidden` when it selects nothing and only filters. */
export interface EmbedOutput {
  readonly kind: 'embed'
  readonly name: string
  readonly embed: EmbedPlan
  readonly hidden: boolean
}

/** An embedded resource whose columns appear among the parent's. */
export interface SpreadOutput {
  readonly kind: 'spread'
  readonly name: string
  readonly embed: EmbedPlan
}

export type Embedded = EmbedOutput | SpreadOutput

/** The output items that come of other resources. */
export function embedsOf(output: readonly OutputItem[]): Embedded[] {
  return output.filter((item) => item.kind === 'embed' || item.kind === 'spread')
}

export interface EmbedPlan {
  readonly relation: Relation
  readonly resource: ResourcePlan
  /** The join table of a many-to-many relation, with the caller's rights to its rows. */
  readonly junction: JunctionPlan | null
  /** Tables that the SQL of a declared relation reads, with the caller's rights to their rows. */
  readonly reads: readonly JunctionPlan[]
  /** True when parents without a match are left out. */
  readonly inner: boolean
}

export interface JunctionPlan {
  readonly table: Table
  readonly alias: string
  readonly source: RowSource
  readonly placement: Placement
  readonly policy: RowPolicy
}

/** A column of the resource named by `alias`, or a place inside its JSON. */
export interface FieldPlan {
  readonly table: string
  readonly alias: string
  readonly column: ZonedColumn
  readonly path: readonly JsonStep[]
  /** True when SQLite knows no type for it (a column of a view), so that comparisons must name theirs. */
  readonly untyped: boolean
  /** Which of the values that its column's form is ordered by. Default the first. */
  readonly part?: number
  /** The table's full-text index, when it has one. */
  readonly search: SearchIndex | null
}

export type Predicate = LogicPredicate | ComparePredicate | EmbedPredicate

export interface LogicPredicate {
  readonly kind: 'and' | 'or'
  readonly negated: boolean
  readonly terms: readonly Predicate[]
}

export interface ComparePredicate {
  readonly kind: 'compare'
  readonly field: FieldPlan
  readonly negated: boolean
  readonly operator: Operator
  readonly quantifier: 'any' | 'all' | null
  readonly language: string | null
  readonly value: Value
}

/** Whether an embedded resource has rows. */
export interface EmbedPredicate {
  readonly kind: 'embed'
  readonly embed: EmbedPlan
  readonly exists: boolean
}

export type OrderPlan = {
  /** The embedded resource that the field belongs to. */
  readonly embed: EmbedOutput | SpreadOutput | null
  readonly field: OrderField
  readonly descending: boolean
  readonly nulls: 'first' | 'last'
}

/** A field, or, under a spread, an output item by its name. */
export type OrderField = FieldPlan | { readonly output: ColumnOutput }
