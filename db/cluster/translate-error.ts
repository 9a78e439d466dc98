import { AtollError } from '../errors/atoll-error.ts'
import {
  BoundError,
  behindMark,
  boundMark,
  ConstraintError,
  hiddenMark,
  KeyTaken,
  keyMark,
  MovedError,
  type MoveRefusal,
  MoveRefused,
  movedMark,
  moveMark,
  type PolicyViolation,
  RetiringError,
  RevokedError,
  RolledBack,
  retiringMark,
  revokedMark,
  rollbackPrefix,
  ruleMark,
  StaleCopyError,
  staleCopyMark,
  UnretiredError,
  unboundMark,
  unretiredMark,
  VanishedError,
  vanishedMark,
  violationIn,
} from '../errors/constraint-error.ts'
import { errors } from '../errors/errors.ts'
import { maxRowBytes } from '../system/shown-triggers.ts'

/** What SQLite says when a statement is larger than it can work with. */
const tooComplex =
  /too many SQL variables|Expression tree is too large|parser stack overflow|statement too long|too many columns|too many terms|at most \d+ tables|too many arguments|string or blob too big|SQLITE_TOOBIG|out of memory|SQLITE_NOMEM|too many FROM clause terms|too many levels/i

/** The bound that a statement's answer is beyond. */
const beyondBound = new RegExp(`${boundMark}(\\w+)`)

/** Why a transaction of a move was refused, and what it is about. */
const moveRefusal = new RegExp(`${moveMark}(\\w+)/([^/:]*)`)

/**
 * What D1 says of itself when a database was started anew, is out of reach or has too much to do: asking again later may work. Everything of
 * this kind in https://developers.cloudflare.com/d1/observability/debug-d1/, and resets for whatever reason, as more are told than listed.
 */
const passing =
  /Network connection lost|\bwas reset\b|caused object to be reset|reset because|exceeded timeout|overloaded|Cannot resolve D1 DB|read from request stream because client disconnected|Internal error/i

/** What a query used up when D1 stopped it, and started the database anew for it. */
const usedUp = /exceeded its (CPU time|memory) limit/i

/**
 * D1's errors are text. Each is translated here, once, with its cause; what is not known becomes internal.
 *
 * @param isAhead whether the database has migrations that the app does not know; null: it was not asked
 */
export function translateDatabaseError(
  database: string,
  error: unknown,
  isAhead: boolean | null = null,
):
  | AtollError
  | BoundError
  | ConstraintError
  | KeyTaken
  | MovedError
  | MoveRefused
  | PolicyViolation
  | RetiringError
  | RevokedError
  | RolledBack
  | StaleCopyError
  | UnretiredError
  | VanishedError {
  if (error instanceof AtollError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (message.includes(movedMark)) return new MovedError(database)
  const [, why, subject] = moveRefusal.exec(message) ?? []
  if (why !== undefined) return new MoveRefused(why as MoveRefusal, subject ?? '')
  if (message.includes(revokedMark)) return new RevokedError(database)
  if (message.includes(vanishedMark)) return new VanishedError(database)
  const [, bound] = beyondBound.exec(message) ?? []
  if (bound !== undefined) return new BoundError(bound)
  if (message.includes(staleCopyMark)) return new StaleCopyError(database)
  const unretired = after(message, unretiredMark, ':')
  if (unretired !== null) return new UnretiredError(unretired)
  const retiring = after(message, retiringMark, ':')
  if (retiring !== null) return new RetiringError(retiring)
  const schema = readSchemaMark(database, message) ?? readMissing(database, message, isAhead)
  if (schema) return schema
  const key = readKey(database, message)
  if (key) return key
  const broken = readRule(message)
  if (broken) return broken
  const violation = readGuard(message) ?? readViolation(message, error)
  if (violation) return violation
  if (tooComplex.test(message)) return errors.tooComplex(plain(message))
  if (/pattern too complex/i.test(message)) return errors.patternTooLong(50)
  if (/malformed JSON/i.test(message)) return errors.malformedJson()
  if (/integer overflow/i.test(message)) return errors.outOfRange('bigint', 'the result')
  const [, limit] = usedUp.exec(message) ?? []
  if (limit !== undefined) return errors.stopped(database, limit, error)
  if (passing.test(message)) return errors.overloaded(database, error)
  return errors.internal(error)
}

/** What follows a mark in a message, up to where that ends. */
function after(message: string, mark: string, end: "'" | ':'): string | null {
  return new RegExp(`${mark}/([^${end}]*)`).exec(message)?.[1] ?? null
}

/** What the check before the first batch has found. */
function readSchemaMark(database: string, message: string): AtollError | null {
  const behind = after(message, behindMark, "'")
  if (behind !== null) return errors.notMigrated(database, behind)
  const hidden = after(message, hiddenMark, "'")
  if (hidden !== null) return errors.rowsElsewhere(database, hidden)
  const unbound = after(message, unboundMark, "'")
  return unbound === null ? null : errors.unknownShard(unbound)
}

/** Whether a database is not what the app was made for, as its check says. */
export function isRefusedByCheck(error: unknown): boolean {
  return error instanceof Error && [behindMark, hiddenMark].some((mark) => error.message.includes(`${mark}/`))
}

/** Whether a statement names a table or column that is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && /no such (?:table|column)/i.test(error.message)
}

function readMissing(database: string, message: string, isAhead: boolean | null): AtollError | null {
  const [missing] = /no such (?:table|column): [^:\s]+|no such (?:table|column)/i.exec(message) ?? []
  if (missing === undefined) return null
  if (isAhead === null) return errors.notMigrated(database)
  return isAhead ? errors.databaseAhead(database, missing) : errors.notGenerated(database, missing)
}

/**
 * What Cloudflare lists as worth another try: https://developers.cloudflare.com/d1/observability/debug-d1/. A query that used up a limit is
 * not: it would do so again, and take the database along.
 */
const retryable =
  /Network connection lost|storage caused object to be reset|reset because its code was updated|Cannot resolve D1 DB|read from request stream because client disconnected/i

/** Whether a statement that may be repeated should be. */
export function isRetryable(error: unknown): boolean {
  return error instanceof Error && retryable.test(error.message)
}

/** Whether a batch failed for what one of its statements says or found, so that the others have no part in it. */
export function isOfStatement(error: unknown): boolean {
  if (error instanceof AtollError || !(error instanceof Error)) return false
  return !usedUp.test(error.message) && !passing.test(error.message) && !isRetryable(error)
}

/** The message without D1's prefix and SQLite's code. */
function plain(message: string): string {
  return message.replace(/^D1_ERROR: /, '').replace(/: SQLITE_.*$/, '')
}

const violationKinds = {
  UNIQUE: 'unique',
  'NOT NULL': 'not-null',
  CHECK: 'check',
  'FOREIGN KEY': 'foreign-key',
} as const

/** `UNIQUE constraint failed: table.a, table.b` and its like. */
function readViolation(message: string, cause: unknown): ConstraintError | null {
  const found = /(UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed(?:: (.*?))?: SQLITE_CONSTRAINT/.exec(
    message,
  )
  if (!found) return null
  const kind = violationKinds[found[1] as keyof typeof violationKinds]
  const subject = found[2] ?? ''
  const columns = kind === 'unique' || kind === 'not-null' ? subject.split(', ').map(columnOf) : []
  return new ConstraintError(kind, columns, subject, cause)
}

function columnOf(qualified: string): string {
  return qualified.slice(qualified.indexOf('.') + 1)
}

/** Whether a row was refused by a trigger of `db/system/rule-triggers.ts`. */
export function isRule(error: unknown): boolean {
  return error instanceof Error && error.message.includes(ruleMark)
}

/** The rule that a trigger of `db/system/rule-triggers.ts` has kept. */
function readRule(message: string): AtollError | null {
  const start = message.indexOf(ruleMark)
  if (start < 0) return null
  const [rule, subject = ''] = message.slice(start + ruleMark.length).split('/')
  const dot = subject.indexOf('.')
  const [table, column] = dot < 0 ? [subject, ''] : [subject.slice(0, dot), subject.slice(dot + 1)]
  switch (rule) {
    case 'placement':
      return errors.misplacedRow(table)
    case 'distribution':
      return errors.distributionColumn(table, column)
    case 'routed-id':
      return errors.contradictingId(table, null)
    case 'reserved':
      return errors.notReserved(table, column)
    case 'id':
      return errors.idTooGreat(table, column)
    case 'width':
      return errors.tooWideToShow(table, maxRowBytes)
    case 'json':
      return errors.unreadableJson(table)
    case 'range':
      return errors.foreignRange(table, column)
    default:
      return errors.notAcrossShards(`The primary key of a reference table ("${table}") cannot be changed.`)
  }
}

/** Why a write's Idempotency-Key did not let it be made: see `write-keys.ts`. */
function readKey(database: string, message: string): AtollError | KeyTaken | null {
  const [, why, bytes] = new RegExp(`${keyMark}(\\w+)(?:/(\\d+))?`).exec(message) ?? []
  if (why === undefined) return null
  if (why === 'large') return errors.keptTooLarge(Number(bytes))
  return why === 'full' ? errors.keysFull(Number(bytes)) : new KeyTaken(database)
}

/** What a guard row, whose text is the reason, has undone. */
function readGuard(message: string): AtollError | PolicyViolation | RolledBack | null {
  const start = message.indexOf(rollbackPrefix)
  if (start >= 0) {
    const reason = message.slice(start + rollbackPrefix.length)
    return new RolledBack(reason.replace(/: SQLITE_CONSTRAINT(?: \(extended: \w+\))?$/, ''))
  }
  const violation = violationIn(message)
  if (violation) return violation
  const [, guard, rows] = /atoll\/(singular|max-affected)\/(\d+)/.exec(message) ?? []
  if (guard === undefined) return null
  return guard === 'singular' ? errors.notSingular(Number(rows)) : errors.tooManyAffected(Number(rows))
}
