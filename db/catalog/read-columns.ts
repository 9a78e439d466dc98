import { type Column as DrizzleColumn, getTableName, is, SQL } from 'drizzle-orm'
import { SQLiteColumn, SQLiteSyncDialect } from 'drizzle-orm/sqlite-core'
import { quoteName } from '../sql/quote.ts'
import { canonicalRange, isRangeKind } from '../values/ranges.ts'
import type { Column, ColumnDefault, ColumnType, ValueForm } from './catalog.ts'
import type { ColumnOptions, ComputedColumn } from './declarations.ts'
import { affinityOf, bigintForm, blobJsonForm, declaredForm, rangeForm, storedType } from './value-form.ts'

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
  SQLiteBlobJson: 'blob',
  SQLiteBigInt: 'blob',
}

const dialect = new SQLiteSyncDialect()

/** Text of a Drizzle SQL expression that has no parameters of its own, columns under their table's name. */
function sqlText(expression: SQL): string {
  return dialect.sqlToQuery(expression.inlineParams()).sql
}

/**
 * Reads one Drizzle column.
 *
 * @param options what the app says of it
 * @param passedOn the column that it is of a table, where a view shows it
 * @returns the column, or what is wrong with it and how to mend it
 */
export function readColumn(
  key: string,
  column: DrizzleColumn,
  keyColumns: readonly string[],
  options: ColumnOptions | undefined,
  passedOn: Column | null = null,
): Column | string {
  if (!is(column, SQLiteColumn)) return 'it is not a column of drizzle-orm/sqlite-core'
  const type = passedOn?.form ? passedOn.type : readType(column, options)
  if (type === null)
    return `its type ${column.columnType} cannot be served; use one of the column types that db/catalog/GUIDE.md lists`
  const form = readForm(column, options, passedOn)
  if (typeof form === 'string') return form
  const misprint = misprintOf(form, column.default)
  if (misprint !== null) return misprint
  const sqlType = column.getSQLType().toLowerCase()
  const isRowid = sqlType === 'integer' && keyColumns.length === 1 && keyColumns[0] === column.name
  const onUpdate = readOnUpdate(column)
  const length = /\((\d+)\)$/.exec(sqlType)
  return {
    name: column.name,
    key,
    comment: null,
    type,
    form,
    sqlType,
    nullable: !column.notNull && !keyColumns.includes(column.name),
    default: readDefault(column, isRowid, onUpdate),
    onUpdate,
    generated: column.generated !== undefined,
    values: column.enumValues?.length ? column.enumValues : null,
    maxLength: type === 'text' && form === null && length ? Number(length[1]) : null,
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
    form: null,
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

function readType(column: SQLiteColumn, options: ColumnOptions | undefined): ColumnType | null {
  if (column.columnType === 'SQLiteTimestamp') {
    return (column as SQLiteColumn & { mode: string }).mode === 'timestamp_ms' ? 'timestamp_ms' : 'timestamp'
  }
  if (column.columnType === 'SQLiteCustomColumn') {
    const sqlType = column.getSQLType().toLowerCase()
    if (isRangeKind(sqlType)) return 'text'
    return options === undefined ? affinityOf(sqlType) : storedType(options.json, sqlType)
  }
  return typeOfClass[column.columnType] ?? null
}

/** @returns its form, null when it needs none, or what is wrong with it and how to mend it */
function readForm(
  column: SQLiteColumn,
  options: ColumnOptions | undefined,
  passedOn: Column | null,
): ValueForm | string | null {
  const sqlType = column.getSQLType().toLowerCase()
  const toDriver = (value: unknown) => column.mapToDriverValue(value)
  if (options !== undefined) {
    const isCustom = column.columnType === 'SQLiteCustomColumn' && !isRangeKind(sqlType)
    if (!isCustom) return 'its JSON form is that of its type; take what `columns` says of it out'
    return declaredForm(options.json, sqlType, toDriver)
  }
  if (passedOn !== null) return passedOn.form
  if (column.columnType === 'SQLiteBigInt') return bigintForm(toDriver)
  if (column.columnType === 'SQLiteBlobJson') return blobJsonForm(toDriver)
  if (column.columnType !== 'SQLiteCustomColumn') return null
  if (isRangeKind(sqlType)) return rangeForm(sqlType, toDriver)
  return `nobody knows what the values of its customType ${sqlType} are in JSON; say it in tables.ts: columns: { …: { json: { type: 'text' } } }`
}

/** The database writes a default as it stands, and what is shown must find its row. */
function misprintOf(form: ValueForm | null, value: unknown): string | null {
  if (form?.range == null || typeof value !== 'string') return null
  try {
    const written = canonicalRange(form.range, value)
    return written === value ? null : `its default ${value} is written ${written}; write it so`
  } catch (error) {
    return `its default ${value} is no ${form.range}: ${(error as Error).message}; mend it`
  }
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
