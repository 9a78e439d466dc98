/**
 * A D1 binding as the app's own code has it: what it writes is noted, what it reserved goes along with it, and what fails for want of
 * copies is run again when they are there.
 * @module
 */

import { asks } from '../../db/cluster/unknown-outcome.ts'
import { UnretiredError } from '../../db/errors/constraint-error.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { namedReturning } from './named-returning.ts'

/** What goes around a writing statement, in one transaction with it. */
export interface Around {
  readonly before: readonly BoundStatement[]
  readonly after: BoundStatement
  /** Is told what the last statement answered, when all is committed. */
  done(rows: readonly Row[]): void
}

/** Where rows of a slot are. */
export interface Follows {
  /** The database that had them when they were looked for last; null: the one that statements were prepared by. */
  last(): D1Database | null
  /** Asked after a read: the database that has them by now, null when that is where they were read. */
  movedFrom(read: D1Database): Promise<D1Database | null>
}

export interface Guard {
  /** @param command of SQL that may write. @throws 405 25006 when nothing may be written */
  check(command: string): void
  /** Is told that something may have been written. @param where null: on the database itself */
  written(where: D1Database | null): void
  /** Null: nothing. */
  around(): Around | null
  /**
   * Runs statements that take away reference rows that shards may refer to, in what that needs around them.
   *
   * @param run its statements go before and behind
   */
  retired<Result>(
    statements: readonly BoundStatement[],
    run: (before: readonly BoundStatement[], after: readonly BoundStatement[]) => Promise<Result>,
  ): Promise<Result>
  /**
   * Makes a call, which has committed nothing when it fails; its errors are those that the app is to see.
   *
   * @param statements how many it runs
   */
  call<Result>(make: () => Promise<Result>, statements: number): Promise<Result>
  /** Of rows that follow their slot; left out for what follows none. */
  readonly follows?: Follows
}

/** A statement and the binding's own behind it. */
interface Guarded extends D1PreparedStatement {
  readonly inner: D1PreparedStatement
  readonly writes: boolean
  readonly text: string
  readonly values: readonly unknown[]
}

/** A statement of the app's as one of the engine's own: its values are what D1 takes. */
export function boundOf({
  text,
  values,
}: {
  readonly text: string
  readonly values: readonly unknown[]
}): BoundStatement {
  return { text, parameters: values as BoundStatement['parameters'] }
}

/** What a statement that writes does, as PostgreSQL names it. */
function commandOf(text: string): string {
  return (
    /\b(?:insert|update|delete|replace)\b|^\s*\w+/i.exec(text)?.[0].trim().toUpperCase() ?? 'the statement'
  )
}

export function guardedBinding(database: D1Database, guard: Guard): D1Database {
  /**
   * Reads, and once more where the rows are by now when they had moved: who lets go of them tells nobody who reads, so they are looked for after it.
   *
   * @param from whether the binding is the one that statements were prepared by
   */
  const read = async <Result>(
    statements: number,
    run: (from: D1Database | null) => Promise<Result>,
  ): Promise<Result> => {
    let from = guard.follows?.last() ?? null
    for (;;) {
      const at = from
      const result = await guard.call(() => run(at), statements)
      const elsewhere = (await guard.follows?.movedFrom(at ?? database)) ?? null
      if (elsewhere === null) return result
      from = elsewhere
    }
  }
  /** Where a write belongs, asked before it; null: to the database itself. What was reserved there is written there, or not at all. */
  const placeOf = async (around: Around | null): Promise<D1Database | null> => {
    if (!guard.follows || around !== null) return null
    const at = guard.follows.last()
    return (await guard.follows.movedFrom(at ?? database)) ?? at
  }
  const preparedOn = (from: D1Database | null, { inner, text, values }: Guarded): D1PreparedStatement =>
    from === null ? inner : values.length === 0 ? from.prepare(text) : from.prepare(text).bind(...values)

  /** Runs statements with what goes around them. */
  const batch = async (statements: readonly Guarded[]): Promise<D1Result[]> => {
    const writing = statements.find(({ writes }) => writes)
    if (writing === undefined)
      return read(statements.length, (from) =>
        (from ?? database).batch(statements.map((statement) => preparedOn(from, statement))),
      )
    guard.check(commandOf(writing.text))
    const around = guard.around()
    const place = await placeOf(around)
    const at = place ?? database
    const inner = statements.map((statement) => preparedOn(place, statement))
    const bound = ({ text, parameters }: BoundStatement) => at.prepare(text).bind(...parameters)
    const run = async (first: readonly BoundStatement[], last: readonly BoundStatement[]) => {
      const before = [...first, ...(around?.before ?? [])]
      const after = [...(around ? [around.after] : []), ...last]
      const all = [...before.map(bound), ...inner, ...after.map(bound)]
      const results = await guard.call(() => at.batch(all), all.length)
      const own = before.length + inner.length
      around?.done((results[own] as D1Result<Row>).results)
      return results.slice(before.length, own)
    }
    try {
      return await run([], [])
    } catch (error) {
      if (!(error instanceof UnretiredError)) throw error
      return await guard.retired([...(around?.before ?? []), ...statements.map(boundOf)], run)
    } finally {
      // An answer that is lost is no sign that nothing was written.
      guard.written(place)
    }
  }

  const one = async (statement: Guarded) => (await batch([statement]))[0] as D1Result<Record<string, unknown>>

  const wrap = (text: string, inner: D1PreparedStatement, values: readonly unknown[]): Guarded => {
    const writes = !asks(text)
    /** @param taking runs it with what goes around it, when there is anything */
    const run = async <Result>(
      plain: (inner: D1PreparedStatement) => Promise<Result>,
      taking: () => Promise<Result>,
    ): Promise<Result> => {
      if (!writes) return read(1, (from) => plain(preparedOn(from, statement)))
      guard.check(commandOf(text))
      if (guard.around() !== null) return taking()
      const place = await placeOf(null)
      try {
        return await guard.call(() => plain(preparedOn(place, statement)), 1)
      } catch (error) {
        if (error instanceof UnretiredError) return await taking()
        throw error
      } finally {
        guard.written(place)
      }
    }
    const statement: Guarded = {
      inner,
      writes,
      text,
      values,
      bind: (...next: unknown[]) => wrap(text, inner.bind(...next), next),
      all: () =>
        run(
          (inner) => inner.all<Record<string, unknown>>(),
          () => one(statement),
        ),
      run: () =>
        run(
          (inner) => inner.run<Record<string, unknown>>(),
          () => one(statement),
        ),
      raw: (options?: never) =>
        run<unknown>(
          (inner) => inner.raw(options as never),
          async () => {
            const named = prepare(namedReturning(text))
            const { results } = await one(values.length === 0 ? named : (named.bind(...values) as Guarded))
            return results.map((row) => Object.values(row))
          },
        ),
      first: (column?: string) =>
        run<unknown>(
          (inner) => (column === undefined ? inner.first() : inner.first(column)),
          async () => {
            const [row] = (await one(statement)).results
            return (column === undefined ? row : row?.[column]) ?? null
          },
        ),
    } as unknown as Guarded
    return statement
  }

  const prepare = (text: string) => wrap(text, database.prepare(text), [])

  const binding = {
    prepare,
    batch,
    async exec(text: string) {
      guard.check('exec()')
      if (guard.around() !== null) {
        throw new Error('exec() takes along nothing that was reserved: prepare the statement')
      }
      const place = await placeOf(null)
      const at = place ?? database
      try {
        return await guard.call(() => at.exec(text), 1)
      } finally {
        guard.written(place)
      }
    },
  }
  return binding as unknown as D1Database
}
