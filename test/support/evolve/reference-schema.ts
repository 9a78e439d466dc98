/**
 * What a snapshot means, written as one statement for each table, index and view: what an empty database would get that had
 * never known another schema.
 * @module
 */
import { quoteName } from '../../../db/sql/quote.ts'
import type { Snapshot, SnapshotTable } from './drizzle-kit.ts'

const list = (names: readonly string[]) => names.map(quoteName).join(', ')

export function referenceStatements(snapshot: Snapshot): string[] {
  return [
    ...Object.values(snapshot.tables).map(createTable),
    ...Object.values(snapshot.tables).flatMap((table) => createIndexes(table, snapshot)),
    ...Object.values(snapshot.views).map(
      ({ name, definition }) => `CREATE VIEW ${quoteName(name)} AS ${definition}`,
    ),
  ]
}

function createTable(table: SnapshotTable): string {
  const columns = Object.values(table.columns).map((column) =>
    [
      quoteName(column.name),
      column.type,
      ...(column.primaryKey ? ['PRIMARY KEY'] : []),
      ...(column.autoincrement ? ['AUTOINCREMENT'] : []),
      ...(column.notNull ? ['NOT NULL'] : []),
      ...(column.default === undefined ? [] : [`DEFAULT ${column.default}`]),
      ...(column.generated
        ? [`GENERATED ALWAYS AS ${column.generated.as} ${column.generated.type.toUpperCase()}`]
        : []),
    ].join(' '),
  )
  const keys = Object.values(table.compositePrimaryKeys).map((key) => `PRIMARY KEY (${list(key.columns)})`)
  const foreignKeys = Object.values(table.foreignKeys).map(
    (key) =>
      `FOREIGN KEY (${list(key.columnsFrom)}) REFERENCES ${quoteName(key.tableTo)} (${list(key.columnsTo)}) ON UPDATE ${key.onUpdate ?? 'no action'} ON DELETE ${key.onDelete ?? 'no action'}`,
  )
  const checks = Object.values(table.checkConstraints).map(
    ({ name, value }) => `CONSTRAINT ${quoteName(name)} CHECK (${value})`,
  )
  return `CREATE TABLE ${quoteName(table.name)} (${[...columns, ...keys, ...foreignKeys, ...checks].join(', ')})`
}

function createIndexes(table: SnapshotTable, snapshot: Snapshot): string[] {
  return Object.values(table.indexes).map(({ name, columns, isUnique, where }) => {
    const marks = snapshot.internal?.indexes?.[name]?.columns
    const parts = columns.map((part) => (marks?.[part]?.isExpression ? part : quoteName(part)))
    return `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX ${quoteName(name)} ON ${quoteName(table.name)} (${parts.join(', ')})${where ? ` WHERE ${where}` : ''}`
  })
}
