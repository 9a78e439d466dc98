/**
 * Writes whose outcome is not known: the answer did not come in time, the connection broke, or the error does not say whether the
 * transaction was committed. Everything else is known, and said as it is: what was refused before it ran, and what SQLite undid.
 * @module
 */
import { AtollError } from '../errors/atoll-error.ts'
import { rollbackPrefix } from '../errors/constraint-error.ts'
import { errors } from '../errors/errors.ts'
import type { BoundStatement } from '../sql/statement.ts'

/** Statements that are questions. */
const asking = /^\s*(?:select|explain|values|with\b(?![\s\S]*\b(?:insert|update|delete|replace)\b))/i
const pragma = /^\s*pragma/i

/** A guard row that is put in whatever happens, so that nothing of its batch is ever committed. */
const undoing = new RegExp(`^INSERT INTO _atoll_guard (?:VALUES \\(|SELECT )'${rollbackPrefix}`)

/** Whether a statement is a question alone. */
export function asks(text: string): boolean {
  return asking.test(text)
}

/** Whether a statement may change rows: one that only asks may be sent again. */
export function writes(text: string): boolean {
  return !asks(text) && !pragma.test(text)
}

/** Whether a batch leaves anything behind when it ends well. */
export function mayCommit(statements: readonly BoundStatement[]): boolean {
  return statements.some(({ text }) => writes(text)) && !statements.some(({ text }) => undoing.test(text))
}

/**
 * What D1 says of what it has not begun: refused by a full queue, no object found, or one that did not start.
 * Source: https://developers.cloudflare.com/d1/observability/debug-d1/
 */
const notBegun =
  /overloaded\. (?:Requests queued for too long|Too many requests queued)|Cannot resolve D1 DB|while starting up|D1_TYPE_ERROR|exceeded D1's/i

/** A transaction that SQLite has undone says so by its code; one that could not be written to the disk may have been. */
const undone = /SQLITE_(?!IOERR|CORRUPT|NOTADB|PROTOCOL)/

/**
 * Whether an error of a batch that writes leaves open what has become of it.
 *
 * @param error as D1 threw it
 * @param told what it was translated to
 */
export function leavesOpen(error: unknown, told: unknown): boolean {
  if (!(told instanceof AtollError) || !['SHARD002', 'XX000'].includes(told.body.code)) return false
  // Thrown here, before anything was sent.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) return false
  const message = error instanceof Error ? error.message : String(error)
  return !notBegun.test(message) && !undone.test(message)
}

/** Whether a write may have been committed though nobody knows. */
export function isUnknown(error: unknown): error is AtollError {
  return error instanceof AtollError && error.body.code === 'SHARD025'
}

/**
 * Work that comes before a write: should its outcome be unknown, it is known of the write itself that it was not made, and what was
 * prepared does no harm.
 */
export async function beforeWriting<Result>(work: Promise<Result>): Promise<Result> {
  return work.catch((error) => {
    throw isUnknown(error) ? errors.notAnswered(error) : error
  })
}
