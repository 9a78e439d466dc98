/** What stands in for a database opened at a bookmark. */
export interface OpenedDatabase {
  readonly session: Pick<D1DatabaseSession, 'prepare' | 'batch'>
  getBookmark(): string | null
  /** Sees one call, and answers for it: as the database does, later, otherwise, or not at all. */
  around<T>(call: () => Promise<T>): Promise<T>
}

/** A D1 binding whose calls a test sees, delays or spoils: those that the engine makes, through sessions. */
export function wrapDatabase(open: (constraint: string) => OpenedDatabase): D1Database {
  const withSession = (constraint = 'first-unconstrained') => {
    const { session, around, getBookmark } = open(constraint)
    const wrap = (statement: D1PreparedStatement): object => ({
      inner: statement,
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all: () => around(() => statement.all()),
    })
    return {
      prepare: (text: string) => wrap(session.prepare(text)),
      batch: (statements: readonly { inner: D1PreparedStatement }[]) =>
        around(() => session.batch(statements.map(({ inner }) => inner))),
      getBookmark,
    }
  }
  return { withSession } as unknown as D1Database
}

/** An environment with other databases in the place of its own. */
export function replaceDatabases(
  env: Record<string, unknown>,
  replace: (database: D1Database) => D1Database,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      /^(?:DB|SHARD_\d+)$/.test(name) ? replace(value as D1Database) : value,
    ]),
  )
}

/** An environment whose databases tell of each call. */
export function countingCalls(env: Record<string, unknown>, count: () => void): Record<string, unknown> {
  return replaceDatabases(env, (database) =>
    wrapDatabase((constraint) => {
      const session = database.withSession(constraint)
      return {
        session,
        getBookmark: () => session.getBookmark(),
        around: (call) => {
          count()
          return call()
        },
      }
    }),
  )
}
