/**
 * Errors of databases: where rows lie, whether they answer, what they refuse.
 * @module
 */
import { AtollError, clip } from './atoll-error.ts'

/** Whether a query was refused for what its caller and others have taken: who would have shared its answer asks themselves. */
export function isShareTaken(error: unknown): boolean {
  return error instanceof AtollError && error.body.code === 'BOUND020'
}

/** What databases are the reason of, for callers. */
export const errors = {
  tooWideToShow: (table: string, maxBytes: number) =>
    new AtollError(413, 'BOUND019', `A row of "${table}" would be too long to be shown`, {
      details: { bound: 'rowBytes', asked: null, allowed: maxBytes },
      hint: `As JSON, with its quotes and control characters escaped, a row may have ${maxBytes} bytes. Keep long values as files.`,
    }),
  tooManyAffected: (rows: number) =>
    new AtollError(400, 'PGRST124', 'Query result exceeds max-affected preference constraint', {
      details: `The query affects ${rows} rows`,
    }),
  notSingular: (rows: number) =>
    new AtollError(406, 'PGRST116', 'Cannot coerce the result to a single JSON object', {
      details: `The result contains ${rows} rows`,
    }),
  outOfRange: (type: string, value: string) =>
    new AtollError(400, '22003', `value "${clip(value)}" is out of range for type ${type}`),
  malformedJson: () =>
    new AtollError(400, '22P02', 'A value could not be read as the type asked for', {
      hint: 'A cast met text of another form, or a JSON column holds text that is not JSON.',
    }),
  idTooGreat: (table: string, column: string) =>
    new AtollError(400, '22003', `A value of "${table}"."${column}" leaves no number for the rows after it`, {
      hint: 'Keys that the database can number may be 9000000000000000000 at most.',
    }),
  foreignRange: (table: string, column: string) =>
    new AtollError(
      400,
      '22P02',
      `A range in the column "${column}" of "${table}" is not as PostgreSQL writes it`,
      {
        hint: 'Write it as the data API shows it, or by the column of the Drizzle schema, which does: [1,5), not [1,4].',
      },
    ),
  unreadableJson: (table: string) =>
    new AtollError(
      400,
      '22P02',
      `A row of "${table}" has a JSON column whose text is not JSON, or is nested too deep`,
      {
        hint: 'Such columns hold JSON of at most 900 levels: more could not be shown.',
      },
    ),
  tooComplex: (details: string) =>
    new AtollError(413, '54001', 'The request is too complex for the database', {
      details,
      hint: 'Ask for less in one request: fewer conditions, embeds or columns.',
    }),
  patternTooLong: (maxBytes: number) =>
    new AtollError(400, '54000', `LIKE patterns are limited to ${maxBytes} bytes`, {
      hint: 'Use a shorter pattern, or full-text search.',
    }),

  notMigrated: (database: string, migration: string | null = null) =>
    new AtollError(503, 'SHARD001', `The database ${database} is behind the schema`, {
      ...(migration === null ? {} : { details: `It lacks ${migration}.` }),
      hint: 'Run npm run db:migrate -- --remote where it is deployed (--env NAME for an environment), npm run db:migrate on your own machine.',
      headers: { 'Retry-After': '5' },
    }),
  /** The database has all migrations, and still lacks what the schema says. */
  notGenerated: (database: string, missing: string) =>
    new AtollError(503, 'SHARD013', `The schema says more than the migrations of ${database} have made`, {
      details: missing,
      hint: 'Run npm run db:generate, which writes the migration that is missing, and then npm run db:migrate.',
    }),
  databaseAhead: (database: string, missing: string) =>
    new AtollError(503, 'SHARD014', `The database ${database} is ahead of this version of the code`, {
      details: `${missing}; a later migration has taken it away.`,
      hint: 'Deploy the version of the code that goes with it.',
      headers: { 'Retry-After': '5' },
    }),
  rowsElsewhere: (database: string, table: string) =>
    new AtollError(503, 'SHARD015', `Rows of "${table}" lie elsewhere than this version of the code says`, {
      details: `The database ${database} has it noted otherwise.`,
      hint: 'npm run db:migrate says where its rows are; npm run shards -- convert brings them to where the code says.',
    }),
  overloaded: (database: string, cause: unknown) =>
    new AtollError(503, 'SHARD002', `The database ${database} cannot answer now`, {
      headers: { 'Retry-After': '1' },
      cause,
    }),
  /** @param limit what D1 says was used up: `CPU time` or `memory` */
  stopped: (database: string, limit: string, cause: unknown) =>
    new AtollError(503, 'SHARD002', `The database ${database} cannot answer now`, {
      details: `A query beyond its ${limit} limit made it start anew.`,
      hint: 'If it was this one, it will be so again: ask for less at once, or for what an index finds.',
      headers: { 'Retry-After': '1' },
      cause,
    }),
  tooSlow: (database: string, ms: number) =>
    new AtollError(503, 'SHARD002', `The database ${database} cannot answer now`, {
      details: `It took more than ${ms} milliseconds.`,
      headers: { 'Retry-After': '1' },
    }),
  /**
   * A write that may have been committed, or may be yet. It does not invite to send it again, unless it carries what makes that safe.
   *
   * @param cause its `details` are told
   */
  outcomeUnknown: (database: string, cause: unknown, rest: { keyed?: boolean; details?: unknown } = {}) =>
    new AtollError(503, 'SHARD025', `It is not known whether ${database} has committed the write`, {
      details: rest.details ?? (cause instanceof AtollError ? cause.body.details : null),
      hint: rest.keyed
        ? 'Send it again with the same Idempotency-Key: what was written is answered and not written again.'
        : 'Look whether it was done before you send it again. Writes to /rest/v1 may carry an Idempotency-Key header: then sending them again is safe.',
      headers: rest.keyed ? { 'Retry-After': '1' } : {},
      cause,
    }),
  /** Of what came before a write that therefore was not made. @param cause SHARD025 */
  notAnswered: (cause: AtollError) =>
    new AtollError(503, 'SHARD002', 'A database cannot answer now', {
      details: 'Nothing was written.',
      headers: { 'Retry-After': '1' },
      cause,
    }),
  /** Of a query that was slow before, or may be: it did not run. */
  shareTaken: (
    database: string,
    by: 'caller' | 'shape' | 'role' | 'running' | 'waiting',
    role: string,
    seconds: number,
  ) => {
    const messages = {
      caller: `Your slow queries have had their share of the time of ${database}`,
      shape: `Slow queries like this one have had their share of the time of ${database}`,
      role: `Slow queries of the role "${role}" have had their share of the time of ${database}`,
      running: `A query like this one has not come back from ${database} yet`,
      waiting: `Others that may be slow are under way on ${database} and have not made room`,
    }
    return new AtollError(503, 'BOUND020', messages[by], {
      details: 'It did not run. What is fast or cached is answered meanwhile.',
      hint: 'Ask for less, or by an index; databaseShare in functions/app/config.ts says how much a caller, a query and a role may take.',
      headers: { 'Retry-After': String(seconds) },
    })
  },
  tooManyStatements: (max: number) =>
    new AtollError(400, 'BOUND021', `The request would run more than ${max} statements`, {
      details: 'Those that it has not come to did not run.',
      hint: 'Divide it into several requests; maxStatementsPerRequest in functions/app/config.ts is the bound, and the platform has one of its own.',
    }),
  tooManyRowsRead: (max: number) =>
    new AtollError(400, 'BOUND022', `The request has had databases read more than ${max} rows`, {
      details: 'What it would have asked next did not run.',
      hint: 'Ask by an index; maxRowsReadPerRequest in functions/app/config.ts is the bound.',
    }),
  unknownShard: (name: string) =>
    new AtollError(503, 'SHARD003', `The shard map names ${name}, which this Worker has no binding for`, {
      hint: 'Deploy with the binding in wrangler.toml before slots move to it.',
      headers: { 'Retry-After': '5' },
    }),
  movedAgain: (databases: readonly string[]) =>
    new AtollError(503, 'SHARD004', 'Slots are moving; the request met them closed each time', {
      details: `Refused by ${databases.join(', ')}.`,
      headers: { 'Retry-After': '1' },
    }),
  ownersUnknown: (ranges: readonly string[]) =>
    new AtollError(503, 'SHARD026', 'Since a database was restored, nobody knows who owns these slots', {
      details: `Slots ${ranges.slice(0, 20).join(', ')}.`,
      hint: 'Two databases own them, or none: restore the one that went back to a moment after they moved. Questions to all shards wait for it, too.',
      headers: { 'Retry-After': '60' },
    }),
  valueTwice: (table: string, column: string, value: string) =>
    new AtollError(409, 'SHARD028', `Two rows of "${table}" have the same "${column}" since a restore`, {
      details: `Key (${column})=(${clip(value)}).`,
      hint: 'Find them by their distribution column, and change or delete one of the two.',
    }),
  distributionColumn: (table: string, column: string) =>
    new AtollError(400, 'SHARD006', `The distribution column "${column}" of "${table}" cannot be changed`, {
      hint: 'Delete the row and insert it anew.',
    }),
  notAcrossShards: (details: string) =>
    new AtollError(400, 'SHARD007', 'Not possible across shards', { details }),
  rowRetiring: (table: string) =>
    new AtollError(503, 'SHARD029', `A row of "${table}" that this one refers to is about to be deleted`, {
      hint: 'Ask again: in a moment it is gone, or stays.',
      headers: { 'Retry-After': '1' },
    }),
  /** @param id null when it is not known which */
  contradictingId: (table: string, id: string | null) =>
    new AtollError(409, 'SHARD009', `An id of "${table}" does not carry the slot of its row`, {
      ...(id === null ? {} : { details: `Key (${clip(id)}) leads to another place than the row's.` }),
      hint: "Leave the id out; in code of the app, take (await shards.of(value)).idFor(table.id). Tables whose ids come from elsewhere say ids: 'free' in db/app/tables.ts.",
    }),
  misplacedRow: (table: string) =>
    new AtollError(409, 'SHARD020', `A row of "${table}" was to be written where it does not lie`, {
      hint: 'Distributed rows are written by shards.of(their distribution value), all others by database; api finds the place by itself.',
    }),
  notReserved: (table: string, column: string) =>
    new AtollError(409, 'SHARD021', `A value of "${table}"."${column}" was not reserved`, {
      hint: 'It is unique over all shards: write it by api, or reserve it before, (await shards.of(value)).reserve(column, value).',
    }),
  keptTooLarge: (maxBytes: number) =>
    new AtollError(413, 'IDEM004', 'The answer is too large to be kept for an Idempotency-Key', {
      details: `At most ${maxBytes} bytes; nothing was written.`,
      hint: 'Send Prefer: return=minimal, or less at once; or leave the key out.',
    }),
  keysFull: (maxBytes: number) =>
    new AtollError(429, 'IDEM005', 'Too many Idempotency-Keys are kept for this caller', {
      details: `Their answers may have ${maxBytes} bytes on a database; nothing was written.`,
      hint: 'Keys are forgotten after their time. Send Prefer: return=minimal with keys, or leave them out.',
    }),
  internal: (cause: unknown) => new AtollError(500, 'XX000', 'Internal error', { cause }),
} as const
