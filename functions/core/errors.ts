/**
 * Errors that several areas raise.
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import { errors as dbErrors } from '../../db/errors/errors.ts'

/**
 * An error for the caller of an app's function or route: throw it.
 *
 * @example throw refuse(409, 'P0001', 'the order is closed')
 */
export function refuse(
  status: number,
  code: string,
  message: string,
  rest: { details?: unknown; hint?: string; headers?: Readonly<Record<string, string>> } = {},
) {
  return new AtollError(status, code, message, rest)
}

export const errors = {
  ...dbErrors,
  bodyTooLarge: (maxBytes: number) =>
    new AtollError(413, 'PGRST102', 'The body is too large', {
      details: `At most ${maxBytes} bytes are accepted.`,
    }),
  closedForTimeTravel: () =>
    new AtollError(503, 'BACKUP020', 'The databases are being put back in time', {
      hint: 'Send it again later.',
      headers: { 'Retry-After': '15' },
    }),
  invalidBody: (message: string) => new AtollError(400, 'PGRST102', message),
  invalidPath: () => new AtollError(404, 'PGRST125', 'Invalid path specified in request URL'),
  notNull: (table: string, column: string, details: string | null) =>
    new AtollError(
      400,
      '23502',
      `null value in column "${column}" of relation "${table}" violates not-null constraint`,
      {
        details,
      },
    ),
  notUnique: (constraint: string, details: string | null) =>
    new AtollError(409, '23505', `duplicate key value violates unique constraint "${constraint}"`, {
      details,
    }),
  noParent: (table: string, constraint: string, details: string | null) =>
    new AtollError(
      409,
      '23503',
      `insert or update on table "${table}" violates foreign key constraint "${constraint}"`,
      {
        details,
      },
    ),
  hasChildren: (table: string, constraint: string, child: string, details: string | null) =>
    new AtollError(
      409,
      '23503',
      `update or delete on table "${table}" violates foreign key constraint "${constraint}" on table "${child}"`,
      { details },
    ),
  /** @param table null: SQLite does not say which */
  foreignKey: (table: string | null) =>
    new AtollError(
      409,
      '23503',
      `a write${table === null ? '' : ` to table "${table}"`} violates a foreign key constraint`,
    ),
  /** @param table null: SQLite does not say which */
  checkFailed: (table: string | null, constraint: string) =>
    new AtollError(
      400,
      '23514',
      `new row${table === null ? '' : ` for relation "${table}"`} violates check constraint "${constraint}"`,
    ),
  /** @param database where the lookup of the value is, or the row that has it by its entry */
  notProvenUnique: (table: string, column: string, database: string, cause: unknown) =>
    new AtollError(503, 'SHARD027', `A value of "${table}"."${column}" cannot be proven unique now`, {
      details: `What is known of it lies on ${database}, which ${cause === null ? 'was restored and is being repaired' : 'does not answer'}.`,
      hint: 'Send it again later. Writes that leave the value as it is are not concerned.',
      headers: { 'Retry-After': '1' },
      cause: cause ?? undefined,
    }),
  valueContended: (table: string) =>
    new AtollError(503, 'SHARD012', `A unique value of "${table}" is being written by others`, {
      headers: { 'Retry-After': '1' },
    }),
  /** @param databases `committed` is null where it is not known */
  partlyCommitted: (
    databases: readonly {
      readonly database: string
      readonly committed: boolean | null
      readonly error: unknown
    }[],
  ) =>
    new AtollError(
      207,
      'SHARD023',
      'Some databases have committed what the function wrote, and others have not',
      {
        details: databases,
        hint: 'Each database is a transaction of its own. Compare what is there before the request is sent again.',
      },
    ),
  notCached: () =>
    new AtollError(504, 'CACHE001', 'The answer is not in the cache', {
      hint: 'Leave out Cache-Control: only-if-cached.',
    }),
  notFresh: () =>
    new AtollError(503, 'CACHE002', 'The write is committed, and others may be shown what was before it', {
      details:
        'Neither the cache store nor what watches over it could be told within the time that is given to them.',
      hint: 'Do not send it again: it stands. What is read becomes current when the cache store is reached again, or within a minute.',
    }),
  keyBusy: () =>
    new AtollError(409, 'IDEM002', 'A request with this Idempotency-Key is still under way', {
      hint: 'Send it again in a moment: then it is answered as that one was.',
      headers: { 'Retry-After': '1' },
    }),
  tooMuchPending: (maxBytes: number) =>
    new AtollError(503, 'BOUND030', 'More bytes are being worked on than fit at a time', {
      details: `At most ${maxBytes} bytes of bodies are worked on at a time, and each is worked on as a whole.`,
      hint: 'Send it again in a moment, or send smaller bodies.',
      headers: { 'Retry-After': '1' },
    }),
  bodyTooSlow: () =>
    new AtollError(408, 'BOUND031', 'The body came so slowly that others needed its room', {
      hint: 'Send it again, in smaller pieces.',
    }),
}
