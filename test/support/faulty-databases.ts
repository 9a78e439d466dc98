/** Databases whose writes commit and say so, or commit and do not say so, or commit much later, or not at all. */

export type Fate =
  /** As it should be. */
  | 'answered'
  /** The connection breaks before anything is sent. */
  | 'lost-before'
  /** It is committed, and the answer does not come. */
  | 'lost-after'
  /** No answer comes in time, and it is committed then. */
  | 'late'

export interface Faults {
  /** Asked for each call to a database. */
  readonly fateOf: (database: string) => Fate
  /** How late it is committed that is late, in milliseconds. */
  readonly lateMs: number
}

/** Databases and what they have still to do. */
export interface FaultyDatabases {
  readonly bindings: Readonly<Record<string, D1Database>>
  /** When all is committed that was late. */
  readonly settled: () => Promise<void>
}

const lost = () => new Error('D1_ERROR: Network connection lost.')

export function faultyDatabases(
  databases: Readonly<Record<string, D1Database>>,
  faults: Faults,
): FaultyDatabases {
  const pending: Promise<unknown>[] = []
  const suffer = async <T>(name: string, call: () => Promise<T>): Promise<T> => {
    switch (faults.fateOf(name)) {
      case 'answered':
        return call()
      case 'lost-before':
        throw lost()
      case 'lost-after':
        await call()
        throw lost()
      case 'late': {
        const work = new Promise((done) => setTimeout(done, faults.lateMs)).then(call)
        pending.push(work.catch(() => undefined))
        return work
      }
    }
  }
  type Inner = Pick<D1Database, 'prepare' | 'batch'>
  const over = (name: string, inner: Inner) => {
    const wrap = (statement: D1PreparedStatement): object => ({
      inner: statement,
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all: () => suffer(name, () => statement.all()),
      run: () => suffer(name, () => statement.run()),
      raw: (options?: never) => suffer(name, () => statement.raw(options as never)),
    })
    return {
      prepare: (text: string) => wrap(inner.prepare(text)),
      batch: (statements: readonly { inner: D1PreparedStatement }[]) =>
        suffer(name, () => inner.batch(statements.map((statement) => statement.inner))),
    }
  }
  const bindings = Object.entries(databases).map(([name, database]) => [
    name,
    {
      ...over(name, database),
      withSession: (constraint: string) => {
        const session = database.withSession(constraint)
        return { ...over(name, session), getBookmark: () => session.getBookmark() }
      },
    },
  ])
  return {
    bindings: Object.fromEntries(bindings),
    async settled() {
      for (let work = pending.shift(); work; work = pending.shift()) await work
    },
  }
}
