/**
 * Where drizzle-kit is known to write something else than its own snapshot says: the statements as they were meant.
 * @module
 */
import { quoteName } from '../sql/quote.ts'
import { foldName, sameName } from '../sql/sql-tokens.ts'
import type { Operation } from './operation.ts'
import { readTable } from './schema-model.ts'
import {
  columnText,
  foreignKeyOf,
  formerTable,
  indexNames,
  indexText,
  referenceText,
  type Snapshot,
  tableIn,
  tableText,
} from './snapshot.ts'
import type { StatementOf } from './statement.ts'

/** What drops a column that is added again as another one, which drizzle-kit writes of generated columns: see `redefined`. */
export function withoutRedefined(
  statements: readonly Operation[],
  snapshot: Snapshot | null,
  before: Snapshot | null,
): Operation[] {
  const isGenerated = ({ table, column, definition }: StatementOf<'add-column'>) =>
    /\bGENERATED\s+ALWAYS\b/i.test(definition) ||
    Object.values(tableIn(before, formerTable(snapshot, table))?.columns ?? {}).some(
      ({ name, generated }) => generated !== undefined && sameName(name, column),
    )
  const isSame = (drop: StatementOf<'drop-column'>, add: StatementOf<'add-column'>) =>
    sameName(add.table, drop.table) && sameName(add.column, drop.column) && isGenerated(add)
  const drops = statements.filter((statement) => statement.kind === 'drop-column')
  const adds = statements.filter((statement) => statement.kind === 'add-column')
  return statements.flatMap((statement): Operation[] => {
    if (statement.kind === 'drop-column') return adds.some((add) => isSame(statement, add)) ? [] : [statement]
    if (statement.kind !== 'add-column') return [statement]
    return [{ ...statement, redefines: drops.some((drop) => isSame(drop, statement)) }]
  })
}

/** A statement as it was meant. */
export function mended(statement: Operation, snapshot: Snapshot | null, before: Snapshot | null): Operation {
  if (statement.kind === 'create-index') {
    // Expressions come as quoted names when the index is made after a rebuild, and torn apart at their commas.
    const isOld = indexNames(before, statement.table).has(foldName(statement.index))
    const text = snapshot && indexText(snapshot, statement.table, statement.index)
    return text && (isOld || isDrizzle(statement.sql)) ? { ...statement, sql: text } : statement
  }
  if (statement.kind === 'add-column' && /\bREFERENCES\b/i.test(statement.definition))
    return withReference(statement, snapshot)
  if (statement.kind === 'create-table' && readTable(statement.sql) === null) {
    // A semicolon in a CHECK cuts the rest of the table off.
    const text = tableText(snapshot, statement.table.replace(/^__new_/, ''))
    const own =
      text && statement.table.startsWith('__new_')
        ? text.replace('CREATE TABLE "', 'CREATE TABLE "__new_')
        : text
    return own === null ? statement : { ...statement, sql: own }
  }
  return statement
}

/** The actions of an added column's foreign key are left out, and its parent's name is not quoted. */
function withReference(
  statement: Extract<Operation, { kind: 'add-column' }>,
  snapshot: Snapshot | null,
): Operation {
  const { table, column } = statement
  const key = foreignKeyOf(snapshot, table, column)
  const known = Object.values(tableIn(snapshot, table)?.columns ?? {}).find(({ name }) =>
    sameName(name, column),
  )
  if (!key || !known || /\bON\s+(?:DELETE|UPDATE)\b/i.test(statement.definition)) return statement
  // A key of several columns is a constraint of the table, and is added when all of them are there.
  const reference = key.columnsFrom.length === 1 ? ` ${referenceText(key)}` : ''
  const definition = `${columnText(known)}${reference}`
  return { ...statement, definition, sql: `ALTER TABLE ${quoteName(table)} ADD ${definition}` }
}

/** Whether CREATE INDEX is as drizzle-kit writes it, not by hand. */
const isDrizzle = (sql: string) => /^CREATE (?:UNIQUE )?INDEX `/.test(sql)
