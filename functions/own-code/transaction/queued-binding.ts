import type { QueuedAnswer, QueuedDatabase, QueuedStatement } from './queued-database.ts'

/** A statement of such a binding, and the database's own behind it. */
interface Statement extends QueuedStatement {
  readonly inner: D1PreparedStatement
}

/**
 * A database in a transaction as a D1 binding: what is written through it waits, and what is read sees it. As long as nothing waits,
 * reads are the database's own.
 *
 * @param refuse ends the transaction for what is no statement
 */
export function queuedBinding(
  binding: D1Database,
  queued: QueuedDatabase,
  refuse: (why: string) => never,
): D1Database {
  const isDirect = (statements: readonly Statement[]) =>
    statements.every((statement) => queued.onlyReads(statement)) && queued.isEmpty
  const wrap = (inner: D1PreparedStatement, text: string, values: readonly unknown[]): object => {
    const own: Statement = { inner, text, values }
    const answer = async () => (await queued.run([own]))[0] as QueuedAnswer
    const all = async () => (isDirect([own]) ? inner.all() : resultOf(await answer()))
    return {
      ...own,
      bind: (...bound: unknown[]) => wrap(inner.bind(...bound), text, bound),
      all,
      run: all,
      raw: async (options?: { columnNames?: boolean }) => {
        if (isDirect([own])) return inner.raw(options as never)
        const { columns, rows } = await answer()
        return options?.columnNames ? [columns, ...rows] : rows
      },
      first: async (column?: string) => {
        if (isDirect([own])) return inner.first(column as never)
        const [row] = resultOf(await answer()).results
        if (row === undefined) return null
        if (column === undefined) return row
        if (!Object.hasOwn(row, column)) throw new Error(`D1_COLUMN_NOTFOUND: Column not found (${column})`)
        return row[column]
      },
    }
  }
  const made = {
    prepare: (text: string) => wrap(binding.prepare(text), text, []),
    batch: async (statements: readonly Statement[]) =>
      isDirect(statements)
        ? binding.batch(statements.map(({ inner }) => inner))
        : (await queued.run(statements)).map(resultOf),
    exec: async () => refuse('exec() runs several statements in one text; make each one of its own.'),
  }
  return made as unknown as D1Database
}

/** The same for who reads only, in sessions: what waits is seen, and nothing is added to it. */
export function readingBinding(binding: D1Database, queued: QueuedDatabase): D1Database {
  const wrap = (text: string, values: readonly unknown[]): object => ({
    text,
    values,
    bind: (...bound: unknown[]) => wrap(text, bound),
    all: async () => resultOf((await queued.run([{ text, values }], false))[0] as QueuedAnswer),
  })
  const seeing = {
    prepare: (text: string) => wrap(text, []),
    batch: async (statements: readonly QueuedStatement[]) =>
      (await queued.run(statements, false)).map(resultOf),
    getBookmark: () => null,
  }
  const made = {
    withSession: (constraint?: string) => (queued.isEmpty ? binding.withSession(constraint) : seeing),
  }
  return made as unknown as D1Database
}

function resultOf({ columns, rows, changes, lastRowId }: QueuedAnswer) {
  return {
    success: true as const,
    results: rows.map(
      (row): Record<string, unknown> => Object.fromEntries(columns.map((column, i) => [column, row[i]])),
    ),
    meta: {
      duration: 0,
      changes,
      last_row_id: lastRowId,
      changed_db: changes > 0,
      size_after: 0,
      rows_read: 0,
      rows_written: 0,
    },
  }
}
