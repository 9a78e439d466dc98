/**
 * Errors of the data API.
 * @module
 */
import { AtollError, clip, refusal } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

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

function rangeError(details: string, contentRange?: string): AtollError {
  return new AtollError(416, 'PGRST103', 'Requested range not satisfiable', {
    details,
    headers: contentRange === undefined ? {} : { 'Content-Range': contentRange },
  })
}

export const errors = {
  ...coreErrors,
  unparsable: (what: string, text: string, column: number, details: string) =>
    new AtollError(400, 'PGRST100', `"failed to parse ${what} (${clip(text)})" (line 1, column ${column})`, {
      details,
    }),
  tooDeep: (what: string, maxDepth: number) =>
    new AtollError(400, 'PGRST100', `The ${what} is nested more than ${maxDepth} levels deep`),
  rpcMethod: (method: string) =>
    new AtollError(405, 'PGRST101', `Cannot use the ${clip(method)} method on RPC`),
  contentType: (type: string) =>
    new AtollError(415, 'PGRST102', `Content-Type not acceptable: ${clip(type)}`),
  /** A request asks for more than its role's budget has (`functions/rest/ask/budget.ts`). @param asked null: more, by how much is not known */
  beyondBudget: (bound: BoundName, asked: number | null, allowed: number, hint?: string) => {
    const { code, status, what, remedy } = bounds[bound]
    const more = asked === null ? `more than ${allowed}` : String(asked)
    return new AtollError(status, code, `The request has ${more} ${what}; ${allowed} are allowed`, {
      details: { bound, asked, allowed },
      hint: hint ?? remedy,
    })
  },
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
  noRoot: () => new AtollError(404, 'PGRST126', 'Root endpoint metadata is disabled'),
  notImplemented: (details: string) =>
    new AtollError(400, 'PGRST127', 'Feature not implemented', { details }),

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
  ambiguousFunction: (signatures: readonly string[]) =>
    new AtollError(
      300,
      'PGRST203',
      `Could not choose the best candidate function between: ${signatures.join(', ')}`,
      {
        hint: 'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
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

  deniedColumn: (table: string, column: string, signedIn: boolean) =>
    refusal(signedIn, `permission denied for column ${column} of table ${table}`),
  deniedRow: (table: string, signedIn: boolean) =>
    refusal(signedIn, `new row violates row-level security policy for table "${table}"`),
  deniedFunction: (name: string, signedIn: boolean) =>
    refusal(signedIn, `permission denied for function ${name}`),

  responseHeader: (name: string, cause: unknown) =>
    new AtollError(500, 'PGRST111', `response.headers: "${clip(name)}" is no header, or its value is none`, {
      cause,
    }),
  responseStatus: (status: unknown) =>
    new AtollError(500, 'PGRST112', 'response.status must be a status code from 200 to 599', {
      details: `It is ${clip(String(status))}.`,
    }),

  invalidArguments: (
    name: string,
    issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
  ) =>
    new AtollError(400, '22023', `invalid arguments of function ${name}`, {
      details: issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; '),
    }),
  unfiltered: (action: 'update' | 'delete') =>
    new AtollError(400, '21000', `${action.toUpperCase()} requires a WHERE clause`, {
      hint: 'Name the rows by a filter, as `id=gte.0`; or set safeUpdate to false in functions/app/config.ts.',
    }),
  undefinedColumn: (table: string, column: string) =>
    new AtollError(400, '42703', `column ${table}.${clip(column)} does not exist`),
  undefinedFunction: (message: string, hint?: string) =>
    new AtollError(404, '42883', message, hint === undefined ? {} : { hint }),
  unknownType: (name: string) => new AtollError(400, '42704', `type "${clip(name)}" does not exist`),
  invalidText: (type: string, value: string) =>
    new AtollError(400, '22P02', `invalid input syntax for type ${type}: "${clip(value)}"`),
  invalidTimestamp: (type: string, value: string) =>
    new AtollError(400, '22007', `invalid input syntax for type ${type}: "${clip(value)}"`),
  timestampOutOfRange: (value: string) =>
    new AtollError(400, '22008', `date/time field value out of range: "${clip(value)}"`),
  unknownZone: (name: string) =>
    new AtollError(400, '22023', `invalid value for parameter "TimeZone": "${clip(name)}"`),
  leapSeconds: (name: string) =>
    new AtollError(400, '22023', `time zone "${clip(name)}" appears to use leap seconds`, {
      details: 'PostgreSQL does not support leap seconds.',
    }),
  zoneOutOfRange: (value: string) =>
    new AtollError(400, '22009', `time zone displacement out of range: "${clip(value)}"`),
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
  searchLanguage: (language: string, own: string) =>
    new AtollError(400, '42704', `text search configuration "${clip(language)}" does not exist`, {
      hint: `The words of this table are kept for ${own}, as searchConfig in tables.ts says.`,
    }),
  searchWidth: () =>
    new AtollError(400, '0A000', 'words behind alternatives of several lengths are not searched for', {
      hint: 'Write the phrase once for each alternative, with | between them.',
    }),
  searchLetters: (word: string) =>
    new AtollError(400, '0A000', `the place of this word is not searched for: "${clip(word)}"`, {
      hint: 'It has letters that only the index itself can fold. Words stand side by side (<->), or anywhere (&).',
    }),
  searchTooFar: (most: number) =>
    new AtollError(
      400,
      '22023',
      `distance in phrase operator must be an integer value between zero and ${most} inclusive`,
    ),
  searchSyntax: (query: string) => new AtollError(400, '42601', `syntax error in tsquery: "${clip(query)}"`),
  /** Neither PostgreSQL's text nor an SQL statement can hold one. */
  nullCharacter: () => new AtollError(400, '22021', 'invalid byte sequence for encoding "UTF8": 0x00'),
  loneSurrogate: () => new AtollError(400, '22021', 'invalid Unicode: half of a surrogate pair'),
  malformedArray: (value: string) =>
    new AtollError(400, '22P02', `malformed array literal: "${clip(value)}"`, {
      details: 'Array value must start with "{" and end with "}".',
    }),
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
      hint: 'It is not a plain selection from one table: write to the tables that it shows.',
    }),
  viewColumn: (view: string, column: string) =>
    new AtollError(400, '0A000', `cannot write to column "${clip(column)}" of view "${view}"`, {
      details: 'View columns that are not columns of their base relation are not updatable.',
    }),
  severalShards: (shards: number) =>
    new AtollError(400, 'SHARD005', `The write touches ${shards} shards and cannot be atomic`, {
      hint: 'Filter by the distribution column, or send Prefer: atomicity=shard to have each shard commit by itself.',
    }),
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
  notUndoable: (name: string) =>
    new AtollError(400, 'SHARD017', `What the function ${name} does cannot be undone`, {
      hint: 'Call it without Prefer: tx=rollback, max-affected and Idempotency-Key, and take its answer as application/json.',
    }),
  badKey: (maxLength: number) =>
    new AtollError(400, 'IDEM001', 'The Idempotency-Key is none', {
      details: `It is 1 to ${maxLength} visible ASCII characters, in double quotes (RFC 9651) or without.`,
      hint: 'Take a new UUID for each write, and the same one when the write is sent again.',
    }),
  keyReused: () =>
    new AtollError(422, 'IDEM003', 'The Idempotency-Key was sent before with another request', {
      hint: 'A key stands for one request: method, address, headers that say how to answer, and body. Take a new key for another one.',
    }),
  notKeyed: (name: string) =>
    new AtollError(400, 'IDEM006', `The function ${name} takes no Idempotency-Key`, {
      details: 'What it does cannot be undone, and so cannot be committed together with its answer.',
      hint: 'Leave the key out.',
    }),
}
