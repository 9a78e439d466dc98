import { logAfter, logBefore } from '../changes/change-log.ts'
import { AtollError } from '../errors/atoll-error.ts'
import { errors } from '../errors/errors.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import type { ClusterOptions, DatabaseCall } from './cluster-options.ts'
import { pause } from './pause.ts'
import type { RetryBudget } from './retry-budget.ts'
import type { SchemaCheck } from './schema-check.ts'
import type { ClusterSession } from './session.ts'
import { isMissing, isRefusedByCheck, isRetryable, translateDatabaseError } from './translate-error.ts'
import { leavesOpen, mayCommit } from './unknown-outcome.ts'
import { costOf, type Watchdog } from './watchdog.ts'

/** Times that a read is tried in all. */
const maxTries = 3

/** One D1 database. */
export class Database {
  readonly name: string
  readonly #binding: D1Database
  readonly #budget: RetryBudget
  readonly #check: SchemaCheck
  readonly #timeoutMs: number
  readonly #onCall: ((call: DatabaseCall) => void) | undefined
  readonly #watchdog: Watchdog | null
  readonly #onWentBack: ClusterOptions['onWentBack']
  /** How far its change log is known to have come here. */
  #logged = 0

  constructor(
    name: string,
    binding: D1Database,
    budget: RetryBudget,
    check: SchemaCheck,
    options: ClusterOptions,
  ) {
    this.name = name
    this.#binding = binding
    this.#budget = budget
    this.#check = check
    this.#timeoutMs = options.timeoutMs
    this.#onCall = options.onCall
    this.#watchdog = options.watchdog ?? null
    this.#onWentBack = options.onWentBack
  }

  /**
   * Runs statements as one transaction and one round trip. The first batch of an isolate also asks whether the database
   * is what the Worker was made for, and does nothing when it is not.
   *
   * @returns the rows of each statement, in order
   * @throws AtollError, ConstraintError, PolicyViolation, MovedError, KeyTaken or RolledBack for everything but rows; `SHARD025` when
   *   it is not known whether what was to be written is
   */
  async batch(
    statements: readonly BoundStatement[],
    session: ClusterSession,
    reads = session.reads,
  ): Promise<readonly (readonly Row[])[]> {
    const check = this.#check.statements
    let asked = session
    for (let tries = 1; ; tries++) {
      try {
        const results = await this.#try([...check, ...statements], asked, tries > 1)
        if (check.length > 0) this.#check.passed(results[0])
        return results.slice(check.length)
      } catch (error) {
        // A replica may not know yet what has become of the schema, or of where rows lie.
        if (
          check.length > 0 &&
          asked === session &&
          isRefusedByCheck(error) &&
          mayBeReplica(session, this.name)
        ) {
          asked = session.onPrimary()
          continue
        }
        const again = reads && tries < maxTries && isRetryable(error) && this.#budget.take()
        if (!again) {
          const told = translateDatabaseError(
            this.name,
            await this.#checked(error, session),
            this.#check.isAhead,
          )
          throw mayCommit(statements) && leavesOpen(error, told)
            ? errors.outcomeUnknown(this.name, told)
            : told
        }
        await pause(25 * 2 ** tries * (0.5 + Math.random()))
      }
    }
  }

  /** Of a batch that names what is not there, what the check says, which D1 did not come to run. */
  async #checked(error: unknown, session: ClusterSession): Promise<unknown> {
    const check = this.#check.again
    if (check.length === 0 || !isMissing(error)) return error
    try {
      this.#check.passed((await this.#try(check, session, true))[0])
      return error
    } catch (refusal) {
      return refusal
    }
  }

  async #try(statements: readonly BoundStatement[], session: ClusterSession, isRetry: boolean) {
    const { account } = session
    const worded = account === null ? [] : statements.filter(({ isWorded }) => isWorded)
    if (account !== null) {
      // What follows a commit is the engine's own: it is counted, and not refused.
      if (worded.length > 0) account.check(statements.length)
      account.statements += statements.length
    }
    const payer = account?.payer ?? null
    const entering = this.#watchdog?.enter(
      this.name,
      payer,
      worded.map(({ text }) => text),
    )
    const run = entering instanceof Promise ? await entering : entering
    this.#budget.count()
    const opened = this.#binding.withSession(session.constraintFor(this.name))
    const prepared = statements.map(({ text, parameters }) => opened.prepare(text).bind(...parameters))
    const [only] = prepared
    const start = performance.now()
    const logged = this.#logged
    const call = { database: this.name, rowsRead: 0, rowsWritten: 0, isRetry }
    const told = (outcome: DatabaseCall['outcome']) => {
      const ms = performance.now() - start
      session.usage.call(ms)
      this.#onCall?.({ ...call, ms, outcome })
    }
    const work =
      prepared.length === 1 && only ? only.all<Row>().then((result) => [result]) : opened.batch<Row>(prepared)
    const inTime = within(this.#timeoutMs, work, this.name)
    // A client that goes away does not leave what it asked for unwatched.
    if (run && run.doubtful.length > 0) session.later(inTime)
    const noteCosts = (results: readonly D1Result<Row>[]) => {
      if (run === undefined) return
      const costs = results.flatMap(({ meta }, i) => (statements[i]?.isWorded ? [costOf(meta)] : []))
      this.#watchdog?.ended(run, costs)
    }
    try {
      const results = await inTime
      noteCosts(results)
      session.note(this.name, opened.getBookmark())
      for (const [i, { meta }] of results.entries()) {
        const [read, written] = [meta?.rows_read ?? 0, meta?.rows_written ?? 0]
        call.rowsRead += read
        call.rowsWritten += written
        session.usage.statement(statements[i] as BoundStatement, read, written)
        if (account !== null) account.rowsRead += read
      }
      told('done')
      const rows = results.map((result) => result.results)
      this.#compareLog(statements, rows, logged, session)
      return rows
    } catch (error) {
      told('failed')
      if (run !== undefined && isLate(error)) {
        this.#watchdog?.late(run)
        // Should the isolate live so long. Otherwise the bound of D1's own ends it.
        void work.then(noteCosts, (late) => this.#watchdog?.failed(run, late))
      } else if (run !== undefined) this.#watchdog?.failed(run, error)
      throw error
    }
  }

  /**
   * Whoever is told by a write that the log stood lower than it stood before that write was sent, knows that the database was put back in time.
   *
   * @param logged how far it had come when the statements were sent
   */
  #compareLog(
    statements: readonly BoundStatement[],
    rows: readonly (readonly Row[])[],
    logged: number,
    session: ClusterSession,
  ): void {
    const at = statements.indexOf(logBefore)
    if (at < 0) return
    const before = Number(rows[at]?.[0]?.n ?? 0)
    const after = statements.at(-1) === logAfter ? Number(rows.at(-1)?.[0]?.sequence ?? 0) : 0
    const isBack = before < logged
    this.#logged = isBack ? Math.max(before, after) : Math.max(this.#logged, before, after)
    if (isBack && this.#onWentBack) session.later(this.#onWentBack(this.name, true))
  }
}

function mayBeReplica(session: ClusterSession, database: string): boolean {
  return session.constraintFor(database) !== 'first-primary'
}

/** Whether it is what `within` says, and not the database. */
function isLate(error: unknown): boolean {
  return error instanceof AtollError && error.cause === undefined
}

/** The work's result, if it comes in time; what comes later is dropped. */
export async function within<T>(ms: number, work: Promise<T>, database: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(errors.tooSlow(database, ms)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
