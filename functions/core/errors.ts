/**
 * The one catalogue of errors. `PGRST…` and SQLSTATE codes are PostgREST's and PostgreSQL's, with their wording,
 * because clients compare them; Atoll's own families are `ACCESS`, `BOUND`, `CALL`, `SHARD`, `IDEM`, `CACHE`, `JOB`, `STORE`, `PROXY` and `MON`.
 * Source: https://docs.postgrest.org/en/latest/references/errors.html
 *
 * Longer than other files because it is one list: a code is looked for in one place.
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

/** Whether a query was refused for what its caller and others have taken: who would have shared its answer asks themselves. */
export function isShareTaken(error: unknown): boolean {
  return error instanceof AtollError && error.body.code === 'BOUND020'
}
const simpler = (hint: string) => ({ status: 400, remedy: hint })
const smaller = (hint: string) => ({ status: 413, remedy: hint })

/** The bounds of a role's budget: code, status, what is counted, and what to do instead. */
const bounds = {
  queryLength: {
    code: 'BOUND001',
    status: 414,
    what: 'characters in its query string',
    remedy: 'Send long lists in parts, or write a function that takes them in its body.',
  },
  embeds: {
    code: 'BOUND002',
    what: 'embedded resources',
    ...simpler('Ask for some of them in a request of their own.'),
  },
  toManyLevels: {
    code: 'BOUND003',
    what: 'levels of embeds of many rows',
    ...simpler('Ask for the inner levels in a request of their own, by the keys of the outer ones.'),
  },
  returns: {
    code: 'BOUND004',
    what: 'embeds of many rows that come back to a table on their way',
    ...simpler('Ask for the inner levels in a request of their own, by the keys of the outer ones.'),
  },
  subqueries: {
    code: 'BOUND005',
    what: 'questions for embedded rows, filters and order on them included',
    ...simpler('Leave out embeds, !inner, or filters and order on embedded resources.'),
  },
  columns: {
    code: 'BOUND006',
    what: 'columns and terms of order',
    ...simpler('Select fewer columns, or * for all of them.'),
  },
  filters: { code: 'BOUND007', what: 'filters', ...simpler('Use in.(…) instead of many conditions.') },
  logicLevels: {
    code: 'BOUND008',
    what: 'levels of and() and or()',
    ...simpler('Write conditions side by side instead of within each other.'),
  },
  operandLength: {
    code: 'BOUND009',
    what: 'characters in a value that a filter compares with',
    ...simpler('Compare with shorter values.'),
  },
  listItems: { code: 'BOUND010', what: 'elements in a list', ...simpler('Send the list in parts.') },
  jsonLevels: {
    code: 'BOUND011',
    what: 'levels in a JSON value that a filter compares with',
    ...simpler('Filter by a path into the column: data->a->>b=eq.…'),
  },
  elements: {
    code: 'BOUND012',
    what: 'values in an array or JSON value that a filter compares with',
    ...simpler('Use in.(…) for lists of values, or compare with smaller ones.'),
  },
  answerBytes: {
    code: 'BOUND013',
    what: 'bytes in its answer',
    ...smaller('Ask for fewer rows at once, by limit or Range, or select fewer columns.'),
  },
  offset: {
    code: 'BOUND014',
    what: 'rows to pass over',
    ...simpler('Page by the key instead: order=id&id=gt.<the last id of the page before>.'),
  },
  mergedRows: {
    code: 'BOUND015',
    what: 'rows or groups to bring together from several databases',
    ...smaller('Filter by the distribution column, ask for fewer groups, or give a limit.'),
  },
  bodyRows: { code: 'BOUND016', what: 'rows in its body', ...smaller('Send them in parts.') },
  bodyValues: { code: 'BOUND017', what: 'values in its body', ...smaller('Send it in parts.') },
  bodyBytes: {
    code: 'BOUND018',
    what: 'bytes in its body',
    ...smaller('Send it in parts, or long values as files.'),
  },
} as const

/** Name of a bound, as `budgets` has it. */
export type BoundName = keyof typeof bounds

const notEmbeddedHint = (name: string) => `Verify that '${name}' is included in the 'select' query parameter.`

/**
 * An error for the caller of an app's function or route: throw it.
 *
 * @example throw refuse(409, 'P0001', 'the order is closed')
 */
export function refuse(
  status: number,
  code: string,
  message: string,
  rest: { details?: unknown; hint?: string } = {},
) {
  return new AtollError(status, code, message, rest)
}

/** 42501: to those who have not signed in, as a question who they are. */
function refusal(signedIn: boolean, message: string): AtollError {
  return new AtollError(signedIn ? 403 : 401, '42501', message, {
    headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
  })
}

export const errors = {
  // --- the request ---------------------------------------------------------------------------------------------
  unparsable: (what: string, text: string, column: number, details: string) =>
    new AtollError(400, 'PGRST100', `"failed to parse ${what} (${clip(text)})" (line 1, column ${column})`, {
      details,
    }),
  tooDeep: (what: string, maxDepth: number) =>
    new AtollError(400, 'PGRST100', `The ${what} is nested more than ${maxDepth} levels deep`),
  rpcMethod: (method: string) =>
    new AtollError(405, 'PGRST101', `Cannot use the ${clip(method)} method on RPC`),
  invalidBody: (message: string) => new AtollError(400, 'PGRST102', message),
  contentType: (type: string) =>
    new AtollError(415, 'PGRST102', `Content-Type not acceptable: ${clip(type)}`),
  bodyTooLarge: (maxBytes: number) =>
    new AtollError(413, 'PGRST102', 'The body is too large', {
      details: `At most ${maxBytes} bytes are accepted.`,
    }),
  /** A request asks for more than its role's budget has (`functions/rest/ask/budget.ts`). @param asked null: more, by how much is not known */
  beyondBudget: (bound: BoundName, asked: number | null, allowed: number, hint?: string) => {
    const { code, status, what, remedy } = bounds[bound]
    const more = asked === null ? `more than ${allowed}` : String(asked)
    return new AtollError(status, code, `The request has ${more} ${what}; ${allowed} are allowed`, {
      details: { bound, asked, allowed },
      hint: hint ?? remedy,
    })
  },
  tooWideToShow: (table: string, maxBytes: number) =>
    new AtollError(413, 'BOUND019', `A row of "${table}" would be too long to be shown`, {
      details: { bound: 'rowBytes', asked: null, allowed: maxBytes },
      hint: `As JSON, with its quotes and control characters escaped, a row may have ${maxBytes} bytes. Keep long values as files.`,
    }),
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
  notOnlyKeyFilters: () =>
    new AtollError(
      405,
      'PGRST105',
      "Filters must include all and only primary key columns with 'eq' operators",
    ),
  rangeOnPut: () =>
    new AtollError(400, 'PGRST114', 'limit/offset querystring parameters are not allowed for PUT'),
  keyMismatch: () =>
    new AtollError(400, 'PGRST115', 'Payload values do not match URL in primary key column(s)'),
  limitWithoutOrder: () =>
    new AtollError(400, 'PGRST109', "A 'limit' was applied without an explicit 'order'", {
      hint: "Apply an 'order' using unique column(s)",
    }),
  tooManyAffected: (rows: number) =>
    new AtollError(400, 'PGRST124', 'Query result exceeds max-affected preference constraint', {
      details: `The query affects ${rows} rows`,
    }),
  rollbackTooLarge: () =>
    new AtollError(413, 'PGRST102', 'The body is too large for a write that is undone', {
      hint: 'Prefer: tx=rollback takes up to 1,900,000 bytes of rows.',
    }),
  unknownSchema: (name: string, exposed: string) =>
    new AtollError(406, 'PGRST106', `Invalid schema: ${clip(name)}`, {
      hint: `Only the following schemas are exposed: ${exposed}`,
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
  maxAffectedOfOne: () =>
    new AtollError(
      400,
      'PGRST128',
      'Function must return SETOF or TABLE when max-affected preference is used with handling=strict',
    ),
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
  noColumn: (column: string, table: string) =>
    new AtollError(
      400,
      'PGRST204',
      `Could not find the '${clip(column)}' column of '${table}' in the schema cache`,
    ),
  noFunction: (message: string, details: string | null, hint: string | null) =>
    new AtollError(404, 'PGRST202', message, { details, ...(hint === null ? {} : { hint }) }),
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
  noTokenSecret: () =>
    new AtollError(500, 'PGRST300', 'Server lacks JWT secret', { hint: 'Set the secret ATOLL_JWT_SECRET.' }),
  unknownKey: () => unauthorized('PGRST301', 'Unknown API key', null),
  badToken: (message: string, details: string | null = null) => unauthorized('PGRST301', message, details),
  noSuitableKey: () =>
    unauthorized(
      'PGRST301',
      'No suitable key or wrong key type',
      'None of the keys was able to decode the JWT',
    ),
  badClaims: (message: string) => unauthorized('PGRST303', message, null),
  tooManyRequests: (seconds: number) =>
    new AtollError(429, 'ACCESS001', 'Too many requests', {
      hint: `Ask again in ${seconds} seconds.`,
      headers: { 'Retry-After': String(seconds) },
    }),
  noKeySet: (cause: unknown) =>
    new AtollError(503, 'ACCESS002', 'The keys that tokens are signed with cannot be fetched', {
      headers: { 'Retry-After': '5' },
      cause,
    }),
  noAnonymous: () =>
    new AtollError(401, 'PGRST302', 'Anonymous access is disabled', {
      headers: { 'WWW-Authenticate': 'Bearer' },
    }),
  denied: (table: string, signedIn: boolean) => refusal(signedIn, `permission denied for table ${table}`),
  deniedColumn: (table: string, column: string, signedIn: boolean) =>
    refusal(signedIn, `permission denied for column ${column} of table ${table}`),
  deniedRow: (table: string, signedIn: boolean) =>
    refusal(signedIn, `new row violates row-level security policy for table "${table}"`),
  deniedFunction: (name: string, signedIn: boolean) =>
    refusal(signedIn, `permission denied for function ${name}`),

  // --- the app's own functions ---------------------------------------------------------------------------------
  callsTooDeep: (max: number) =>
    new AtollError(508, 'CALL001', `Functions call each other more than ${max} deep`, {
      hint: 'A function calls itself through api, or two call each other.',
    }),
  responseHeader: (name: string, cause: unknown) =>
    new AtollError(500, 'PGRST111', `response.headers: "${clip(name)}" is no header, or its value is none`, {
      cause,
    }),
  responseStatus: (status: unknown) =>
    new AtollError(500, 'PGRST112', 'response.status must be a status code from 200 to 599', {
      details: `It is ${clip(String(status))}.`,
    }),

  // --- the data ------------------------------------------------------------------------------------------------
  invalidArguments: (
    name: string,
    issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
  ) =>
    new AtollError(400, '22023', `invalid arguments of function ${name}`, {
      details: issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; '),
    }),
  undefinedColumn: (table: string, column: string) =>
    new AtollError(400, '42703', `column ${table}.${clip(column)} does not exist`),
  undefinedFunction: (message: string, hint?: string) =>
    new AtollError(404, '42883', message, hint === undefined ? {} : { hint }),
  unknownType: (name: string) => new AtollError(400, '42704', `type "${clip(name)}" does not exist`),
  invalidText: (type: string, value: string) =>
    new AtollError(400, '22P02', `invalid input syntax for type ${type}: "${clip(value)}"`),
  invalidEnum: (name: string, value: string) =>
    new AtollError(400, '22P02', `invalid input value for enum ${name}: "${clip(value)}"`),
  regex: (expression: string) =>
    new AtollError(400, 'PGRST127', 'Feature not implemented', {
      details: `The regular expression "${clip(expression)}" cannot be answered by this database.`,
      hint: 'It knows literals, ., .*, [classes], \\d and \\w, ^ and $ at the ends, and | between alternatives.',
    }),
  notSearchable: (table: string, column: string) =>
    new AtollError(400, 'PGRST127', 'Feature not implemented', {
      details: `The column ${column} of ${table} is not declared searchable.`,
      hint: "Name it in the table's searchable option in tables.ts.",
    }),
  searchLanguage: (language: string) =>
    new AtollError(400, '42704', `text search configuration "${clip(language)}" does not exist`, {
      hint: 'There are english and simple.',
    }),
  searchSyntax: (query: string) => new AtollError(400, '42601', `syntax error in tsquery: "${clip(query)}"`),
  /** Neither PostgreSQL's text nor an SQL statement can hold one. */
  nullCharacter: () => new AtollError(400, '22021', 'invalid byte sequence for encoding "UTF8": 0x00'),
  loneSurrogate: () => new AtollError(400, '22021', 'invalid Unicode: half of a surrogate pair'),
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
  idTooGreat: (table: string, column: string) =>
    new AtollError(400, '22003', `A value of "${table}"."${column}" leaves no number for the rows after it`, {
      hint: 'Keys that the database can number may be 9000000000000000000 at most.',
    }),
  unreadableJson: (table: string) =>
    new AtollError(
      400,
      '22P02',
      `A row of "${table}" has a JSON column whose text is not JSON, or is nested too deep`,
      {
        hint: 'Such columns hold JSON of at most 900 levels: more could not be shown.',
      },
    ),
  tooLong: (max: number) => new AtollError(400, '22001', `value too long for type character varying(${max})`),
  generatedColumn: (column: string) =>
    new AtollError(400, '428C9', `cannot insert a non-DEFAULT value into column "${column}"`, {
      details: `Column "${column}" is a generated column.`,
    }),
  noConflictTarget: () =>
    new AtollError(
      400,
      '42P10',
      'there is no unique or exclusion constraint matching the ON CONFLICT specification',
    ),
  notWritable: (view: string) =>
    new AtollError(405, '55000', `cannot write to view "${view}"`, {
      hint: 'Write to the tables that it shows.',
    }),
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
  notMigrated: (database: string, migration: string | null = null) =>
    new AtollError(503, 'SHARD001', `The database ${database} is behind the schema`, {
      ...(migration === null ? {} : { details: `It lacks ${migration}.` }),
      hint: 'Run npm run db:migrate; with -- --remote where it is deployed.',
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
      hint: 'Declare the table in db/app/tables.ts as it was; npm run db:migrate says where its rows are, and takes the change over when it hides none.',
    }),
  overloaded: (database: string, cause: unknown) =>
    new AtollError(503, 'SHARD002', `The database ${database} cannot answer now`, {
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
  /** @param database where the lookup of the value is, or the row that has it by its entry */
  notProvenUnique: (table: string, column: string, database: string, cause: unknown) =>
    new AtollError(503, 'SHARD027', `A value of "${table}"."${column}" cannot be proven unique now`, {
      details: `What is known of it lies on ${database}, which ${cause === null ? 'was restored and is being repaired' : 'does not answer'}.`,
      hint: 'Send it again later. Writes that leave the value as it is are not concerned.',
      headers: { 'Retry-After': '1' },
      cause: cause ?? undefined,
    }),
  valueTwice: (table: string, column: string, value: string) =>
    new AtollError(409, 'SHARD028', `Two rows of "${table}" have the same "${column}" since a restore`, {
      details: `Key (${column})=(${clip(value)}).`,
      hint: 'Find them by their distribution column, and change or delete one of the two.',
    }),
  severalShards: (shards: number) =>
    new AtollError(400, 'SHARD005', `The write touches ${shards} shards and cannot be atomic`, {
      hint: 'Filter by the distribution column, or send Prefer: atomicity=shard to have each shard commit by itself.',
    }),
  distributionColumn: (table: string, column: string) =>
    new AtollError(400, 'SHARD006', `The distribution column "${column}" of "${table}" cannot be changed`, {
      hint: 'Delete the row and insert it anew.',
    }),
  notAcrossShards: (details: string) =>
    new AtollError(400, 'SHARD007', 'Not possible across shards', { details }),
  tooManyToGather: (table: string, max: number) =>
    new AtollError(413, 'SHARD008', `Too many rows of "${table}" would have to be brought together`, {
      details: `They lie on other databases; at most ${max} of them, and 1,900,000 bytes, can be.`,
      hint: 'Filter the embedded resource, or ask for it by itself.',
    }),
  /** @param shards `written` is null where it is not known, and `outcome` says so */
  partlyWritten: (
    shards: readonly {
      readonly shard: string
      readonly outcome?: 'unknown'
      readonly written: number | null
      readonly error: unknown
    }[],
    keyed: boolean,
  ) =>
    new AtollError(207, 'SHARD010', 'Some shards have written their part and others have not', {
      details: shards,
      hint: keyed
        ? 'Send it again with the same Idempotency-Key: parts that are written are answered and not written again.'
        : shards.some(({ outcome }) => outcome === 'unknown')
          ? 'Send the rows of the shards that failed again; of those that are unknown, look first whether they are there. With an Idempotency-Key header, sending all of it again is safe.'
          : 'Send the rows of the shards that failed again.',
    }),
  badSession: () =>
    new AtollError(400, 'SHARD011', 'The session token is none of this project', {
      hint: 'Send what the last answer said in Atoll-Session, or new.',
    }),
  valueContended: (table: string) =>
    new AtollError(503, 'SHARD012', `A unique value of "${table}" is being written by others`, {
      headers: { 'Retry-After': '1' },
    }),
  stillReferred: (database: string) =>
    new AtollError(409, '23503', 'update or delete on a reference table violates a foreign key constraint', {
      details: `Rows on ${database} still refer to what is deleted.`,
    }),
  rowRetiring: (table: string) =>
    new AtollError(503, 'SHARD029', `A row of "${table}" that this one refers to is about to be deleted`, {
      hint: 'Ask again: in a moment it is gone, or stays.',
      headers: { 'Retry-After': '1' },
    }),
  copiesBehind: (database: string) =>
    new AtollError(
      503,
      'SHARD024',
      `The copies of reference tables on ${database} are behind what the session has seen`,
      {
        headers: { 'Retry-After': '1' },
      },
    ),
  rowsChanging: (table: string) =>
    new AtollError(503, 'SHARD022', `Rows of "${table}" that were found for the write changed each time`, {
      headers: { 'Retry-After': '1' },
    }),
  /** Of a transaction whose statements were tried before: they would no longer do what they did. */
  changedMeanwhile: (database: string, cause: unknown) =>
    new AtollError(409, 'SHARD016', `Others have changed meanwhile what the function found on ${database}`, {
      details: 'Nothing was committed there.',
      hint: 'Send the request again.',
      headers: { 'Retry-After': '1' },
      cause,
    }),
  notUndoable: (name: string) =>
    new AtollError(400, 'SHARD017', `What the function ${name} does cannot be undone`, {
      hint: 'Call it without Prefer: tx=rollback, max-affected and Idempotency-Key, and take its answer as application/json.',
    }),
  notInTransaction: (details: string, statement: string | null = null) =>
    new AtollError(400, 'SHARD018', 'The function does what cannot be undone, as the request may need', {
      details: statement === null ? details : `${details} Statement: ${clip(statement)}`,
      hint: 'Call it without Prefer: tx=rollback, max-affected and Idempotency-Key, and take its answer as application/json.',
    }),
  undoneTooLarge: () =>
    new AtollError(413, 'SHARD019', 'The function reads or writes more than can be undone', {
      hint: 'In a transaction that may be undone, each statement or batch may answer with up to 1,900,000 bytes.',
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
  badKey: (maxLength: number) =>
    new AtollError(400, 'IDEM001', 'The Idempotency-Key is none', {
      details: `It is 1 to ${maxLength} visible ASCII characters, in double quotes (RFC 9651) or without.`,
      hint: 'Take a new UUID for each write, and the same one when the write is sent again.',
    }),
  keyBusy: () =>
    new AtollError(409, 'IDEM002', 'A request with this Idempotency-Key is still under way', {
      hint: 'Send it again in a moment: then it is answered as that one was.',
      headers: { 'Retry-After': '1' },
    }),
  keyReused: () =>
    new AtollError(422, 'IDEM003', 'The Idempotency-Key was sent before with another request', {
      hint: 'A key stands for one request: method, address, headers that say how to answer, and body. Take a new key for another one.',
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
  notKeyed: (name: string) =>
    new AtollError(400, 'IDEM006', `The function ${name} takes no Idempotency-Key`, {
      details: 'What it does cannot be undone, and so cannot be committed together with its answer.',
      hint: 'Leave the key out.',
    }),
  unknownJob: (name: string) =>
    new AtollError(404, 'JOB001', `There is no job "${clip(name)}"`, {
      hint: 'Jobs are those that functions/app/jobs/index.ts names.',
    }),
  invalidJobInput: (name: string, issues: readonly unknown[]) =>
    new AtollError(400, 'JOB002', `The job "${name}" does not take this input`, { details: issues }),
  noSuchJob: (id: string) => new AtollError(404, 'JOB003', `No job has the id "${clip(id)}"`),
  wrongJobState: (state: string, hint: string) =>
    new AtollError(409, 'JOB004', `The job is ${state}`, { hint }),
  invalidSend: (details: string) => new AtollError(400, 'JOB005', 'The job cannot be sent so', { details }),
  jobsNeedSecretKey: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'JOB006', 'Jobs are for the secret key only', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  invalidJobsQuery: (issues: readonly unknown[]) =>
    new AtollError(400, 'JOB008', 'The request to /jobs/v1 is not understood', { details: issues }),
  payloadTooLarge: (max: number) =>
    new AtollError(413, 'JOB007', `A payload of more than ${max} bytes needs R2`, {
      hint: 'Bind a bucket as BUCKET in wrangler.toml.',
    }),
  noBucket: () => new AtollError(404, 'STORE001', 'Bucket not found'),
  noObject: () => new AtollError(404, 'STORE002', 'Object not found'),
  bucketExists: () => new AtollError(409, 'STORE003', 'The resource already exists'),
  objectExists: () =>
    new AtollError(409, 'STORE004', 'The resource already exists', {
      hint: 'Send x-upsert: true to replace it.',
    }),
  objectTooLarge: (max: number) =>
    new AtollError(413, 'STORE005', 'The object exceeded the maximum allowed size', {
      details: `At most ${max} bytes.`,
    }),
  mimeNotAllowed: (mime: string) =>
    new AtollError(415, 'STORE006', `mime type ${clip(mime, 100)} is not supported`),
  invalidBucketName: () =>
    new AtollError(400, 'STORE007', 'Bucket name invalid', {
      details:
        'It is up to 100 letters, digits, points, hyphens and underscores, the first a letter or digit.',
    }),
  invalidObjectName: (details: string) => new AtollError(400, 'STORE008', 'Invalid key', { details }),
  storageDenied: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'STORE009', 'new row violates row-level security policy', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  bucketNotEmpty: () => new AtollError(409, 'STORE010', 'The bucket you tried to delete is not empty'),
  invalidStorageRequest: (details: unknown) =>
    new AtollError(400, 'STORE011', 'The request to /storage/v1 is not understood', { details }),
  badSignature: (details: string) =>
    new AtollError(400, 'STORE012', 'The signed address is not valid', { details }),
  checksumMismatch: (algorithm: string) =>
    new AtollError(400, 'STORE013', `The bytes do not have the ${algorithm} checksum that was sent`),
  bodyCutShort: () => new AtollError(400, 'STORE014', 'The body ended before its length'),
  noFiles: () =>
    new AtollError(501, 'STORE015', 'Files need R2', { hint: 'Bind a bucket as BUCKET in wrangler.toml.' }),
  notTransformed: () => new AtollError(501, 'STORE016', 'Images are not transformed'),
  badRange: (size: number) =>
    new AtollError(416, 'STORE017', 'The range is beyond the object', {
      headers: { 'Content-Range': `bytes */${size}` },
    }),
  noUpload: () => new AtollError(404, 'STORE019', 'There is no such upload, or it has expired'),
  uploadOffset: (offset: number) =>
    new AtollError(409, 'STORE020', 'The upload goes on elsewhere', {
      headers: { 'Upload-Offset': String(offset) },
    }),
  uploadLocked: () =>
    new AtollError(423, 'STORE021', 'The upload is being written by another request', {
      headers: { 'Retry-After': '1' },
    }),
  /** Its own status in tus. */
  uploadChecksum: () => new AtollError(460, 'STORE022', 'Checksum Mismatch'),
  tusVersion: () =>
    new AtollError(412, 'STORE023', 'Tus-Resumable must be 1.0.0', { headers: { 'Tus-Version': '1.0.0' } }),
  tusType: (type: string) => new AtollError(415, 'STORE024', `The content type of bytes is ${type}`),
  declaredBucket: (name: string) =>
    new AtollError(409, 'STORE018', `The bucket ${name} is declared in db/app/storage.ts`, {
      hint: 'Change it there.',
    }),
  proxyMethod: (method: string, allowed: readonly string[]) =>
    new AtollError(405, 'PROXY001', `No route takes the ${clip(method)} method here`, {
      headers: { Allow: allowed.join(', ') },
    }),
  hiddenPath: () =>
    new AtollError(400, 'PROXY002', 'The path hides separators', {
      details: 'Encoded slashes, backslashes, zeros and dots are not passed on.',
    }),
  proxyLoop: () =>
    proxyError(508, 'PROXY003', 'The request has come through here before', 'proxy_loop_detected'),
  noOrigin: (pool: string) =>
    proxyError(
      503,
      'PROXY004',
      `No origin of the pool "${pool}" can take the request`,
      'destination_unavailable',
      1,
    ),
  poolFull: (pool: string, retryAfter: number) =>
    proxyError(
      503,
      'PROXY005',
      `The pool "${pool}" has too much under way`,
      'connection_limit_reached',
      retryAfter,
    ),
  poolBroken: (pool: string, retryAfter: number) =>
    proxyError(
      503,
      'PROXY006',
      `The pool "${pool}" is left alone for a moment, since nearly everything failed there`,
      'destination_unavailable',
      retryAfter,
    ),
  originLost: (cause: unknown) =>
    proxyError(502, 'PROXY007', 'The origin gave no answer', 'connection_terminated', null, cause),
  originUnreachable: () => proxyError(502, 'PROXY008', 'The origin cannot be reached', 'connection_refused'),
  originSlow: (what: string) =>
    proxyError(504, 'PROXY009', `The origin took too long to ${what}`, 'http_response_timeout'),
  proxiedTooLarge: (max: number) =>
    new AtollError(413, 'PROXY010', 'The body is too large', {
      details: `At most ${max} bytes are passed on.`,
    }),
  proxiedCutShort: () => new AtollError(400, 'PROXY019', 'The body ended before its length'),
  answerTooLarge: (max: number) =>
    proxyError(502, 'PROXY011', `The origin's answer has more than ${max} bytes`, 'http_response_body_size'),
  routeDenied: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'PROXY012', 'The route is not for this caller', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  originUnset: (variable: string) =>
    new AtollError(503, 'PROXY013', `The variable ${variable}, which an origin needs, is not set`),
  proxiedTooOften: (seconds: number) =>
    new AtollError(429, 'PROXY014', 'Too many requests on this route', {
      headers: { 'Retry-After': String(seconds) },
    }),
  balancerDenied: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'PROXY015', 'The balancer is for the secret key only', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  unknownOrigin: (what: string) => new AtollError(404, 'PROXY016', `There is no ${clip(what)}`),
  invalidOrders: (issues: readonly unknown[]) =>
    new AtollError(400, 'PROXY017', 'An origin cannot be ordered so', { details: issues }),
  noPoolWatch: () =>
    new AtollError(501, 'PROXY018', 'Weights can only be changed with a Durable Object for pools', {
      hint: 'Bind the class PoolWatch as POOLS in wrangler.toml.',
    }),
  monitorDenied: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'MON001', 'This is for who has the secret key', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  notOwnPage: () => new AtollError(403, 'MON002', 'The dashboard is asked by its own pages only'),
  invalidMonitorQuery: (issues: readonly unknown[]) =>
    new AtollError(400, 'MON003', 'The request to the dashboard is not understood', { details: issues }),
  noAdvisor: () =>
    new AtollError(501, 'MON004', 'Advice needs what was measured, and a place to try indexes', {
      hint: 'Bind the classes Metrics as METRICS and Advisor as ADVISOR in wrangler.toml.',
    }),
  // --- what an isolate can hold ---------------------------------------------------------------------------------
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
  noRoomForUpload: () =>
    new AtollError(503, 'BOUND032', 'There is no room for the bytes of this upload at the moment', {
      hint: 'What came is kept: ask with HEAD how much that is, and go on there.',
      headers: { 'Retry-After': '2' },
    }),
  tooManyUploads: (max: number) =>
    new AtollError(429, 'BOUND033', `At most ${max} uploads of a caller may be unfinished at a time`, {
      hint: 'Finish or delete (DELETE) some of them, or wait until they expire. Configuration: unfinishedUploads.',
      headers: { 'Retry-After': '60' },
    }),
  internal: (cause: unknown) => new AtollError(500, 'XX000', 'Internal error', { cause }),
} as const

/** At most `max` characters of what a caller sent, so that errors stay small. */
function clip(text: string, max = 200): string {
  return text.length > max ? `${text.slice(0, max)}…` : text
}

/** RFC 9209: the header says what failed between us and an origin. */
function proxyError(
  status: number,
  code: string,
  message: string,
  type: string,
  retryAfter: number | null = null,
  cause?: unknown,
): AtollError {
  const wait: Record<string, string> = retryAfter === null ? {} : { 'Retry-After': String(retryAfter) }
  return new AtollError(status, code, message, {
    cause,
    headers: { 'Proxy-Status': `atoll; error=${type}`, ...wait },
  })
}

/** RFC 6750, 3: the header says why. */
function unauthorized(code: string, message: string, details: string | null): AtollError {
  const why = `Bearer error="invalid_token", error_description="${message}"`
  return new AtollError(401, code, message, { details, headers: { 'WWW-Authenticate': why } })
}

function rangeError(details: string, contentRange?: string): AtollError {
  return new AtollError(416, 'PGRST103', 'Requested range not satisfiable', {
    details,
    headers: contentRange === undefined ? {} : { 'Content-Range': contentRange },
  })
}
