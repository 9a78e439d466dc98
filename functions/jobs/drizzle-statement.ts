/**
 * Drizzle's statements as text and parameters, for transactions that hold more than Drizzle's own.
 * @module
 */
import type { BatchItem } from 'drizzle-orm/batch'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'

/** What Drizzle's own batches are made of: `drizzle-orm/d1/session.js`. */
interface Prepared {
  getQuery(): { readonly sql: string; readonly params: readonly unknown[] }
  mapResult(result: unknown, isFromBatch: boolean): unknown
}

const prepare = (statement: BatchItem<'sqlite'>) =>
  (statement as unknown as { _prepare(): Prepared })._prepare()

/**
 * @param databases what was given out of where it is going to be run
 * @throws when it was made for another
 */
export function boundStatementOf(
  statement: BatchItem<'sqlite'>,
  databases: readonly DrizzleD1Database[],
): BoundStatement {
  const sessionOf = (one: unknown) => (one as { session?: object }).session
  const made = sessionOf(statement)
  if (made !== undefined && !databases.some((database) => sessionOf(database) === made)) {
    throw new Error('a statement was made by another database than the one that it is to be committed on')
  }
  const { sql, params } = prepare(statement).getQuery()
  return { text: sql, parameters: params as BoundStatement['parameters'] }
}

/** What Drizzle makes of the rows that a statement answered with. */
export function resultOf(statement: BatchItem<'sqlite'>, rows: readonly Row[]): unknown {
  return prepare(statement).mapResult({ success: true, results: rows, meta: {} }, true)
}
