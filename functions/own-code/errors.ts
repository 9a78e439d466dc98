/**
 * Errors of the app's own functions and routes.
 * @module
 */
import { AtollError, clip } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

/** What the app's own code is refused, and what is told of its failures. */
export const errors = {
  ...coreErrors,
  callsTooDeep: (max: number) =>
    new AtollError(508, 'CALL001', `Functions call each other more than ${max} deep`, {
      hint: 'A function calls itself through api, or two call each other.',
    }),
  stillReferred: (database: string) =>
    new AtollError(409, '23503', 'update or delete on a reference table violates a foreign key constraint', {
      details: `Rows on ${database} still refer to what is deleted.`,
    }),
  /** Of a transaction whose statements were tried before: they would no longer do what they did. */
  changedMeanwhile: (database: string, cause: unknown) =>
    new AtollError(409, 'SHARD016', `Others have changed meanwhile what the function found on ${database}`, {
      details: 'Nothing was committed there.',
      hint: 'Send the request again.',
      headers: { 'Retry-After': '1' },
      cause,
    }),
  notInTransaction: (details: string, statement: string | null = null) =>
    new AtollError(400, 'SHARD018', 'The function does what cannot be undone, as the request may need', {
      details: statement === null ? details : `${details} Statement: ${clip(statement)}`,
      hint: 'Call it without Prefer: tx=rollback, max-affected and Idempotency-Key, and take its answer as application/json.',
    }),
  /** @param what a command of SQL, or another thing that changes something */
  readOnly: (what: string) =>
    new AtollError(405, '25006', `cannot execute ${what} in a read-only transaction`, {
      hint: 'Functions that change something are called with POST, and do not say that they are stable.',
      headers: { Allow: 'OPTIONS, POST' },
    }),
  noHub: () =>
    new AtollError(501, 'REAL007', 'Messages need a Durable Object', {
      hint: 'Bind the class Realtime as REALTIME in wrangler.toml.',
    }),
  undoneTooLarge: () =>
    new AtollError(413, 'SHARD019', 'The function reads or writes more than can be undone', {
      hint: 'In a transaction that may be undone, each statement or batch may answer with up to 1,900,000 bytes.',
    }),
}
