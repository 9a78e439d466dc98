/**
 * Calls of one D1 database.
 *
 * Longer than other files: a call goes alone, with others or once more, and what is told of it by each of these ways is read together.
 * @module
 */
import { logAfter, logBefore } from '../changes/change-log.ts'
import { AtollError } from '../errors/atoll-error.ts'
import { errors } from '../errors/errors.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import type { ClusterOptions, DatabaseCall } from './cluster-options.ts'
import { type Answered, GatheredReads } from './gathered-reads.ts'
import type { LightTexts } from './light-texts.ts'
import { pause } from './pause.ts'
import type { RetryBudget } from './retry-budget.ts'
import type { SchemaCheck } from './schema-check.ts'
import type { ClusterSession } from './session.ts'
import {
  isMissing,
  isOfStatement,
  isRefusedByCheck,
  isRetryable,
  translateDatabaseError,
} from './translate-error.ts'
import { leavesOpen, mayCommit } from './unknown-outcome.ts'
import { costOf, type Run, type Watchdog } from './watchdog.ts'

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
  readonly #light: LightTexts
  readonly #gathered: GatheredReads
  /** How far its change log is known to have come here. */
  #logged = 0

  constructor(
    name: string,
    binding: D1Database,
    budget: RetryBudget,
    check: SchemaCheck,
    light: LightTexts,
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
    this.#light = light
    this.#gathered = new GatheredReads(
      name,
      (statements, constraint) => this.#askTogether(statements, constraint),
      options.timeoutMs,
    )
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
        const results = await this.#try(
          check.length > 0 ? [...check, ...statements] : statements,
          asked,
          tries > 1,
          reads && tries === 1 && check.length === 0,
        )
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
      this.#check.passed((await this.#try(check, session, true, false))[0])
      return error
    } catch (refusal) {
      return refusal
    }
  }

  async #try(
    statements: readonly BoundStatement[],
    session: ClusterSession,
    isRetry: boolean,
    mayGather: boolean,
  ): Promise<readonly (readonly Row[])[]> {
    const { account } = session
    const worded = statements.filter(({ isWorded }) => isWorded)
    if (account !== null) {
      // What follows a commit is the engine's own: it is counted, and not refused.
      if (worded.length > 0) account.check(statements.length)
      account.statements += statements.length
    }
    const texts = worded.map(({ text }) => text)
    const run = await this.#enter(texts, session)
    const isLight = run === undefined || run.doubtful.length === 0
    if (mayGather && isLight && this.#mayShare(statements)) {
      const turn = await this.#gathered.join(
        { statements, constraint: session.constraintFor(this.name) },
        session.later,
      )
      if (turn.kind === 'answered') {
        this.#noteCosts(run, statements, turn.answered.results)
        return this.#take(statements, turn.answered, session)
      }
      if (turn.kind === 'alone') {
        return this.#alone(statements, session, isRetry, run).finally(turn.back)
      }
      if (run) this.#watchdog?.leave(run)
      if (turn.kind === 'refused') throw turn.error
      // What is wrong with one statement is told to who asked it: each asks again, alone.
      if (!isOfStatement(turn.error)) {
        for (const text of texts) this.#light.heavy(text)
        throw turn.error
      }
      return this.#alone(statements, session, true, await this.#enter(texts, session))
    }
    return this.#alone(statements, session, isRetry, run)
  }

  /** Lets statements begin that a request's wording makes. */
  #enter(texts: readonly string[], { account }: ClusterSession) {
    if (account === null) return this.#watchdog?.enter(this.name, null, [])
    return this.#watchdog?.enter(this.name, account.payer, texts)
  }

  /** Whether all of them are known to be fast, and to answer little. */
  #mayShare(statements: readonly BoundStatement[]): boolean {
    return statements.every(
      ({ text, isWorded, fence }) => fence !== undefined || (isWorded && this.#light.has(text)),
    )
  }

  /** Sends statements. @returns when they are to be given up, and what D1 will have said in the end */
  #send(statements: readonly BoundStatement[], constraint: string) {
    this.#budget.count()
    const opened = this.#binding.withSession(constraint)
    const prepared = statements.map(({ text, parameters }) => opened.prepare(text).bind(...parameters))
    const [only] = prepared
    const work =
      prepared.length === 1 && only ? only.all<Row>().then((result) => [result]) : opened.batch<Row>(prepared)
    return { opened, work, inTime: within(this.#timeoutMs, work, this.name) }
  }

  /** Runs the reads of several as one call. */
  async #askTogether(statements: readonly BoundStatement[], constraint: string): Promise<Answered> {
    const start = performance.now()
    const { opened, inTime } = this.#send(statements, constraint)
    try {
      const results = await inTime
      this.#tell(start, results, 'done', false)
      return { results, bookmark: opened.getBookmark(), ms: performance.now() - start }
    } catch (error) {
      this.#tell(start, [], 'failed', false)
      throw error
    }
  }

  /** Tells of a round trip. */
  #tell(
    start: number,
    results: readonly D1Result<Row>[],
    outcome: DatabaseCall['outcome'],
    isRetry: boolean,
  ): void {
    if (this.#onCall === undefined) return
    let [rowsRead, rowsWritten] = [0, 0]
    for (const { meta } of results) {
      rowsRead += meta?.rows_read ?? 0
      rowsWritten += meta?.rows_written ?? 0
    }
    const ms = performance.now() - start
    this.#onCall({ database: this.name, rowsRead, rowsWritten, isRetry, ms, outcome })
  }

  #noteCosts(
    run: Run | undefined,
    statements: readonly BoundStatement[],
    results: readonly D1Result<Row>[],
  ): void {
    const costs: number[] = []
    for (const [i, { isWorded, text }] of statements.entries()) {
      const result = results[i]
      if (!isWorded || result === undefined) continue
      const ms = costOf(result.meta)
      costs.push(ms)
      this.#light.ran(text, ms, result.results)
    }
    if (run !== undefined) this.#watchdog?.ended(run, costs)
  }

  /** Takes up what was answered to a session's statements. */
  #take(
    statements: readonly BoundStatement[],
    { results, bookmark, ms }: Answered,
    session: ClusterSession,
  ): readonly (readonly Row[])[] {
    session.usage.call(ms)
    session.note(this.name, bookmark)
    const { account, usage } = session
    for (const [i, { meta }] of results.entries()) {
      const read = meta?.rows_read ?? 0
      usage.statement(statements[i] as BoundStatement, read, meta?.rows_written ?? 0)
      if (account !== null) account.rowsRead += read
    }
    return results.map((result) => result.results)
  }

  async #alone(
    statements: readonly BoundStatement[],
    session: ClusterSession,
    isRetry: boolean,
    run: Run | undefined,
  ): Promise<readonly (readonly Row[])[]> {
    const start = performance.now()
    const logged = this.#logged
    const { opened, work, inTime } = this.#send(statements, session.constraintFor(this.name))
    // A client that goes away does not leave what it asked for unwatched.
    if (run && run.doubtful.length > 0) session.later(inTime)
    try {
      const results = await inTime
      this.#noteCosts(run, statements, results)
      this.#tell(start, results, 'done', isRetry)
      const answered = { results, bookmark: opened.getBookmark(), ms: performance.now() - start }
      const rows = this.#take(statements, answered, session)
      this.#compareLog(statements, rows, logged, session)
      return rows
    } catch (error) {
      session.usage.call(performance.now() - start)
      this.#tell(start, [], 'failed', isRetry)
      for (const { isWorded, text } of statements) if (isWorded) this.#light.heavy(text)
      if (run !== undefined && isLate(error)) {
        this.#watchdog?.late(run)
        // Should the isolate live so long. Otherwise the bound of D1's own ends it.
        void work.then(
          (results) => this.#noteCosts(run, statements, results),
          (late) => this.#watchdog?.failed(run, late),
        )
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
