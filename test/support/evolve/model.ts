/**
 * A schema as plain data. Tables and columns have numbers that stay when they are renamed, so that the oracle knows which
 * rows and values go on living; drizzle-kit sees the names only.
 * @module
 */

export type ColumnKind =
  | 'integer'
  | 'boolean'
  | 'timestamp'
  | 'timestamp_ms'
  | 'real'
  | 'text'
  | 'varchar'
  | 'enum'
  | 'json'
  | 'numeric'
  | 'numeric_number'
  | 'numeric_bigint'
  | 'blob'

/** SQL with `{0}`, `{1}` for columns, and `{t}` for the table's name as plain letters. */
export interface Expression {
  readonly template: string
  readonly columns: number[]
}

export type DefaultModel =
  | { readonly kind: 'value'; readonly value: string | number | boolean | object }
  | { readonly kind: 'sql'; readonly text: string }

export interface ColumnModel {
  readonly id: number
  name: string
  kind: ColumnKind
  notNull: boolean
  default: DefaultModel | null
  generated: { expression: Expression; mode: 'virtual' | 'stored' } | null
  /** Whether `.unique()` stands at the column itself. */
  unique: boolean
}

export interface IndexModel {
  name: string
  unique: boolean
  parts: (number | Expression)[]
  where: Expression | null
}

export const actions = ['no action', 'restrict', 'cascade', 'set null', 'set default'] as const
export type Action = (typeof actions)[number]

export interface ForeignKeyModel {
  columns: number[]
  parent: number
  parentColumns: number[]
  onDelete: Action | null
  onUpdate: Action | null
  /** A name of its own; null: the one that Drizzle makes. */
  name: string | null
}

/** Where rows lie; `undeclared`: not in tables.ts, so in `DB` like local ones. */
export type PlacementModel =
  | { kind: 'local' }
  | { kind: 'reference' }
  | { kind: 'undeclared' }
  | { kind: 'distributed'; by: number }

export interface TableModel {
  readonly id: number
  name: string
  columns: ColumnModel[]
  primaryKey: number[]
  autoincrement: boolean
  uniques: { name: string; columns: number[] }[]
  indexes: IndexModel[]
  checks: { name: string; expression: Expression }[]
  foreignKeys: ForeignKeyModel[]
  placement: PlacementModel
  searchable: number[]
  searchConfig: 'english' | 'simple'
  logValues: boolean
  computed: boolean
  uniqueAcrossShards: number[]
  /** Written by triggers of the app: steps leave its columns alone. */
  isLog: boolean
}

export interface ViewModel {
  readonly id: number
  name: string
  kind: 'builder' | 'sql'
  table: number
  columns: number[]
  where: Expression | null
}

/** A trigger that the app has made by a migration of its own: notes each change of a table in its log. */
export interface TriggerModel {
  name: string
  event: 'INSERT' | 'UPDATE' | 'DELETE'
  table: number
  log: number
  noteColumn: number
  /** A column whose value it notes; null: none. */
  reads: number | null
}

export interface Model {
  tables: TableModel[]
  /** Tables that schema.ts no longer exports, and to which foreign keys still lead. */
  ghosts: TableModel[]
  views: ViewModel[]
  triggers: TriggerModel[]
  nextId: number
}

export function tableOf(model: Model, id: number): TableModel {
  const table = model.tables.find((candidate) => candidate.id === id)
  if (!table) throw new Error(`no table ${id}`)
  return table
}

export function columnOf(table: TableModel, id: number): ColumnModel {
  const column = table.columns.find((candidate) => candidate.id === id)
  if (!column) throw new Error(`no column ${id} in ${table.name}`)
  return column
}

/** Columns that rows bring themselves. */
export function writtenColumns(table: TableModel): ColumnModel[] {
  return table.columns.filter(({ generated }) => generated === null)
}

export function isExpression(part: number | Expression): part is Expression {
  return typeof part !== 'number'
}

/** Expressions of a table that name a column. */
export function expressionsOf(table: TableModel): Expression[] {
  return [
    ...table.columns.flatMap(({ generated }) => (generated ? [generated.expression] : [])),
    ...table.checks.map(({ expression }) => expression),
    ...table.indexes.flatMap(({ parts, where }) => [
      ...parts.filter(isExpression),
      ...(where ? [where] : []),
    ]),
  ]
}

/** The keys that a foreign key can lead to. */
export function parentKeys(table: TableModel): number[][] {
  return [
    ...(table.primaryKey.length > 0 ? [table.primaryKey] : []),
    ...table.uniques.map(({ columns }) => columns),
    ...table.columns.filter(({ unique }) => unique).map(({ id }) => [id]),
  ]
}

/** Whether a default makes another value each time. */
export function isVolatile(column: ColumnModel): boolean {
  return column.default?.kind === 'sql' && /unixepoch|random|CURRENT/.test(column.default.text)
}

/** Whether rows of a distributed table have keys that say nothing of where they lie, and so are kept unique over all databases. */
export function hasFreeKey(table: TableModel): boolean {
  const [key, ...others] = table.primaryKey
  if (table.placement.kind !== 'distributed' || key === undefined || others.length > 0) return false
  const { kind } = columnOf(table, key)
  return key !== table.placement.by && (kind === 'integer' || kind === 'text')
}
