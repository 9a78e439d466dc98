/**
 * Databases of the checkers: SQLite in memory, with the engine's own objects.
 * @module
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { systemObjects } from '../../db/system/system-objects.ts'

/** @param objects tables and triggers beside those of every database */
export function openMemory(objects: readonly string[]): DatabaseSync {
  const database = new DatabaseSync(':memory:')
  for (const statement of [...systemObjects, ...objects]) database.exec(statement)
  return database
}

const prepared = new WeakMap<DatabaseSync, Map<string, StatementSync>>()

/** A statement of a database; the engine's are long, and few. */
function prepare(database: DatabaseSync, text: string): StatementSync {
  const known = prepared.get(database) ?? new Map<string, StatementSync>()
  prepared.set(database, known)
  const statement = known.get(text) ?? database.prepare(text)
  known.set(text, statement)
  return statement
}

/** Runs statements as one transaction, as D1 runs a batch. @param textOf what is run in the place of a statement */
export function transact(
  database: DatabaseSync,
  statements: readonly BoundStatement[],
  textOf: (text: string) => string,
): Row[][] {
  database.exec('BEGIN')
  try {
    const results = statements.map(({ text, parameters }) => {
      const numbers = parameters.map((value) => (typeof value === 'number' ? BigInt(value) : value))
      return prepare(database, textOf(text)).all(...numbers) as Row[]
    })
    database.exec('COMMIT')
    return results
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
