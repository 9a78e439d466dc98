/**
 * A D1 binding as the app's own code has it: what it writes is noted, what it reserved goes along with it, and what fails for want of
 * copies is run again when they are there.
 * @module
 */
import type { BoundStatement, Row } from '../db/cluster/cluster.ts'

/** What goes around a writing statement, in one transaction with it. */
export interface Around {
  readonly before: readonly BoundStatement[]
  readonly after: BoundStatement
  /** Is told what the last statement answered, when all is committed. */
  done(rows: readonly Row[]): void
}

export interface Guard {
  /** Is told that something may have been written. */
  written(): void
  /** Null: nothing. */
  around(): Around | null
  /** Makes a call, which has committed nothing when it fails; its errors are those that the app is to see. */
  call<Result>(make: () => Promise<Result>): Promise<Result>
}

/** Statements that change nothing. */
const reading = /^\s*(?:select|explain|values|with\b(?![\s\S]*\b(?:insert|update|delete|replace)\b))/i

/** A statement and the binding's own behind it. */
interface Guarded extends D1PreparedStatement {
  readonly inner: D1PreparedStatement
  readonly writes: boolean
}

export function guardedBinding(database: D1Database, guard: Guard): D1Database {
  const bound = ({ text, parameters }: BoundStatement) => database.prepare(text).bind(...parameters)

  /** Runs statements with what goes around them. */
  const batch = async (statements: readonly Guarded[]): Promise<D1Result[]> => {
    const inner = statements.map((statement) => statement.inner)
    if (!statements.some(({ writes }) => writes)) return guard.call(() => database.batch(inner))
    const around = guard.around()
    try {
      if (around === null) return await guard.call(() => database.batch(inner))
      const { before, after, done } = around
      const all = () => database.batch([...before.map(bound), ...inner, bound(after)])
      const results = await guard.call(all)
      done((results.at(-1) as D1Result<Row>).results)
      return results.slice(before.length, -1)
    } finally {
      // An answer that is lost is no sign that nothing was written.
      guard.written()
    }
  }

  const wrap = (inner: D1PreparedStatement, writes: boolean): Guarded => {
    const one = async () => (await batch([statement]))[0] as D1Result<Record<string, unknown>>
    const run = async <Result>(
      plain: () => Promise<Result>,
      read: (result: D1Result<Record<string, unknown>>) => Result,
    ): Promise<Result> => {
      if (!writes) return guard.call(plain)
      if (guard.around() !== null) return read(await one())
      try {
        return await guard.call(plain)
      } finally {
        guard.written()
      }
    }
    const statement = {
      inner,
      writes,
      bind: (...values: unknown[]) => wrap(inner.bind(...values), writes),
      all: () =>
        run(
          () => inner.all<Record<string, unknown>>(),
          (result) => result,
        ),
      run: () =>
        run(
          () => inner.run<Record<string, unknown>>(),
          (result) => result,
        ),
      raw: (options?: never) =>
        run<unknown>(
          () => inner.raw(options as never),
          ({ results }) => results.map((row) => Object.values(row)),
        ),
      first: (column?: string) =>
        run<unknown>(
          () => (column === undefined ? inner.first() : inner.first(column)),
          ({ results: [row] }) => (column === undefined ? row : row?.[column]) ?? null,
        ),
    } as unknown as Guarded
    return statement
  }

  const binding = {
    prepare: (text: string) => wrap(database.prepare(text), !reading.test(text)),
    batch,
    async exec(text: string) {
      try {
        return await guard.call(() => database.exec(text))
      } finally {
        guard.written()
      }
    },
  }
  return binding as unknown as D1Database
}
