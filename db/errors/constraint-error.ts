export type ConstraintKind = 'unique' | 'not-null' | 'check' | 'foreign-key'

/** A write broke a constraint. Which one, and with which values, is for those to say who know the catalog. */
export class ConstraintError extends Error {
  readonly kind: ConstraintKind
  /** Columns that SQLite names: of unique and not-null constraints. */
  readonly columns: readonly string[]
  /** What SQLite calls it; of a check constraint, its name or text. */
  readonly subject: string

  constructor(kind: ConstraintKind, columns: readonly string[], subject: string, cause: unknown) {
    super(`${kind} constraint failed: ${subject}`, { cause })
    this.name = 'ConstraintError'
    this.kind = kind
    this.columns = columns
    this.subject = subject
  }
}

/** What the reason of a transaction that undoes itself on purpose begins with. */
export const rollbackPrefix = 'atoll/rollback/'

/** A transaction undid itself on purpose. */
export class RolledBack extends Error {
  /** JSON of what it had done. */
  readonly notes: string

  constructor(notes: string) {
    super('rolled back on purpose')
    this.name = 'RolledBack'
    this.notes = notes
  }
}

/** What SQLite's message says when a statement met a row that a policy denies; what of it, follows. */
export const denialPrefix = 'atoll/denied/'

/** A write met a row that the caller may not write, or named one that they may not refer to. */
export class PolicyViolation extends Error {
  /** Number of the foreign key, among those that the plan lists; null: the row itself. */
  readonly reference: number | null

  constructor(reference: number | null) {
    super('a policy denies the row')
    this.name = 'PolicyViolation'
    this.reference = reference
  }
}

/** The violation that a text with `denialPrefix` tells of; null for other texts. */
export function violationIn(text: string): PolicyViolation | null {
  const denied = text.indexOf(denialPrefix)
  if (denied < 0) return null
  const [, number] = /^parent\/(\d+)/.exec(text.slice(denied + denialPrefix.length)) ?? []
  return new PolicyViolation(number === undefined ? null : Number(number))
}

/** What SQLite's message begins with when a row breaks a rule of `db/system/rule-triggers.ts`: the rule follows, and what it is about. */
export const ruleMark = 'atoll/rule/'

/** What SQLite's message says when a database does not own the slots that a batch was meant for. */
export const movedMark = 'atoll/moved'

/** A database refused a batch: slots that the router thinks it owns are elsewhere, or closed. */
export class MovedError extends Error {
  readonly database: string

  constructor(database: string) {
    super(`MOVED: ${database} does not own these slots`)
    this.name = 'MovedError'
    this.database = database
  }
}

/** What SQLite's message says when a transaction of a move may not be: why, follows. */
export const moveMark = 'atoll/move/'

/** Why a transaction of a move was refused: another mover has taken over, rows differ, or what it found has changed meanwhile. */
export type MoveRefusal = 'overtaken' | 'differs' | 'changed'

/** A database refused a transaction of a move. */
export class MoveRefused extends Error {
  readonly why: MoveRefusal
  /** The table whose rows differ, and the like. */
  readonly subject: string

  constructor(why: MoveRefusal, subject: string) {
    super(`the move was refused: ${why} ${subject}`.trim())
    this.name = 'MoveRefused'
    this.why = why
    this.subject = subject
  }
}

/** What SQLite's message says when a reservation of unique values no longer fits the write. */
export const revokedMark = 'atoll/revoked'

/** A write must reserve its unique values anew: others took them over, or its row is another by now. */
export class RevokedError extends Error {
  constructor(database: string) {
    super(`a reservation was revoked on ${database}`)
    this.name = 'RevokedError'
  }
}

/** What SQLite's message says when rows that were found are no longer what they were. */
export const vanishedMark = 'atoll/vanished'

/** A write was to change rows that were found before, and are not there any more as they were. */
export class VanishedError extends Error {
  constructor(database: string) {
    super(`rows that were found on ${database} have changed`)
    this.name = 'VanishedError'
  }
}

/** What SQLite's message begins with when a reference row is to go that shards do not know of yet; its table follows. */
export const unretiredMark = 'atoll/unretired'

/** A reference row was to go before all shards knew that it will: `retire.ts` tells them. */
export class UnretiredError extends Error {
  readonly table: string

  constructor(table: string) {
    super(`rows of ${table} are taken away when all shards know of it`)
    this.name = 'UnretiredError'
    this.table = table
  }
}

/** What SQLite's message begins with when a row is to refer to a reference row that is about to go; its table follows. */
export const retiringMark = 'atoll/retiring'

/** A row was to refer to a reference row that is about to go: in a moment it is gone, or stays. */
export class RetiringError extends Error {
  readonly table: string

  constructor(table: string) {
    super(`a row of ${table} is about to be deleted`)
    this.name = 'RetiringError'
    this.table = table
  }
}

/** What SQLite's message says when a statement's answer is beyond what the request may have; which bound, follows. */
export const boundMark = 'atoll/bound/'

/** A statement gave up, as its answer would be larger than it may be. */
export class BoundError extends Error {
  readonly bound: string

  constructor(bound: string) {
    super(`an answer is beyond its bound: ${bound}`)
    this.name = 'BoundError'
    this.bound = bound
  }
}

/** What SQLite's message says when a database lacks a migration. */
export const behindMark = 'atoll/behind'

/** That a table's rows lie elsewhere than the app says, so that they would not be found. */
export const hiddenMark = 'atoll/hidden'

/** That a database which owns slots is not bound. */
export const unboundMark = 'atoll/unbound'

/** What SQLite's message says when a shard's copies of reference tables are behind what a session has seen. */
export const staleCopyMark = 'atoll/copies'

/** A shard's copies of reference tables must follow before it can answer a session. */
export class StaleCopyError extends Error {
  readonly database: string

  constructor(database: string) {
    super(`the copies of ${database} are behind`)
    this.name = 'StaleCopyError'
    this.database = database
  }
}

/** What SQLite's message says when a write's Idempotency-Key does not let it be made: why, follows. */
export const keyMark = 'atoll/key/'

/** The key of a write was used meanwhile: by the same request, sent before or again. Nothing was written. */
export class KeyTaken extends Error {
  constructor(database: string) {
    super(`the key of a write was used on ${database}`)
    this.name = 'KeyTaken'
  }
}
