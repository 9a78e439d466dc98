/**
 * The one catalogue of errors. `PGRST…` and SQLSTATE codes are PostgREST's and PostgreSQL's, with their wording,
 * because clients compare them; Atoll's own families are `SHARD`, `CACHE`, `JOB`, `STORE` and `PROXY`.
 * Source: https://docs.postgrest.org/en/latest/references/errors.html
 * @module
 */

export interface ErrorBody {
  readonly code: string
  readonly message: string
  readonly details: unknown
  readonly hint: string | null
}

/** An error that a caller is told: its status and body, and headers that belong to it. */
export class AtollError extends Error {
  readonly status: number
  readonly body: ErrorBody
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: string,
    message: string,
    rest: {
      details?: unknown
      hint?: string
      headers?: Readonly<Record<string, string>>
      cause?: unknown
    } = {},
  ) {
    super(message, { cause: rest.cause })
    this.name = 'AtollError'
    this.status = status
    this.body = { code, message, details: rest.details ?? null, hint: rest.hint ?? null }
    this.headers = rest.headers ?? {}
  }
}

const notEmbeddedHint = (name: string) => `Verify that '${name}' is included in the 'select' query parameter.`

export const errors = {
  // --- the request ---------------------------------------------------------------------------------------------
  unparsable: (what: string, text: string, column: number, details: string) =>
    new AtollError(400, 'PGRST100', `"failed to parse ${what} (${clip(text)})" (line 1, column ${column})`, {
      details,
    }),
  tooDeep: (what: string, maxDepth: number) =>
    new AtollError(400, 'PGRST100', `The ${what} is nested more than ${maxDepth} levels deep`),
  negativeLimit: () => rangeError('Limit should be greater than or equal to zero.'),
  rangeBackwards: () =>
    rangeError('The lower boundary must be lower than or equal to the upper boundary in the Range header.'),
  rangeBeyond: (offset: number, total: number) =>
    rangeError(`An offset of ${offset} was requested, but there are only ${total} rows.`, `*/${total}`),
  invalidNumber: (name: string, value: string) =>
    new AtollError(
      400,
      'PGRST100',
      `"failed to parse ${name} parameter (${clip(value)})" (line 1, column 1)`,
      {
        details: `unexpected "${clip(value, 20)}" expecting an integer`,
      },
    ),
  unknownSchema: (name: string) =>
    new AtollError(406, 'PGRST106', `Invalid schema: ${clip(name)}`, {
      hint: 'Only the schema public is exposed.',
    }),
  mediaType: (accept: string) =>
    new AtollError(406, 'PGRST107', `None of these media types are available: ${clip(accept)}`),
  notEmbedded: (name: string) =>
    new AtollError(400, 'PGRST108', `'${clip(name)}' is not an embedded resource in this request`, {
      hint: notEmbeddedHint(clip(name)),
    }),
  targetNameWithAlias: (name: string, alias: string) =>
    new AtollError(400, 'PGRST108', `'${name}' is not an embedded resource in this request`, {
      details: 'Target names are not allowed in filters if they have an alias',
      hint: `Change '${name}' to '${alias}' in filters, orders or limits.`,
    }),
  notSingular: (rows: number) =>
    new AtollError(406, 'PGRST116', 'Cannot coerce the result to a single JSON object', {
      details: `The result contains ${rows} rows`,
    }),
  method: (method: string) => new AtollError(405, 'PGRST117', `Unsupported HTTP method: ${clip(method)}`),
  orderToMany: (from: string, to: string) =>
    new AtollError(400, 'PGRST118', `A related order on '${to}' is not possible`, {
      details: `'${from}' and '${to}' do not form a many-to-one or one-to-one relationship`,
    }),
  embedOperator: (name: string) =>
    new AtollError(400, 'PGRST120', `Bad operator on the '${name}' embedded resource`, {
      details: 'Only is null or not is null filters are allowed on embedded resources',
    }),
  invalidPreferences: (names: readonly string[]) =>
    new AtollError(400, 'PGRST122', 'Invalid preferences given with handling=strict', {
      details: `Invalid preferences: ${names.map((name) => clip(name)).join(', ')}`,
    }),
  noAggregates: () => new AtollError(400, 'PGRST123', 'Use of aggregate functions is not allowed'),
  invalidPath: () => new AtollError(404, 'PGRST125', 'Invalid path specified in request URL'),
  noRoot: () => new AtollError(404, 'PGRST126', 'Root endpoint metadata is disabled'),
  notImplemented: (details: string) =>
    new AtollError(400, 'PGRST127', 'Feature not implemented', { details }),

  // --- the schema ----------------------------------------------------------------------------------------------
  noRelation: (from: string, to: string, hint: string | null, schema: string) =>
    new AtollError(
      400,
      'PGRST200',
      `Could not find a relationship between '${from}' and '${clip(to)}' in the schema cache`,
      {
        details:
          `Searched for a foreign key relationship between '${from}' and '${clip(to)}'` +
          `${hint === null ? '' : ` using the hint '${clip(hint)}'`} in the schema '${schema}', but no matches were found.`,
      },
    ),
  ambiguousRelation: (from: string, to: string, details: unknown, hints: readonly string[]) =>
    new AtollError(
      300,
      'PGRST201',
      `Could not embed because more than one relationship was found for '${from}' and '${to}'`,
      {
        details,
        hint:
          `Try changing '${to}' to one of the following: ${hints.map((hint) => `'${hint}'`).join(', ')}. ` +
          "Find the desired relationship in the 'details' key.",
      },
    ),
  noTable: (schema: string, table: string, nearest: string | null) =>
    new AtollError(
      404,
      'PGRST205',
      `Could not find the table '${schema}.${clip(table)}' in the schema cache`,
      {
        ...(nearest === null ? {} : { hint: `Perhaps you meant the table '${schema}.${nearest}'` }),
      },
    ),

  // --- who is calling ------------------------------------------------------------------------------------------
  unknownKey: () =>
    new AtollError(401, 'PGRST301', 'Unknown API key', {
      headers: { 'WWW-Authenticate': 'Bearer' },
      hint: 'Send the publishable or the secret key in the apikey header.',
    }),
  denied: (table: string, signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, '42501', `permission denied for table ${table}`, {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),

  // --- the data ------------------------------------------------------------------------------------------------
  undefinedColumn: (table: string, column: string) =>
    new AtollError(400, '42703', `column ${table}.${clip(column)} does not exist`),
  undefinedFunction: (message: string, hint?: string) =>
    new AtollError(404, '42883', message, hint === undefined ? {} : { hint }),
  unknownType: (name: string) => new AtollError(400, '42704', `type "${clip(name)}" does not exist`),
  invalidText: (type: string, value: string) =>
    new AtollError(400, '22P02', `invalid input syntax for type ${type}: "${clip(value)}"`),
  invalidEnum: (name: string, value: string) =>
    new AtollError(400, '22P02', `invalid input value for enum ${name}: "${clip(value)}"`),
  /** Neither PostgreSQL's text nor an SQL statement can hold one. */
  nullCharacter: () => new AtollError(400, '22021', 'invalid byte sequence for encoding "UTF8": 0x00'),
  malformedArray: (value: string) =>
    new AtollError(400, '22P02', `malformed array literal: "${clip(value)}"`, {
      details: 'Array value must start with "{" and end with "}".',
    }),
  outOfRange: (type: string, value: string) =>
    new AtollError(400, '22003', `value "${clip(value)}" is out of range for type ${type}`),
  malformedJson: () =>
    new AtollError(400, '22P02', 'A value could not be read as the type asked for', {
      hint: 'A cast met text of another form, or a JSON column holds text that is not JSON.',
    }),
  tooComplex: (details: string) =>
    new AtollError(413, '54001', 'The request is too complex for the database', {
      details,
      hint: 'Ask for less in one request: fewer conditions, embeds or columns.',
    }),
  patternTooLong: (maxBytes: number) =>
    new AtollError(400, '54000', `LIKE patterns are limited to ${maxBytes} bytes`, {
      hint: 'Use a shorter pattern, or full-text search.',
    }),

  // --- the databases -------------------------------------------------------------------------------------------
  notMigrated: (database: string) =>
    new AtollError(503, 'SHARD001', `The database ${database} is behind the schema`, {
      hint: 'Run npm run db:migrate.',
      headers: { 'Retry-After': '5' },
    }),
  overloaded: (database: string, cause: unknown) =>
    new AtollError(503, 'SHARD002', `The database ${database} cannot answer now`, {
      headers: { 'Retry-After': '1' },
      cause,
    }),
  internal: (cause: unknown) => new AtollError(500, 'XX000', 'Internal error', { cause }),
} as const

/** At most `max` characters of what a caller sent, so that errors stay small. */
function clip(text: string, max = 200): string {
  return text.length > max ? `${text.slice(0, max)}…` : text
}

function rangeError(details: string, contentRange?: string): AtollError {
  return new AtollError(416, 'PGRST103', 'Requested range not satisfiable', {
    details,
    headers: contentRange === undefined ? {} : { 'Content-Range': contentRange },
  })
}
