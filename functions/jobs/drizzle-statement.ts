/**
 * Drizzle's statements as text and parameters, for transactions that hold more than Drizzle's own.
 * @module
 */
import type { BatchItem } from 'drizzle-orm/batch'
import type { BoundStatement, Row } from '../../db/cluster/cluster.ts'

/** What Drizzle's own batches are made of: `drizzle-orm/d1/session.js`. */
interface Prepared {
  getQuery(): { readonly sql: string; readonly params: readonly unknown[] }
  mapResult(result: unknown, isFromBatch: boolean): unknown
}

const prepare = (statement: BatchItem<'sqlite'>) =>
  (statement as unknown as { _prepare(): Prepared })._prepare()

export function boundStatementOf(statement: BatchItem<'sqlite'>): BoundStatement {
  const { sql, params } = prepare(statement).getQuery()
  return { text: sql, parameters: params as BoundStatement['parameters'] }
}

/** What Drizzle makes of the rows that a statement answered with. */
export function resultOf(statement: BatchItem<'sqlite'>, rows: readonly Row[]): unknown {
  return prepare(statement).mapResult({ success: true, results: rows, meta: {} }, true)
}
