/**
 * What drizzle-kit notes beside each migration: the schema that the migration is to lead to. Its SQL does not always do so; where
 * it is known not to, the snapshot says what was meant.
 * @module
 */
import { quoteName } from '../sql/quote.ts'
import { foldName, sameName } from '../sql/sql-tokens.ts'

/** A part of `meta/NNNN_snapshot.json`, version 6. */
export interface Snapshot {
  readonly tables: Readonly<Record<string, SnapshotTable>>
  readonly views?: Readonly<Record<string, { readonly name: string; readonly isExisting?: boolean }>>
  /** What was renamed: `"old"` to `"new"`, and `"table"."old"` to `"table"."new"`, with the tables' new names. */
  readonly _meta?: {
    readonly tables?: Readonly<Record<string, string>>
    readonly columns?: Readonly<Record<string, string>>
  }
  readonly internal?: {
    readonly indexes?: Readonly<
      Record<
        string,
        { readonly columns: Readonly<Record<string, { readonly isExpression?: boolean }>> } | undefined
      >
    >
  }
}

export interface SnapshotTable {
  readonly name: string
  readonly columns: Readonly<Record<string, SnapshotColumn>>
  readonly indexes: Readonly<Record<string, SnapshotIndex>>
  readonly foreignKeys: Readonly<Record<string, SnapshotForeignKey>>
  readonly compositePrimaryKeys?: Readonly<Record<string, { readonly columns: readonly string[] }>>
  readonly uniqueConstraints?: Readonly<
    Record<string, { readonly name: string; readonly columns: readonly string[] }>
  >
  readonly checkConstraints?: Readonly<Record<string, { readonly name: string; readonly value: string }>>
}

export interface SnapshotColumn {
  readonly name: string
  readonly type: string
  readonly notNull: boolean
  readonly primaryKey?: boolean
  readonly autoincrement?: boolean
  readonly default?: string | number | boolean
  readonly generated?: { readonly as: string; readonly type: 'stored' | 'virtual' }
}

interface SnapshotIndex {
  readonly name: string
  readonly columns: readonly string[]
  readonly isUnique: boolean
  readonly where?: string
}

export interface SnapshotForeignKey {
  readonly tableTo: string
  readonly columnsFrom: readonly string[]
  readonly columnsTo: readonly string[]
  readonly onDelete?: string
  readonly onUpdate?: string
}

export function tableIn(snapshot: Snapshot | null, name: string): SnapshotTable | undefined {
  const tables = Object.values(snapshot?.tables ?? {})
  return tables.find((table) => sameName(table.name, name))
}

/** Folded names of a table's indexes. */
export function indexNames(snapshot: Snapshot | null, table: string): Set<string> {
  return new Set(Object.values(tableIn(snapshot, table)?.indexes ?? {}).map(({ name }) => foldName(name)))
}

/** CREATE INDEX as the snapshot has it; null when it does not know the index, or has no expression in it. */
export function indexText(snapshot: Snapshot | null, table: string, name: string): string | null {
  const known = Object.values(tableIn(snapshot, table)?.indexes ?? {}).find((index) =>
    sameName(index.name, name),
  )
  if (!known) return null
  const columns = Object.keys(tableIn(snapshot, table)?.columns ?? {})
  const notes = snapshot?.internal?.indexes?.[known.name]?.columns
  const isExpression = (text: string) =>
    notes?.[text]?.isExpression ?? !columns.some((column) => sameName(column, text))
  const where = known.where ? ` WHERE ${known.where}` : ''
  if (!known.columns.some(isExpression) && where === '') return null
  const listed = known.columns.map((text) => (isExpression(text) ? text : quoteName(text)))
  return `CREATE ${known.isUnique ? 'UNIQUE INDEX' : 'INDEX'} ${quoteName(known.name)} ON ${quoteName(table)} (${listed.join(', ')})${where}`
}

/** The first foreign key that a column is part of. */
export function foreignKeyOf(
  snapshot: Snapshot | null,
  table: string,
  column: string,
): SnapshotForeignKey | undefined {
  return Object.values(tableIn(snapshot, table)?.foreignKeys ?? {}).find(({ columnsFrom }) =>
    columnsFrom.some((name) => sameName(name, column)),
  )
}

/** What a table was called before, by what drizzle-kit was told. */
export function formerTable(snapshot: Snapshot | null, table: string): string {
  const [found] = Object.entries(snapshot?._meta?.tables ?? {}).filter(([, to]) => to === `"${table}"`)
  return found ? found[0].slice(1, -1) : table
}

/** What a column was called before, by what drizzle-kit was told. */
export function formerColumn(snapshot: Snapshot | null, table: string, column: string): string | null {
  const name = `"${table}"."${column}"`
  const [found] = Object.entries(snapshot?._meta?.columns ?? {}).filter(([, to]) => to === name)
  return found ? found[0].slice(`"${table}"."`.length, -1) : null
}

const listOf = (names: readonly string[]) => names.map(quoteName).join(', ')

/** `REFERENCES …` of a foreign key, with its actions. */
export function referenceText({ tableTo, columnsTo, onDelete, onUpdate }: SnapshotForeignKey): string {
  const action = (event: string, text: string | undefined) =>
    text && !/^no action$/i.test(text) ? ` ON ${event} ${text}` : ''
  return `REFERENCES ${quoteName(tableTo)}(${listOf(columnsTo)})${action('UPDATE', onUpdate)}${action('DELETE', onDelete)}`
}

export function foreignKeyText(key: SnapshotForeignKey): string {
  return `FOREIGN KEY (${listOf(key.columnsFrom)}) ${referenceText(key)}`
}

/** A column as it stands in CREATE TABLE. */
export function columnText(column: SnapshotColumn): string {
  const { name, type, notNull, primaryKey, autoincrement, default: fallback, generated } = column
  const parts = [
    quoteName(name),
    type,
    ...(primaryKey ? ['PRIMARY KEY'] : []),
    ...(autoincrement ? ['AUTOINCREMENT'] : []),
    ...(fallback === undefined ? [] : [`DEFAULT ${fallback}`]),
    ...(generated ? [`GENERATED ALWAYS AS ${generated.as} ${generated.type.toUpperCase()}`] : []),
    ...(notNull ? ['NOT NULL'] : []),
  ]
  return parts.join(' ')
}

/** CREATE TABLE of a table of the snapshot; null when it has none of the name. */
export function tableText(snapshot: Snapshot | null, name: string): string | null {
  const table = tableIn(snapshot, name)
  if (!table) return null
  const items = [
    ...Object.values(table.columns).map(columnText),
    ...Object.values(table.compositePrimaryKeys ?? {}).map(
      ({ columns }) => `PRIMARY KEY(${listOf(columns)})`,
    ),
    ...Object.values(table.foreignKeys).map(foreignKeyText),
    ...Object.values(table.uniqueConstraints ?? {}).map(
      (unique) => `CONSTRAINT ${quoteName(unique.name)} UNIQUE(${listOf(unique.columns)})`,
    ),
    ...Object.values(table.checkConstraints ?? {}).map(
      (check) => `CONSTRAINT ${quoteName(check.name)} CHECK(${check.value})`,
    ),
  ]
  return `CREATE TABLE ${quoteName(table.name)} (${items.map((item) => `\n\t${item}`).join(',')}\n)`
}
