/**
 * What an app declares of its tables: where their rows lie, who may do what with them, how answers made of them are kept.
 * @module
 */
import type { SQL } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { BaseSQLiteDatabase, SQLiteColumn, SQLiteTable, SQLiteView } from 'drizzle-orm/sqlite-core'
import { makeRoutedId, slotCount, slotOf } from '../slots/slots.ts'
import type { ColumnType, SearchConfig } from './catalog.ts'
import type { Access } from './policy.ts'
import type { JsonForm } from './value-form.ts'

/** A column that is worked out from others when it is asked for by name; `*` does not show it. */
export interface ComputedColumn {
  readonly type: ColumnType
  /** An expression over the table's columns, without parameters. */
  readonly sql: SQL
}

export interface CacheOptions {
  /** Longest time that an answer is kept, in seconds. Default 300. */
  readonly ttlSeconds?: number
  /**
   * How old an answer may be, in milliseconds: for so long it is served without asking whether it is current. Default 0.
   * Those who wrote the rows see what they have written in any case.
   */
  readonly maxStaleMs?: number
  /**
   * How long a reader may serve what was current when it began to ask, without asking again; writes of the table wait that long before they are
   * answered, so that nobody is shown the past. For what is read far more often than written. Default 0, in milliseconds.
   */
  readonly leaseMs?: number
}

/**
 * A way from a table to another that no foreign key says: by columns that are equal, or worked out of a row as a function over it would.
 *
 * @example { to: schema.tracks, where: sql`${schema.tracks.name} = ${schema.albums.title}` }
 * @example { to: schema.invoices, on: { id: 'customerId' }, orderBy: desc(schema.invoices.total), many: false }
 */
export interface DeclaredRelation {
  /** The table or view, or an alias of it, which it must be where both are one table; a function where it is declared further down. */
  readonly to: SQLiteTable | SQLiteView | (() => SQLiteTable | SQLiteView)
  /** Columns of this table, by their keys in Drizzle, and those of the other that are equal to them. */
  readonly on?: Readonly<Record<string, string>>
  /**
   * Which rows there belong to one here: a condition over the columns of both, without parameters. Its subqueries may read other
   * tables of tables.ts, under names of their own; of those, callers meet the rows that they may select.
   */
  readonly where?: SQL | undefined
  /** Which rows come first, where not all are taken; without subqueries. Default: by their key. */
  readonly orderBy?: SQL | SQLiteColumn | readonly (SQL | SQLiteColumn)[]
  /** Most rows for one here. Default: all; of `many: false`, one. */
  readonly limit?: number
  /** Whether there are several rows there for one here. Default true. */
  readonly many?: boolean
}

/** What an app says of a column beside its type. */
export interface ColumnOptions {
  /** How its values are shown and read; columns of a `customType` have none unless it is said. */
  readonly json: JsonForm
}

/** How a table is served, and to whom. */
export interface TableOptions<Row> {
  /** What it is, for descriptions of the API: a line, and what else there is to say behind it. */
  readonly comment?: string
  /** What its columns are, by their keys in the Drizzle table; computed ones by their names. */
  readonly comments?: Readonly<Record<string, string>>
  /**
   * Ways to other tables that are embedded by their names, as those of foreign keys are.
   *
   * @example relations: { sameCountry: { to: () => schema.customers, on: { country: 'country' } } }
   */
  readonly relations?: Readonly<Record<string, DeclaredRelation>>
  /**
   * Schemas that it is in, of those that `schemas` of `functions/app/config.ts` names: callers of others do not know of it. Its rights are the
   * same in all of them. Default: `public`, or the first one where there is no `public`. An empty list: none, it is for the app's own code.
   */
  readonly schemas?: readonly string[]
  /**
   * What callers of the API call it, so that tables of several schemas can have the same name there. Default: its name in SQL, which is
   * one for all of them.
   *
   * @example local(schema.personalUsers, { schemas: ['personal'], as: 'users' })
   */
  readonly as?: string
  /** Who may do what; nothing when left out. */
  readonly access?: Access<Row>
  /** Computed columns by name. */
  readonly computed?: Readonly<Record<string, ComputedColumn>>
  /**
   * Columns by their keys in the Drizzle table. What a view passes on of a table is as it is there.
   *
   * @example columns: { price: { json: { type: 'text', print: (cents) => sql`printf('%.2f', ${cents} / 100.0)`, parse: centsOf } } }
   */
  readonly columns?: Readonly<Record<string, ColumnOptions>>
  /** How answers made from its rows are kept; `false`: not at all. Default: kept, and served only while nothing has changed. */
  readonly cache?: CacheOptions | false
  /**
   * Whether jobs and webhooks that changes of its rows start are given the rows' values before and after. They are kept in the
   * change log until then. Default false: they are given keys and names of changed columns.
   */
  readonly logValues?: boolean
  /** SQL names of the text columns that full-text search finds; their index is kept by triggers. */
  readonly searchable?: readonly string[]
  /**
   * PostgreSQL's configuration that they are searched in. `english`: by the stems of words, without those that say nothing; `simple`: by the words
   * as they are, in lower case. Default `english`.
   */
  readonly searchConfig?: SearchConfig
}

export interface DistributedOptions<T extends SQLiteTable> extends TableOptions<T> {
  /** Key, in the Drizzle table, of the distribution column: its value picks the slot. */
  readonly by: Extract<keyof T['_']['columns'], string>
  /**
   * Whether the table's own key carries the slot of its row. `routed`: it does, so that one database is asked for it, and any other id
   * is refused; ids that are left out are made so. `free`: keys come from elsewhere; they are kept unique over all shards, and found,
   * by a lookup, which costs a write two calls more. Default: `routed` for integer keys and for those that `routedId` makes, `free` for
   * other texts and for keys with a `$defaultFn` of their own. Keys that hold the distribution column need neither.
   */
  readonly ids?: 'routed' | 'free'
  /**
   * Keys of unique columns whose values must be unique over all shards, and by which rows are found without asking every
   * shard. A write of such a value costs two calls more. Default none: unique columns are unique within a shard.
   */
  readonly uniqueAcrossShards?: readonly Extract<keyof T['_']['columns'], string>[]
}

/** Where a view's columns come from, when Drizzle cannot tell: `{ column: ['table', 'column'] }`, in SQL names. */
export type ColumnSources = Readonly<Record<string, readonly [table: string, column: string]>>

export interface ViewOptions<V> extends TableOptions<V> {
  /** Sources of the columns that the view passes on unchanged; embedding follows their foreign keys. */
  readonly sources?: ColumnSources
  /**
   * Operations that a migration of the app's has INSTEAD OF triggers for. What is shown of a written row is what was sent, before the trigger made
   * something of it. Views that are plain selections from one table need none.
   */
  readonly insteadOf?: readonly ('insert' | 'update' | 'delete')[]
}

/** One line of `defineTables`: a Drizzle table or view and how it is served. */
export type TableDeclaration =
  | { readonly kind: 'reference' | 'local'; readonly table: SQLiteTable; readonly options: AnyTableOptions }
  | {
      readonly kind: 'distributed'
      readonly table: SQLiteTable
      readonly options: AnyTableOptions
      readonly by: string
      readonly ids: 'routed' | 'free' | null
      readonly uniqueAcrossShards: readonly string[]
    }
  | { readonly kind: 'view'; readonly view: SQLiteView; readonly options: ViewOptions<never> }

/** Options of a table whose type is no longer known. */
export type AnyTableOptions = TableOptions<never>

/** What `db/app/tables.ts` serves, by the names that its code calls it by. */
export type TableDeclarations = Readonly<Record<string, TableDeclaration>>

/**
 * Names the tables that Atoll serves. A table that is not named here is not served.
 *
 * @example
 * export default defineTables({
 *   albums: reference(schema.albums, { access: { anon: { select: true } } }),
 *   invoices: distributed(schema.invoices, { by: 'customerId' }),
 * })
 */
export function defineTables<const D extends TableDeclarations>(declarations: D): D {
  return declarations
}

/**
 * A small, read-mostly table: the source of truth is in `DB`, and every shard has a copy.
 *
 * @example reference(schema.genres, { access: { anon: { select: true } } })
 */
export function reference<T extends SQLiteTable>(table: T, options: TableOptions<T> = {}): TableDeclaration {
  return { kind: 'reference', table, options }
}

/**
 * A table whose rows are spread over the shards by the value of one column.
 *
 * @example distributed(schema.customers, { by: 'id', uniqueAcrossShards: ['email'] })
 */
export function distributed<T extends SQLiteTable>(
  table: T,
  { by, ids, uniqueAcrossShards = [], ...options }: DistributedOptions<T>,
): TableDeclaration {
  return { kind: 'distributed', table, options, by, ids: ids ?? null, uniqueAcrossShards }
}

/**
 * A table that lives in `DB` only.
 *
 * @example local(schema.settings)
 */
export function local<T extends SQLiteTable>(table: T, options: TableOptions<T> = {}): TableDeclaration {
  return { kind: 'local', table, options }
}

/**
 * A view. Columns that it passes on from a table can be embedded along that table's foreign keys.
 *
 * @example view(schema.albumTitles, { access: { anon: { select: true } } })
 */
export function view<V extends SQLiteView>(drizzleView: V, options: ViewOptions<V> = {}): TableDeclaration {
  return { kind: 'view', view: drizzleView, options }
}

/**
 * A new routed id: text that begins with the slot of its row, so that the row is found by it alone. In rows that come by the
 * data API it carries the slot of the row's distribution value; the id of a row that is distributed by its id picks one. Drizzle does
 * not say which row it makes an id for: code of the app gives the id itself, `idFor(customerId)`.
 *
 * @example id: text('id').primaryKey().$defaultFn(routedId)
 */
export function routedId(): string {
  return makeRoutedId(Math.floor(Math.random() * slotCount))
}

/**
 * A routed id of text for a row with this distribution value.
 *
 * @example database.insert(orders).values({ id: idFor(customerId), customerId })
 */
export function idFor(value: string | number | bigint): string {
  return makeRoutedId(slotOf(String(value)))
}

/** A database that a seed fills with Drizzle. */
export type SeedDatabase = BaseSQLiteDatabase<'async', unknown>

/** Fills an empty database that has the app's migrations; what it leaves is copied to local D1. */
export type Seed = (database: SeedDatabase) => Promise<void>

/**
 * Rows for local development.
 *
 * @example export default defineSeed(async (database) => { await database.insert(genres).values({ name: 'Rock' }) })
 */
export function defineSeed(seed: Seed): Seed {
  return seed
}

/** What a seed of files works with. */
export interface FileSeedContext {
  /** `DB` first, then the shards; each has its part of the distributed rows. */
  readonly databases: readonly DrizzleD1Database[]
  put(bucket: string, name: string, body: Uint8Array | string, mime: string): Promise<void>
}

export type FileSeed = (context: FileSeedContext) => Promise<void>

/**
 * Files for local development, beside the rows that the seed has put in.
 *
 * @example export default defineFileSeed(({ put }) => put('covers', '1.png', bytes, 'image/png'))
 */
export function defineFileSeed(seed: FileSeed): FileSeed {
  return seed
}
