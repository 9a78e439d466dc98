/**
 * One database in a transaction: what is written waits for its commit, and until then each statement is run for a try, after all that
 * wait, in a D1 batch that undoes itself and tells what it answered.
 * @module
 */

import { within } from '../../../db/cluster/database.ts'
import { translateDatabaseError } from '../../../db/cluster/translate-error.ts'
import { leavesOpen } from '../../../db/cluster/unknown-outcome.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import { KeyTaken, rollbackPrefix, UnretiredError } from '../../../db/errors/constraint-error.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import type { BoundStatement } from '../../../db/sql/statement.ts'
import { permitRetired } from '../../../db/system/permits.ts'
import { errors } from '../errors.ts'
import { ClockTaint } from './clock-taint.ts'
import { type Excerpt, excerptOf, standingAlone, withLiterals } from './literals.ts'
import {
  type Columns,
  createNoting,
  decoded,
  dropNoting,
  expectLines,
  forgetNotes,
  lastingText,
  type Note,
  noteEnd,
  noteQuery,
  noteStart,
  readTold,
  undoAndTell,
} from './note-rows.ts'
import { readStatement, type StatementMeaning, UnknownStatement } from './read-statement.ts'
import { readTableFacts, type TableFacts } from './table-facts.ts'

/** A statement and its parameters, as D1 takes them. */
export type QueuedStatement = Excerpt

/** What a statement answered, as D1 would have told it. */
export interface QueuedAnswer {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
  /** Rows that it and its triggers changed. */
  readonly changes: number
  /** Number of the row that was put in last; 0 when none was. */
  readonly lastRowId: number
}

interface Step {
  readonly number: number
  readonly statement: QueuedStatement
  readonly meaning: StatementMeaning
  readonly columns: readonly string[]
  /** What notes its answer, around itself. */
  readonly noted: readonly QueuedStatement[]
}

interface Queued extends Step {
  /** What it must answer again at the commit. */
  readonly expected: string | null
}

/** Runs a transaction that takes away reference rows, with what that needs around it. */
export type Retired = (
  statements: readonly QueuedStatement[],
  run: (before: readonly QueuedStatement[], after: readonly QueuedStatement[]) => Promise<void>,
) => Promise<void>
/** What comes along with a commit, first and last in its transaction. */
export interface Beside {
  readonly before: readonly BoundStatement[]
  readonly after: readonly BoundStatement[]
}

/** D1 ends what takes longer. */
const longestMs = 30_000

export class QueuedDatabase {
  readonly name: string
  readonly #binding: D1Database
  readonly #refuse: (error: AtollError) => never
  readonly #retired: Retired
  readonly #queue: Queued[] = []
  readonly #columns = new Map<string, Promise<readonly string[]>>()
  readonly #facts = new Map<string, Promise<TableFacts>>()
  readonly #taint = new ClockTaint()
  #steps = 0
  /** Runs that have not ended. */
  #begun = 0
  #last: Promise<unknown> = Promise.resolve()

  /**
   * @param refuse ends the transaction: nothing of it can be committed any more
   * @param retired runs what takes away rows that shards may refer to
   */
  constructor(
    name: string,
    binding: D1Database,
    refuse: (error: AtollError) => never,
    retired: Retired = (_, run) => run([], []),
  ) {
    this.name = name
    this.#binding = binding
    this.#refuse = refuse
    this.#retired = retired
  }

  /** Whether nothing waits or is about to, so that the database itself answers reads. */
  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#begun === 0
  }

  /** Whether a statement only reads. @throws AtollError `SHARD018` for one that cannot be undone */
  onlyReads({ text }: QueuedStatement): boolean {
    return this.#meaningOf(text).kind === 'read'
  }

  /**
   * Runs statements as one transaction after those that wait.
   *
   * @param keeps whether they wait then, too
   * @throws what the database says of them; AtollError when they cannot be tried, or others have written meanwhile
   */
  run(statements: readonly QueuedStatement[], keeps = true): Promise<readonly QueuedAnswer[]> {
    // One after the other, as each is tried after all before it.
    this.#begun++
    const work = this.#last
      .then(() => this.#run(statements, keeps))
      .finally(() => {
        this.#begun--
      })
    this.#last = work.catch(() => undefined)
    return work
  }

  async #run(statements: readonly QueuedStatement[], keeps: boolean): Promise<readonly QueuedAnswer[]> {
    const steps: Step[] = []
    for (const statement of statements) steps.push(await this.#prepare(statement))
    const notes = await this.#try(steps)
    const answers = steps.map((step) => this.#answerOf(step, notesOf(step, notes)))
    if (keeps) {
      for (const step of steps) {
        this.#queue.push({ ...step, expected: lastingText(notesOf(step, notes)) })
      }
    }
    return answers
  }

  /** @throws AtollError when what waits could not be committed now */
  async check(): Promise<void> {
    const abort = plain(`INSERT INTO _atoll_guard VALUES ('${rollbackPrefix}')`)
    await this.#finish(() => [mayRetire, ...this.#expecting(), abort])
  }

  /**
   * Commits what waits, unless it would be other than what was told.
   *
   * @throws AtollError when nothing was committed; `SHARD025` when that is not known, KeyTaken when what comes first says so
   */
  async commit(beside: Beside = { before: [], after: [] }, timeoutMs = longestMs): Promise<void> {
    const commit = (before: readonly QueuedStatement[], after: readonly QueuedStatement[]) =>
      this.#finish(
        () => [
          ...before,
          ...beside.before.map(queuedOf),
          ...this.#expecting(),
          plain(forgetNotes),
          ...beside.after.map(queuedOf),
          ...after,
        ],
        timeoutMs,
      )
    try {
      await commit([], [])
    } catch (error) {
      if (!(error instanceof UnretiredError)) throw error
      const own = this.#queue.filter(({ meaning }) => meaning.kind === 'write')
      await this.#retired(
        own.map(({ statement }) => statement),
        commit,
      )
    }
  }

  #expecting(): QueuedStatement[] {
    return this.#queue.flatMap(({ number, noted, expected }) => [
      ...noted,
      { text: expectLines(number), values: [expected] },
    ])
  }

  /** @param commitMs how long a commit may take; null: nothing is committed */
  async #finish(statements: () => readonly QueuedStatement[], commitMs: number | null = null): Promise<void> {
    // What nobody has waited for is part of it, too.
    await this.#last
    try {
      const work = this.#batch(statements())
      await (commitMs === null ? work : within(commitMs, work, this.name))
    } catch (error) {
      const told = readTold(error)
      if (told.kind === 'notes') return
      const translated = translateDatabaseError(this.name, error)
      if (translated instanceof KeyTaken || translated instanceof UnretiredError) throw translated
      if (commitMs !== null && told.kind === 'error' && leavesOpen(error, translated)) {
        throw errors.outcomeUnknown(this.name, translated)
      }
      throw translated instanceof AtollError && told.kind === 'error'
        ? translated
        : errors.changedMeanwhile(this.name, error)
    }
  }

  async #prepare(statement: QueuedStatement): Promise<Step> {
    const { text } = statement
    const number = this.#steps++
    const meaning = this.#meaningOf(text)
    if (meaning.kind === 'read') {
      const columns = await this.#columnsOf(statement)
      const loose = this.#taint.reaches(text, meaning) ? null : new Set<number>()
      const query = noteQuery(number, `${unended(text)}\n`, { count: columns.length, loose })
      return { number, statement, meaning, columns, noted: [{ ...statement, text: query }] }
    }
    const { returning, table, alias } = meaning
    const facts = await this.#factsOf(table)
    let [columns, around]: [readonly string[], { create: string[]; drop: string[] }] = [
      [],
      { create: [], drop: [] },
    ]
    if (returning !== null) {
      if (facts.kind !== 'table') this.#cannot(text, `"${table}" is no table that triggers can be made for.`)
      const list = excerptOf(text, returning.start, returning.text, statement.values)
      const from = `FROM ${quoteName(table)} AS ${quoteName(alias)} LIMIT 0`
      columns = await this.#columnsOf({ ...list, text: `SELECT ${standingAlone(list)} ${from}` })
      const noted: Columns = { count: columns.length, loose: this.#taint.looseIn(text, meaning, facts) }
      around = {
        create: createNoting(number, meaning, withLiterals(list), facts, noted),
        drop: dropNoting(meaning),
      }
    }
    this.#taint.wrote(meaning, facts)
    const noted = [
      ...[noteStart(number), ...around.create].map(plain),
      statement,
      ...[...around.drop, noteEnd(number)].map(plain),
    ]
    return { number, statement, meaning, columns, noted }
  }

  /** What steps note, after all that waits. */
  async #try(steps: readonly Step[]): Promise<readonly Note[]> {
    const waiting = this.#queue.filter(({ meaning }) => meaning.kind === 'write')
    const before = waiting.map(({ statement }) => statement)
    try {
      await this.#batch([mayRetire, ...before, ...steps.flatMap(({ noted }) => noted), plain(undoAndTell)])
    } catch (error) {
      const told = readTold(error)
      if (told.kind === 'notes') return told.notes
      if (told.kind === 'too-large') return this.#refuse(errors.undoneTooLarge())
      if (before.length > 0 && (await this.#fails(before))) {
        return this.#refuse(errors.changedMeanwhile(this.name, error))
      }
      // A try commits nothing, whatever became of it.
      const translated = translateDatabaseError(this.name, error)
      throw leavesOpen(error, translated) ? errors.overloaded(this.name, error) : error
    }
    throw errors.internal(new Error('a try was not undone'))
  }

  /** Whether statements that could be run once no longer can. */
  async #fails(statements: readonly QueuedStatement[]): Promise<boolean> {
    try {
      await this.#batch([mayRetire, ...statements, plain(undoAndTell)])
      return true
    } catch (error) {
      return readTold(error).kind === 'error'
    }
  }

  #answerOf(step: Step, notes: readonly Note[]): QueuedAnswer {
    const { meaning, columns, statement } = step
    const rows = notes
      .filter(({ kind }) => kind === 'row')
      .map(({ text }) => (JSON.parse(text) as unknown[]).map(decoded))
    const end = notes.find(({ kind }) => kind === 'end')
    const [direct = 0, lastRowId = 0, changes = 0] = end ? (JSON.parse(end.text) as number[]) : []
    if (meaning.kind === 'write' && meaning.returning !== null && rows.length !== direct) {
      this.#cannot(
        statement.text,
        `It changed ${direct} rows of "${meaning.table}" and its triggers or foreign keys others, which its RETURNING list cannot be told from.`,
      )
    }
    return { columns, rows, changes, lastRowId }
  }

  #meaningOf(text: string): StatementMeaning {
    try {
      return readStatement(text)
    } catch (error) {
      if (error instanceof UnknownStatement) return this.#cannot(text, error.message)
      throw error
    }
  }

  #cannot(text: string, why: string): never {
    return this.#refuse(errors.notInTransaction(why, text))
  }

  /** Names of a query's columns, which D1 tells only along with its rows. */
  #columnsOf({ text, values }: QueuedStatement): Promise<readonly string[]> {
    const known = this.#columns.get(text)
    if (known) return known
    const asked = this.#binding
      .prepare(text)
      .bind(...values)
      .raw({ columnNames: true })
      .then(([columns]) => columns)
    this.#columns.set(text, asked)
    return asked
  }

  #factsOf(table: string): Promise<TableFacts> {
    const known = this.#facts.get(table) ?? readTableFacts(this.#binding, table)
    this.#facts.set(table, known)
    return known
  }

  async #batch(statements: readonly QueuedStatement[]): Promise<void> {
    await this.#binding.batch(
      statements.map(({ text, values }) => this.#binding.prepare(text).bind(...values)),
    )
  }
}

/** Begins what will be undone: whether shards refer to what it takes away is asked at the commit. */
const mayRetire = queuedOf(permitRetired('*'))

/** A statement of the engine's own as one of a transaction's. */
export function queuedOf({ text, parameters }: BoundStatement): QueuedStatement {
  return { text, values: parameters }
}

function plain(text: string): QueuedStatement {
  return { text, values: [] }
}

function notesOf({ number }: Step, notes: readonly Note[]): readonly Note[] {
  return notes.filter(({ step }) => step === number)
}

function unended(text: string): string {
  return text.replace(/[\s;]+$/, '')
}
