import { type Column as DrizzleColumn, getTableName, is, SQL } from 'drizzle-orm'
import { SQLiteColumn, SQLiteSyncDialect } from 'drizzle-orm/sqlite-core'
import { quoteName } from '../sql/quote.ts'
import type { Column, ColumnDefault, ColumnType } from './catalog.ts'
import type { ComputedColumn } from './declarations.ts'

/** Drizzle's class of a column, to how Atoll carries its values. */
const typeOfClass: Readonly<Record<string, ColumnType>> = {
  SQLiteInteger: 'integer',
  SQLiteBoolean: 'boolean',
  SQLiteReal: 'real',
  SQLiteNumeric: 'numeric',
  SQLiteNumericNumber: 'numeric',
  SQLiteNumericBigInt: 'numeric',
  SQLiteText: 'text',
  SQLiteTextJson: 'json',
  SQLiteBlobBuffer: 'blob',
}

const remedyOfClass: Readonly<Record<string, string>> = {
  SQLiteBigInt: "use integer(), which holds 64 bits, instead of blob({ mode: 'bigint' })",
  SQLiteBlobJson: "use text({ mode: 'json' }) instead of blob({ mode: 'json' })",
  SQLiteCustomColumn: 'use one of the column types of drizzle-orm/sqlite-core instead of customType()',
}

const dialect = new SQLiteSyncDialect()

/** Text of a Drizzle SQL expression that has no parameters of its own, columns under their table's name. */
function sqlText(expression: SQL): string {
  return dialect.sqlToQuery(expression.inlineParams()).sql
}

/**
 * Reads one Drizzle column.
 *
 * @returns the column, or what is wrong with it and how to mend it
 */
export function readColumn(
  key: string,
  column: DrizzleColumn,
  keyColumns: readonly string[],
): Column | string {
  if (!is(column, SQLiteColumn)) return 'it is not a column of drizzle-orm/sqlite-core'
  const type = readType(column)
  if (type === null) {
    const remedy = remedyOfClass[column.columnType] ?? 'use one of the column types that the README lists'
    return `its type ${column.columnType} cannot be served; ${remedy}`
  }
  const sqlType = column.getSQLType().toLowerCase()
  const isRowid = sqlType === 'integer' && keyColumns.length === 1 && keyColumns[0] === column.name
  const onUpdate = readOnUpdate(column)
  const length = /\((\d+)\)$/.exec(sqlType)
  return {
    name: column.name,
    key,
    comment: null,
    type,
    sqlType,
    nullable: !column.notNull && !keyColumns.includes(column.name),
    default: readDefault(column, isRowid, onUpdate),
    onUpdate,
    generated: column.generated !== undefined,
    values: column.enumValues?.length ? column.enumValues : null,
    maxLength: type === 'text' && length ? Number(length[1]) : null,
    expression: null,
  }
}

/** A column that is computed when it is read. */
export function computedColumn(name: string, { type, sql }: ComputedColumn): Column {
  return {
    name,
    key: name,
    comment: null,
    type,
    sqlType: type,
    nullable: true,
    default: null,
    onUpdate: null,
    generated: true,
    values: null,
    maxLength: null,
    expression: sqlText(sql),
  }
}

function readType(column: SQLiteColumn): ColumnType | null {
  if (column.columnType === 'SQLiteTimestamp') {
    return (column as SQLiteColumn & { mode: string }).mode === 'timestamp_ms' ? 'timestamp_ms' : 'timestamp'
  }
  return typeOfClass[column.columnType] ?? null
}

/** Whether it gives SQL is known when it is asked. */
function readOnUpdate({ onUpdateFn, table }: SQLiteColumn): Column['onUpdate'] {
  if (onUpdateFn === undefined) return null
  const made: unknown = (onUpdateFn as () => unknown)()
  if (!is(made, SQL)) return { kind: 'function', make: onUpdateFn as () => unknown }
  const text = sqlText(made)
  // Of what stands in the row before, a new row has nothing.
  return text.includes(`${quoteName(getTableName(table))}.`)
    ? { kind: 'sql', text }
    : { kind: 'sql', text, isOurs: true }
}

function readDefault(
  column: SQLiteColumn,
  isRowid: boolean,
  onUpdate: Column['onUpdate'],
): ColumnDefault | null {
  // As Drizzle has it: what has no default of its own begins with what an update would set.
  if (column.default === undefined && column.defaultFn === undefined && !isRowid && onUpdate !== null)
    return onUpdate.kind === 'function' || onUpdate.isOurs ? onUpdate : null
  if (column.defaultFn) return { kind: 'function', make: column.defaultFn as () => unknown }
  if (column.default === undefined) return isRowid ? { kind: 'rowid' } : null
  if (is(column.default, SQL)) return { kind: 'sql', text: sqlText(column.default) }
  return { kind: 'value', value: column.default as string | number | boolean | null | object }
}
