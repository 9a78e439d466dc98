/**
 * A model as an app would write it: Drizzle tables and views, and their lines in `tables.ts`.
 * @module
 */
import { type SQL, sql } from 'drizzle-orm'
import {
  blob,
  check,
  foreignKey,
  index,
  integer,
  numeric,
  primaryKey,
  real,
  type SQLiteColumn,
  type SQLiteTable,
  type SQLiteView,
  sqliteTable,
  sqliteView,
  text,
  unique,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core'
import { buildCatalog } from '../../../db/catalog/build-catalog.ts'
import type { Catalog } from '../../../db/catalog/catalog.ts'
import { distributed, local, reference, type TableDeclaration } from '../../../db/define.ts'
import {
  type ColumnModel,
  columnOf,
  type Expression,
  type ForeignKeyModel,
  hasFreeKey,
  isExpression,
  type Model,
  type TableModel,
  tableOf,
  type ViewModel,
} from './model.ts'

/** A column being built, whatever its type. */
interface Builder {
  notNull(): Builder
  default(value: unknown): Builder
  unique(): Builder
  primaryKey(options?: { autoIncrement: boolean }): Builder
  generatedAlwaysAs(as: () => SQL, options: { mode: 'virtual' | 'stored' }): Builder
}

/** A built table, its columns at the keys `c<id>`. */
type Built = SQLiteTable & Readonly<Record<string, SQLiteColumn>>

export const keyOf = (column: number) => `c${column}`

export interface DrizzleSchema {
  /** What the app's schema.ts exports. */
  readonly exports: Record<string, unknown>
  readonly catalog: Catalog
}

/** @throws SchemaError when Atoll cannot serve it */
export function drizzleSchema(model: Model): DrizzleSchema {
  const built = new Map<number, Built>()
  for (const table of [...model.tables, ...model.ghosts]) built.set(table.id, buildTable(table, built))
  const views = model.views.map((view) => [`v${view.id}`, buildView(view, model, built)] as const)
  const declarations = Object.fromEntries(
    model.tables.flatMap((table) => {
      const declared = declare(table, built.get(table.id) as Built)
      return declared ? [[`t${table.id}`, declared]] : []
    }),
  )
  return {
    exports: {
      ...Object.fromEntries(model.tables.map(({ id }) => [`t${id}`, built.get(id)])),
      ...Object.fromEntries(views),
    },
    catalog: buildCatalog(declarations),
  }
}

function buildTable(table: TableModel, built: ReadonlyMap<number, Built>): Built {
  const self = () => built.get(table.id) as Built
  const columns = Object.fromEntries(
    table.columns.map((column) => [keyOf(column.id), buildColumn(column, table, self)]),
  )
  return sqliteTable(table.name, columns as never, () => {
    const at = (id: number) => self()[keyOf(id)] as SQLiteColumn
    return [
      ...(table.primaryKey.length > 1
        ? [primaryKey({ columns: table.primaryKey.map(at) as [SQLiteColumn, ...SQLiteColumn[]] })]
        : []),
      ...table.uniques.map(({ name, columns: own }) =>
        unique(name).on(...(own.map(at) as [SQLiteColumn, ...SQLiteColumn[]])),
      ),
      ...table.indexes.map(({ name, unique: isUnique, parts, where }) => {
        const on = parts.map((part) => (isExpression(part) ? written(part, table, at) : at(part)))
        const made = (isUnique ? uniqueIndex(name) : index(name)).on(...(on as [SQLiteColumn]))
        return where ? made.where(written(where, table, at)) : made
      }),
      ...table.checks.map(({ name, expression }) => check(name, written(expression, table, at))),
      ...table.foreignKeys.map((key) => buildForeignKey(key, at, built)),
    ]
  }) as unknown as Built
}

function buildForeignKey(
  { columns, parent, parentColumns, onDelete, onUpdate, name }: ForeignKeyModel,
  at: (id: number) => SQLiteColumn,
  built: ReadonlyMap<number, Built>,
) {
  const other = built.get(parent) as Built
  const key = foreignKey({
    ...(name === null ? {} : { name }),
    columns: columns.map(at) as [SQLiteColumn],
    foreignColumns: parentColumns.map((id) => other[keyOf(id)]) as [SQLiteColumn],
  })
  if (onDelete) key.onDelete(onDelete)
  if (onUpdate) key.onUpdate(onUpdate)
  return key
}

const builders: Readonly<Record<ColumnModel['kind'], (name: string) => unknown>> = {
  integer: (name) => integer(name),
  boolean: (name) => integer(name, { mode: 'boolean' }),
  timestamp: (name) => integer(name, { mode: 'timestamp' }),
  timestamp_ms: (name) => integer(name, { mode: 'timestamp_ms' }),
  real: (name) => real(name),
  text: (name) => text(name),
  varchar: (name) => text(name, { length: 400 }),
  enum: (name) => text(name, { enum: ['low', 'high', "it's"] }),
  json: (name) => text(name, { mode: 'json' }),
  numeric: (name) => numeric(name),
  numeric_number: (name) => numeric(name, { mode: 'number' }),
  numeric_bigint: (name) => numeric(name, { mode: 'bigint' }),
  blob: (name) => blob(name, { mode: 'buffer' }),
}

function buildColumn(column: ColumnModel, table: TableModel, self: () => Built): Builder {
  let builder = builders[column.kind](column.name) as Builder
  if (column.generated) {
    const { expression, mode } = column.generated
    builder = builder.generatedAlwaysAs(
      () => written(expression, table, (id) => self()[keyOf(id)] as SQLiteColumn),
      { mode },
    )
  }
  if (column.notNull) builder = builder.notNull()
  if (column.default?.kind === 'value') builder = builder.default(column.default.value)
  if (column.default?.kind === 'sql') builder = builder.default(sql.raw(column.default.text))
  if (column.unique) builder = builder.unique()
  if (table.primaryKey.length === 1 && table.primaryKey[0] === column.id) {
    builder = table.autoincrement ? builder.primaryKey({ autoIncrement: true }) : builder.primaryKey()
  }
  return builder
}

/** An expression with its columns as Drizzle's, so that they are written as drizzle-kit writes them. */
function written(
  { template, columns }: Expression,
  table: TableModel,
  at: (id: number) => SQLiteColumn,
): SQL {
  const parts = template.split(/(\{\w\})/).map((part) => {
    if (part === '{t}') return sql.raw(table.name.replaceAll(/\W/g, ''))
    const place = /^\{(\d)\}$/.exec(part)
    return place ? sql`${at(columns[Number(place[1])] as number)}` : sql.raw(part)
  })
  return sql.join(parts)
}

function buildView(view: ViewModel, model: Model, built: ReadonlyMap<number, Built>): SQLiteView {
  const table = tableOf(model, view.table)
  const own = built.get(view.table) as Built
  const at = (id: number) => own[keyOf(id)] as SQLiteColumn
  if (view.kind === 'builder') {
    return sqliteView(view.name).as((query) => {
      const fields = Object.fromEntries(view.columns.map((id) => [columnOf(table, id).name, at(id)]))
      const select = query.select(fields).from(own)
      return (view.where ? select.where(written(view.where, table, at)) : select) as never
    }) as unknown as SQLiteView
  }
  const list = sql.join(
    view.columns.map((id, i) => sql`${at(id)} AS ${sql.raw(`out_${i}`)}`),
    sql.raw(', '),
  )
  const where = view.where ? sql` WHERE ${written(view.where, table, at)}` : sql.raw('')
  return sqliteView(view.name, {}).as(sql`SELECT ${list} FROM ${own}${where}`) as unknown as SQLiteView
}

function declare(table: TableModel, built: Built): TableDeclaration | null {
  const { placement } = table
  if (placement.kind === 'undeclared') return null
  const [first] = table.columns
  const options = {
    searchable: table.searchable.map((id) => columnOf(table, id).name),
    searchConfig: table.searchConfig,
    logValues: table.logValues,
    ...(table.computed && first
      ? { computed: { worked_out: { type: 'text' as const, sql: sql`typeof(${built[keyOf(first.id)]})` } } }
      : {}),
  }
  if (placement.kind === 'local') return local(built, options)
  if (placement.kind === 'reference') return reference(built, options)
  return distributed(built, {
    by: keyOf(placement.by) as never,
    ...(hasFreeKey(table) ? { ids: 'free' as const } : {}),
    uniqueAcrossShards: table.uniqueAcrossShards.map(keyOf) as never,
    ...options,
  })
}
