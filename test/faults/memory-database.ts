/**
 * Databases of the checkers: SQLite in memory, with the engine's own objects.
 * @module
 */
import { DatabaseSync } from 'node:sqlite'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { systemObjects } from '../../db/system/system-objects.ts'

/** @param objects tables and triggers beside those of every database */
export function openMemory(objects: readonly string[]): DatabaseSync {
  const database = new DatabaseSync(':memory:')
  for (const statement of [...systemObjects, ...objects]) database.exec(statement)
  return database
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
      return database.prepare(textOf(text)).all(...numbers) as Row[]
    })
    database.exec('COMMIT')
    return results
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
