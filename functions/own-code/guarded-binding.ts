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

export interface Guard {
  /** @param command of SQL that may write. @throws 405 25006 when nothing may be written */
  check(command: string): void
  /** Is told that something may have been written. */
  written(): void
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
  const bound = ({ text, parameters }: BoundStatement) => database.prepare(text).bind(...parameters)

  /** Runs statements with what goes around them. */
  const batch = async (statements: readonly Guarded[]): Promise<D1Result[]> => {
    const inner = statements.map((statement) => statement.inner)
    const writing = statements.find(({ writes }) => writes)
    if (writing === undefined) return guard.call(() => database.batch(inner), inner.length)
    guard.check(commandOf(writing.text))
    const around = guard.around()
    const run = async (first: readonly BoundStatement[], last: readonly BoundStatement[]) => {
      const before = [...first, ...(around?.before ?? [])]
      const after = [...(around ? [around.after] : []), ...last]
      const all = [...before.map(bound), ...inner, ...after.map(bound)]
      const results = await guard.call(() => database.batch(all), all.length)
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
      guard.written()
    }
  }

  const one = async (statement: Guarded) => (await batch([statement]))[0] as D1Result<Record<string, unknown>>

  const wrap = (text: string, inner: D1PreparedStatement, values: readonly unknown[]): Guarded => {
    const writes = !asks(text)
    /** @param taking runs it with what goes around it, when there is anything */
    const run = async <Result>(
      plain: () => Promise<Result>,
      taking: () => Promise<Result>,
    ): Promise<Result> => {
      if (!writes) return guard.call(plain, 1)
      guard.check(commandOf(text))
      if (guard.around() !== null) return taking()
      try {
        return await guard.call(plain, 1)
      } catch (error) {
        if (error instanceof UnretiredError) return await taking()
        throw error
      } finally {
        guard.written()
      }
    }
    const statement = {
      inner,
      writes,
      text,
      values,
      bind: (...next: unknown[]) => wrap(text, inner.bind(...next), next),
      all: () =>
        run(
          () => inner.all<Record<string, unknown>>(),
          () => one(statement),
        ),
      run: () =>
        run(
          () => inner.run<Record<string, unknown>>(),
          () => one(statement),
        ),
      raw: (options?: never) =>
        run<unknown>(
          () => inner.raw(options as never),
          async () => {
            const named = prepare(namedReturning(text))
            const { results } = await one(values.length === 0 ? named : (named.bind(...values) as Guarded))
            return results.map((row) => Object.values(row))
          },
        ),
      first: (column?: string) =>
        run<unknown>(
          () => (column === undefined ? inner.first() : inner.first(column)),
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
      try {
        return await guard.call(() => database.exec(text), 1)
      } finally {
        guard.written()
      }
    },
  }
  return binding as unknown as D1Database
}
