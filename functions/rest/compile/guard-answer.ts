/**
 * Statements that give up when their answer grows beyond its bounds, before it leaves the database: what an answer has is known only
 * while it is made, and to count it before would be to make it twice.
 * @module
 */

import { boundMark } from '../../../db/errors/constraint-error.ts'
import type { BoundStatement } from '../../../db/sql/statement.ts'

/** What a statement may answer with. */
export interface AnswerBounds {
  /** SQL of the columns to answer with, and of the bytes that a row has. */
  readonly columns: string
  readonly size: string
  readonly maxBytes: number
  readonly maxRows: number | null
}

/** Bytes that a row takes beside its texts. */
const rowOverhead = 8

/** @throws (when it is run) BoundError, of `answerBytes` or `mergedRows` */
export function guardAnswer(
  statement: BoundStatement,
  { columns, size, maxBytes, maxRows }: AnswerBounds,
): BoundStatement {
  const give = (bound: string) => `json_extract('{}','${boundMark}${bound}')`
  const rows = maxRows === null ? '' : ` WHEN _n > ${maxRows} THEN ${give('mergedRows')}`
  // A subquery without a limit might be read in another order than its own.
  const limited = `SELECT * FROM (${statement.text}) LIMIT -1`
  return {
    ...statement,
    text:
      `SELECT ${columns} FROM (SELECT *, sum(${size} + ${rowOverhead}) OVER w AS _s, row_number() OVER w AS _n FROM (${limited}) ` +
      `WINDOW w AS (ROWS UNBOUNDED PRECEDING)) WHERE CASE WHEN _s > ${maxBytes} THEN ${give('answerBytes')}${rows} ELSE 1 END`,
  }
}

/** The same for rows that are one text each, in the column `r`. @param added bytes that each may have besides */
export function guardRows(statement: BoundStatement, maxBytes: number, added = 0): BoundStatement {
  const size = added === 0 ? bytesOf(['r']) : `${bytesOf(['r'])}+${added}`
  return guardAnswer(statement, { columns: 'r', size, maxBytes, maxRows: null })
}

/** Bytes of columns that may be null. */
export function bytesOf(columns: readonly string[]): string {
  return columns.length === 0 ? '0' : columns.map((column) => `ifnull(octet_length(${column}),0)`).join('+')
}
