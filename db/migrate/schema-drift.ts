/**
 * Whether the schema says more, or less, than its migrations have made: the Drizzle tables beside what drizzle-kit noted last.
 * @module
 */
import { is, SQL } from 'drizzle-orm'
import {
  getTableConfig,
  getViewConfig,
  type SQLiteColumn,
  SQLiteTable,
  SQLiteView,
} from 'drizzle-orm/sqlite-core'
import { MigrationError } from '../errors/migration-error.ts'
import type { Migration } from './migration.ts'
import type { Snapshot, SnapshotTable } from './snapshot.ts'

/** @throws MigrationError when `npm run db:generate` would write something */
export function checkGenerated(
  schema: Readonly<Record<string, unknown>>,
  migrations: readonly Migration[],
): void {
  const last = migrations.findLast(({ snapshot }) => snapshot !== null)
  if (migrations.length > 0 && !last) return
  const differences = differencesOf(schema, last?.snapshot ?? { tables: {} })
  if (differences.length === 0) return
  const more = differences.length > 5 ? [`and ${differences.length - 5} more`] : []
  throw new MigrationError(
    `db/app/schema.ts says what no migration makes: ${[...differences.slice(0, 5), ...more].join('; ')}`,
    { remedy: 'Write the migration: npm run db:generate' },
  )
}

/** What differs, each in a few words. Defaults, expressions and conditions are compared by whether they are there. */
export function differencesOf(schema: Readonly<Record<string, unknown>>, snapshot: Snapshot): string[] {
  const exported = [...new Set(Object.values(schema))]
  const tables = exported.filter((value): value is SQLiteTable => is(value, SQLiteTable))
  const views = exported.filter((value): value is SQLiteView => is(value, SQLiteView))
  const made = new Map(Object.values(snapshot.tables).map((table) => [table.name, table]))
  const names = new Set(tables.map((table) => getTableConfig(table).name))
  const viewsMade = Object.values(snapshot.views ?? {})
    .filter(({ isExisting }) => !isExisting)
    .map(({ name }) => name)
  const viewNames = views.map((view) => getViewConfig(view)).filter(({ isExisting }) => !isExisting)
  return [
    ...tables.flatMap((table) => tableDifferences(table, made)),
    ...[...made.keys()].filter((name) => !names.has(name)).map((name) => `the table ${name} is gone`),
    ...viewNames.filter(({ name }) => !viewsMade.includes(name)).map(({ name }) => `the view ${name} is new`),
    ...viewsMade
      .filter((name) => !viewNames.some((view) => view.name === name))
      .map((name) => `the view ${name} is gone`),
  ]
}

function tableDifferences(table: SQLiteTable, made: ReadonlyMap<string, SnapshotTable>): string[] {
  const config = getTableConfig(table)
  const known = made.get(config.name)
  if (!known) return [`the table ${config.name} is new`]
  const columns = new Map(Object.values(known.columns).map((column) => [column.name, column]))
  const now = new Set(config.columns.map(({ name }) => name))
  const found = config.columns.flatMap((column) => {
    const before = columns.get(column.name)
    if (!before) return [`the column ${config.name}.${column.name} is new`]
    return columnText(column) === noted(before)
      ? []
      : [`the column ${config.name}.${column.name} has changed`]
  })
  for (const name of columns.keys())
    if (!now.has(name)) found.push(`the column ${config.name}.${name} is gone`)
  if (keysOf(config) !== notedKeys(known)) found.push(`the foreign keys of ${config.name} have changed`)
  if (indexesOf(config) !== notedIndexes(known)) found.push(`the indexes of ${config.name} have changed`)
  const checks = config.checks.map(({ name }) => name).sort()
  const checksMade = Object.values(known.checkConstraints ?? {}).map(({ name }) => name)
  if (checks.join() !== checksMade.sort().join()) found.push(`the checks of ${config.name} have changed`)
  return found
}

function columnText(column: SQLiteColumn): string {
  const { default: fallback } = column
  return JSON.stringify([
    column.getSQLType(),
    column.notNull,
    column.primary,
    fallback !== undefined,
    is(fallback, SQL) || typeof fallback === 'object' ? null : (fallback ?? null),
    column.generated?.mode ?? null,
  ])
}

function noted({
  type,
  notNull,
  primaryKey,
  default: fallback,
  generated,
}: SnapshotTable['columns'][string]) {
  const text =
    typeof fallback === 'string' ? /^'(.*)'$/s.exec(fallback)?.[1]?.replaceAll("''", "'") : fallback
  const isPlain = text !== undefined && !(typeof text === 'string' && /^[[{"]/.test(text))
  return JSON.stringify([
    type,
    notNull,
    primaryKey ?? false,
    fallback !== undefined,
    isPlain ? text : null,
    generated?.type ?? null,
  ])
}

type TableConfig = ReturnType<typeof getTableConfig>

function keysOf({ foreignKeys, primaryKeys }: TableConfig): string {
  const keys = foreignKeys.map((key) => {
    const { columns, foreignColumns, foreignTable } = key.reference()
    const names = (list: readonly SQLiteColumn[]) => list.map(({ name }) => name).join()
    const parent = getTableConfig(foreignTable).name
    return keyText(names(columns), parent, names(foreignColumns), key.onUpdate, key.onDelete)
  })
  const composite = primaryKeys.map(({ columns }) => `key ${columns.map(({ name }) => name).join()}`)
  return [...keys, ...composite].sort().join('; ')
}

function notedKeys({ foreignKeys, compositePrimaryKeys = {} }: SnapshotTable): string {
  const keys = Object.values(foreignKeys).map((key) =>
    keyText(key.columnsFrom.join(), key.tableTo, key.columnsTo.join(), key.onUpdate, key.onDelete),
  )
  const composite = Object.values(compositePrimaryKeys).map(({ columns }) => `key ${columns.join()}`)
  return [...keys, ...composite].sort().join('; ')
}

function keyText(from: string, parent: string, to: string, onUpdate?: string, onDelete?: string): string {
  return [from, parent, to, onUpdate ?? 'no action', onDelete ?? 'no action'].join(' ')
}

function indexesOf({ name: table, indexes, columns, uniqueConstraints }: TableConfig): string {
  const texts = [
    ...columns
      .filter(({ isUnique }) => isUnique)
      .map((column) => indexText(column.uniqueName ?? `${table}_${column.name}_unique`, true, 1, false)),
    ...uniqueConstraints.map((unique) =>
      indexText(unique.getName() ?? '', true, unique.columns.length, false),
    ),
    ...indexes.map(({ config }) =>
      indexText(config.name, config.unique, config.columns.length, config.where !== undefined),
    ),
  ]
  return texts.sort().join('; ')
}

function notedIndexes({ indexes, uniqueConstraints = {} }: SnapshotTable): string {
  const texts = [
    ...Object.values(indexes).map(({ name, isUnique, columns, where }) =>
      indexText(name, isUnique, columns.length, where !== undefined),
    ),
    ...Object.values(uniqueConstraints).map(({ name, columns }) =>
      indexText(name, true, columns.length, false),
    ),
  ]
  return texts.sort().join('; ')
}

function indexText(name: string, isUnique: boolean, columns: number, isPartial: boolean): string {
  return [name, isUnique, columns, isPartial].join(' ')
}
