/**
 * A migration as what it means: its statements, with tables that are made anew seen as such, in an order in which nothing is in the way.
 * @module
 */
import { quoteName } from '../quote.ts'
import { renamedTable } from './create-table.ts'
import type { Migration } from './migration.ts'
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
import { splitMigration } from './split-statements.ts'
import { foldName, mentions, sameName } from './sql-tokens.ts'
import { readStatement, type Statement, type StatementOf } from './statement.ts'

/** A table that is made anew under its own name: made under another, filled, and renamed when the old one is gone. */
export interface RebuildOperation {
  readonly kind: 'rebuild'
  readonly table: string
  /** CREATE TABLE under the final name. */
  readonly create: string
  readonly copy: StatementOf<'copy'>
  /** Unique indexes that are made of it afterwards: foreign keys may refer to them, so that they must be there before rows are. */
  readonly uniques: readonly StatementOf<'create-index'>[]
  /** The statement that fills it. */
  readonly sql: string
}

export type Operation = Statement | RebuildOperation

/** @param before the snapshot of the migration before, if there is one */
export function readMigration({ sql, snapshot }: Migration, before: Snapshot | null): Operation[] {
  const statements = withoutRedefined(splitMigration(sql).map(readStatement), snapshot, before)
    .filter(({ kind }) => kind !== 'nothing')
    .map((statement) => mended(statement, snapshot, before))
  return dropsLast(viewsFirst(withUniques(gathered(withRebuilds(statements)))))
}

/** What drops a column that is added again as another one, which drizzle-kit writes of generated columns: see `redefined`. */
function withoutRedefined(
  statements: readonly Statement[],
  snapshot: Snapshot | null,
  before: Snapshot | null,
): Statement[] {
  const isGenerated = ({ table, column, definition }: StatementOf<'add-column'>) =>
    /\bGENERATED\s+ALWAYS\b/i.test(definition) ||
    Object.values(tableIn(before, formerTable(snapshot, table))?.columns ?? {}).some(
      ({ name, generated }) => generated !== undefined && sameName(name, column),
    )
  return statements.filter(
    (statement) =>
      statement.kind !== 'drop-column' ||
      !statements.some(
        (other) =>
          other.kind === 'add-column' &&
          sameName(other.table, statement.table) &&
          sameName(other.column, statement.column) &&
          isGenerated(other),
      ),
  )
}

/** Where drizzle-kit is known to write something else than its own snapshot says. */
function mended(statement: Statement, snapshot: Snapshot | null, before: Snapshot | null): Statement {
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
function withReference(statement: StatementOf<'add-column'>, snapshot: Snapshot | null): Statement {
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

/** Puts what belongs to the making anew of one table into one operation, where its last part stood. */
function withRebuilds(statements: readonly Statement[]): Operation[] {
  let rest: Operation[] = [...statements]
  for (const renamed of statements) {
    if (renamed.kind !== 'rename-table') continue
    const own = rest.filter((other) => mentionsTable(other, renamed.table))
    const [create, copy, last] = own
    const drop = rest.find((other) => other.kind === 'drop-table' && sameName(other.table, renamed.to)) as
      | StatementOf<'drop-table'>
      | undefined
    if (
      own.length !== 3 ||
      create?.kind !== 'create-table' ||
      copy?.kind !== 'copy' ||
      last !== renamed ||
      !drop
    )
      continue
    if (!sameName(copy.table, renamed.table) || rest.indexOf(drop) < rest.indexOf(copy)) continue
    const rebuild: RebuildOperation = {
      kind: 'rebuild',
      table: renamed.to,
      create: renamedTable(create.sql, renamed.table, renamed.to),
      copy,
      uniques: [],
      sql: copy.sql,
    }
    rest = rest.flatMap((other): Operation[] => {
      if (other === copy) return [rebuild]
      return other === create || other === drop || other === renamed ? [] : [other]
    })
  }
  return rest
}

function mentionsTable(operation: Operation, table: string): boolean {
  return operation.kind !== 'rebuild' && mentions(operation.sql, table)
}

/** Tables that are made anew together, as their keys may change together: a later one goes to an earlier one when nothing stands between. */
function gathered(operations: readonly Operation[]): Operation[] {
  const done: Operation[] = []
  for (const operation of operations) {
    let at = done.length
    if (operation.kind === 'rebuild') {
      const isFree = (other: Operation) => other.kind !== 'rebuild' && !mentions(other.sql, operation.table)
      let before = done.length
      while (before > 0 && isFree(done[before - 1] as Operation)) before--
      if (before > 0 && done[before - 1]?.kind === 'rebuild' && operation.copy.from !== null) at = before
    }
    done.splice(at, 0, operation)
  }
  return done
}

/** Unique indexes of tables that are made anew are made along with them. */
function withUniques(operations: readonly Operation[]): Operation[] {
  const taken = new Set<Operation>()
  const done = operations.map((operation, i): Operation => {
    if (operation.kind !== 'rebuild') return operation
    const uniques = operations
      .slice(i + 1)
      .filter(
        (other): other is StatementOf<'create-index'> =>
          other.kind === 'create-index' && other.isUnique && sameName(other.table, operation.table),
      )
    for (const unique of uniques) taken.add(unique)
    return { ...operation, uniques }
  })
  return done.filter((operation) => !taken.has(operation))
}

/** Views that will be gone stand in no way of what changes under them. */
function viewsFirst(operations: readonly Operation[]): Operation[] {
  const isEarly = (operation: Operation, i: number) =>
    operation.kind === 'drop-view' &&
    !operations
      .slice(0, i)
      .some((other) => other.kind === 'create-view' && sameName(other.view, operation.view))
  return [...operations.filter(isEarly), ...operations.filter((operation, i) => !isEarly(operation, i))]
}

/** Tables go when nothing refers to them any more, unless the migration goes on to speak of them. */
function dropsLast(operations: readonly Operation[]): Operation[] {
  const isLate = (operation: Operation, i: number) =>
    operation.kind === 'drop-table' &&
    !operations
      .slice(i + 1)
      .some(
        (other) =>
          'table' in other &&
          other.kind !== 'drop-table' &&
          namesOf(other).includes(foldName(operation.table)),
      )
  return [...operations.filter((operation, i) => !isLate(operation, i)), ...operations.filter(isLate)]
}

function namesOf(operation: Operation): string[] {
  if (operation.kind === 'rename-table') return [foldName(operation.table), foldName(operation.to)]
  return 'table' in operation ? [foldName(operation.table)] : []
}
