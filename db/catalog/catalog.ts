/**
 * The catalog's types: the schema as everything after it sees it. Built once per isolate by
 * `build-catalog.ts`; nothing else walks Drizzle objects. All names are SQL names.
 * @module
 */
import type { RangeKind } from '../values/range-bounds.ts'
import type { TableRights } from './grants.ts'
import type { UpdatableView } from './updatable-view.ts'

/** All that is served, whatever schemas it is in (`schemas.ts`). */
export interface Catalog {
  /** By SQL name. */
  readonly tables: ReadonlyMap<string, Table>
  /** Changes when anything in the catalog does; part of every key that outlives a request. */
  readonly fingerprint: string
}

/** A table or view that is served, with what is known of its rows. */
export interface Table {
  /** In SQL. */
  readonly name: string
  /** What callers of the API call it. */
  readonly shownName: string
  /** Schemas that it is in; null: nobody says. */
  readonly schemas: readonly string[] | null
  readonly kind: 'table' | 'view'
  /** What the app says of it; null: nothing. */
  readonly comment: string | null
  readonly columns: ReadonlyMap<string, Column>
  /** Column names; empty when there is none. */
  readonly primaryKey: readonly string[]
  /** Unique constraints and unique indexes, the primary key included. */
  readonly uniques: readonly UniqueKey[]
  /** Unique indexes of some of the rows only. */
  readonly partialUniques: readonly UniqueKey[]
  /** Columns whose values are unique over all shards, not on each of them alone; see `db/cluster/unique-values.ts`. */
  readonly uniqueAcrossShards: readonly string[]
  /**
   * What its key says of where a row lies: `routed`, it carries the slot; `free`, nothing, so that it is among `uniqueAcrossShards`; null:
   * it leads there by itself, or by nothing at all (keys of several columns).
   */
  readonly ids: 'routed' | 'free' | null
  /** How answers made from its rows are kept; null: not at all. */
  readonly cache: { readonly ttlMs: number; readonly maxStaleMs: number; readonly leaseMs: number } | null
  /** Whether the change log keeps the old and new values of its rows. */
  readonly logValues: boolean
  /** Relations that start here, in both directions of every foreign key and through join tables. */
  readonly relations: readonly Relation[]
  /** Ways that the app declares, without foreign keys: each is meant by its name alone, which is its `constraint`. */
  readonly declared: readonly Relation[]
  /** Foreign keys to tables that are not served. */
  readonly keysElsewhere: readonly ForeignKey[]
  readonly placement: Placement
  /** What each role may do; a role that is not there may do nothing. */
  readonly rights: TableRights
  /** The full-text index over its searchable columns, or null. */
  readonly search: SearchIndex | null
  /** Of a view, how its writes reach its table; null: they do not, or it is a table. */
  readonly updatable: UpdatableView | null
  /** Of a view, the operations that triggers of the app's carry out. */
  readonly insteadOf: readonly ('insert' | 'update' | 'delete')[]
}

/** How words are kept: by their stems and without those that say nothing, or as they are, in lower case. */
export const searchConfigs = ['english', 'simple'] as const
/** One of them. */
export type SearchConfig = (typeof searchConfigs)[number]

/** An FTS5 table that triggers keep in step with its table. */
export interface SearchIndex {
  readonly index: string
  /** A view of the index that tells where each word stands. */
  readonly places: string
  readonly config: SearchConfig
  /** The table that it indexes. */
  readonly of: string
  readonly columns: readonly string[]
}

/** A foreign key as the schema declares it; its parent need not be served. */
export interface ForeignKey {
  readonly constraint: string
  readonly columns: readonly string[]
  readonly parent: string
  readonly parentColumns: readonly string[]
}

/** A column that is served, stored or computed. */
export interface Column {
  readonly name: string
  /** The column's name in the Drizzle table. */
  readonly key: string
  /** What the app says of it; null: nothing. */
  readonly comment: string | null
  /** How its values are stored, and shown unless it has a form. */
  readonly type: ColumnType
  /** How its values are shown and read, where its type does not say it. */
  readonly form: ValueForm | null
  /** The declared SQL type, lower case. */
  readonly sqlType: string
  readonly nullable: boolean
  readonly default: ColumnDefault | null
  /** What an update that leaves it out sets it to: Drizzle's `$onUpdate`. */
  readonly onUpdate: Extract<ColumnDefault, { kind: 'sql' | 'function' }> | null
  /** Computed by the database: cannot be written. */
  readonly generated: boolean
  /** Allowed values, when the schema names them. */
  readonly values: readonly string[] | null
  /** Largest length in characters, when the schema names it. */
  readonly maxLength: number | null
  /** SQL of a computed column, with its columns under the table's own name; null for stored ones. */
  readonly expression: string | null
}

/**
 * How values travel between SQLite and JSON.
 *
 * | type | in SQLite | in JSON |
 * | --- | --- | --- |
 * | integer | INTEGER, 64 bit | number, all digits kept |
 * | real | REAL | number |
 * | numeric | NUMERIC | number |
 * | text | TEXT | string |
 * | boolean | 0 or 1 | true or false |
 * | json | JSON text | the value |
 * | timestamp | seconds since 1970 | ISO 8601 string, UTC |
 * | timestamp_ms | milliseconds since 1970 | ISO 8601 string, UTC |
 * | blob | BLOB | string, `\x` and hexadecimal digits, as PostgreSQL writes bytea |
 */
export type ColumnType =
  | 'integer'
  | 'real'
  | 'numeric'
  | 'text'
  | 'boolean'
  | 'json'
  | 'timestamp'
  | 'timestamp_ms'
  | 'blob'

/** What SQLite keeps of a value. */
export type StoredValue = string | number | bigint | boolean | Uint8Array

/** How values of a column are shown and read where its type does not say it. */
export interface ValueForm {
  readonly name: string
  /** What values are in JSON, and are described as. */
  readonly type: ColumnType
  readonly described: ColumnType
  /** Whether they are compared as JSON, and not as what is stored. */
  readonly isJson: boolean
  /** SQL of the value in JSON, the stored value being where the mark is; null: the stored value itself. */
  readonly print: string | null
  /** SQL of what values are ordered by, none of it null unless the value is; empty: the stored value itself. */
  readonly order: readonly string[]
  /** The stored value of a text; null: as `type` is read. */
  readonly parse: ((text: string) => StoredValue) | null
  /** The stored value of one that Drizzle has. */
  readonly toDriver: (value: unknown) => unknown
  readonly range: RangeKind | null
  /** Whether nobody knows what its SQL may do: declared by the app. */
  readonly isDeclared: boolean
  /** Of `parse`, so that the catalog's fingerprint changes with it. */
  readonly source: string
}

export type ColumnDefault =
  | { readonly kind: 'value'; readonly value: string | number | boolean | null | object }
  /** `isOurs`: the database does not know of it. */
  | { readonly kind: 'sql'; readonly text: string; readonly isOurs?: true }
  /** Made in JavaScript for each row by Drizzle's `$defaultFn`. */
  | { readonly kind: 'function'; readonly make: () => unknown }
  /** An INTEGER PRIMARY KEY that SQLite numbers. */
  | { readonly kind: 'rowid' }

export interface UniqueKey {
  readonly constraint: string
  readonly columns: readonly string[]
}

/** A pair of columns that are equal in a join: this table's, the other's. */
export type ColumnPair = readonly [here: string, there: string]

export type Cardinality = 'many-to-one' | 'one-to-many' | 'one-to-one' | 'many-to-many'

/** A way from one table to another, along a foreign key in either direction or through a table between them. */
export interface Relation {
  readonly cardinality: Cardinality
  readonly from: string
  readonly to: string
  readonly toIsView: boolean
  /** Name of the foreign key; of a many-to-many relation, the junction's first foreign key. */
  readonly constraint: string
  /** True when the foreign key is on this side. */
  readonly forward: boolean
  /** Whether no foreign key says it: its rows lie anywhere. */
  readonly isDeclared?: true
  /** Of a declared one, what else holds of its rows, beside that columns are equal; left out: nothing. */
  readonly rule?: RelationRule
  /** Join columns; of a many-to-many relation, empty. */
  readonly on: readonly ColumnPair[]
  readonly junction: Junction | null
}

/** Which rows a declared relation leads to. */
export interface RelationRule {
  /** SQL over both rows, which go by `hereMark` and `thereMark` in it; null: that columns are equal is all. */
  readonly condition: string | null
  /** How many rows are taken, and by what SQL they are sorted for that, in the same form; null: all. */
  readonly first: { readonly limit: number; readonly order: string | null } | null
  /** Tables that subqueries of the condition read. */
  readonly reads: readonly string[]
  /** Columns that the SQL reads, of the one table, of the other, and of those that it reads besides; more rather than fewer. */
  readonly columns: {
    readonly here: readonly string[]
    readonly there: readonly string[]
    readonly others: readonly (readonly [table: string, column: string])[]
  }
  /** Whether the condition may fail on what is in a row, rather than be true or not. */
  readonly canFail: boolean
}

/** The table between the two ends of a many-to-many relation. */
export interface Junction {
  readonly table: string
  readonly fromConstraint: string
  readonly toConstraint: string
  /** [column of the relation's start, column of the junction] */
  readonly from: readonly ColumnPair[]
  /** [column of the junction, column of the relation's end] */
  readonly to: readonly ColumnPair[]
}

/** Where rows lie: in `DB` alone, in `DB` with a copy on every shard, or on the shard of a value. */
export type Placement =
  | { readonly kind: 'local' }
  | { readonly kind: 'reference' }
  /** `group` names the tables that are co-located: same group, same slot for the same value. */
  | { readonly kind: 'distributed'; readonly by: string; readonly group: string }

/** True when a row on this side has at most one row on the other. */
export function isToOne(relation: Relation): boolean {
  return relation.cardinality === 'many-to-one' || relation.cardinality === 'one-to-one'
}

/** The columns that a table keeps, without those that are computed. */
export function storedColumns(table: Table): Column[] {
  return [...table.columns.values()].filter((column) => column.expression === null)
}

/** The columns that are written into a row: without those that the database works out. */
export function writtenColumns(table: Table): Column[] {
  return storedColumns(table).filter(({ generated }) => !generated)
}

/** Whether two keys are of the same columns, in whatever order. */
export function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((column) => b.includes(column))
}

/** The column that is a table's whole key; null for keys of several columns. */
export function keyColumn({ primaryKey, columns }: Pick<Table, 'primaryKey' | 'columns'>): Column | null {
  return primaryKey.length === 1 ? (columns.get(primaryKey[0] as string) ?? null) : null
}

/** Whether values of this type are JSON numbers. */
export function isNumeric(type: ColumnType): boolean {
  return type === 'integer' || type === 'real' || type === 'numeric'
}
