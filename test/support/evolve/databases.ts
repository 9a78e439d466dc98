/**
 * Empty databases: D1 in Miniflare, many to one process, or SQLite in memory.
 * @module
 */
import { DatabaseSync } from 'node:sqlite'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import { doorOptions, openDatabase } from '../../../db/doors/database-door.ts'
import type { MigrationDatabase, MigrationStatement } from '../../../db/sql/migration-database.ts'

/** What the test needs of a database, whoever has it. */
export type TestDatabase = MigrationDatabase

export type OpenFresh = (names: readonly string[]) => Promise<ReadonlyMap<string, TestDatabase>>

const perProcess = 200

export interface DatabasePool {
  readonly open: OpenFresh
  close(): Promise<void>
}

/** Starting a process for each evolution would take longer than the evolution. */
export function createDatabasePool(): DatabasePool {
  const processes: Miniflare[] = []
  let used = perProcess
  let turn: Promise<unknown> = Promise.resolve()

  async function openNow(names: readonly string[]) {
    if (used + names.length > perProcess) {
      // Evolutions that are still being played have their databases in the process before.
      if (processes.length > 1) await processes.shift()?.dispose()
      const next = startProcess()
      processes.push(next)
      await next.ready
      used = 0
    }
    const own = processes.at(-1) as Miniflare
    return new Map(
      names.map((name) => {
        used += 1
        return [name, openDatabase(own, `D${used - 1}`) as unknown as TestDatabase] as const
      }),
    )
  }

  return {
    open(names) {
      const mine = turn.then(() => openNow(names))
      turn = mine.catch(() => undefined)
      return mine
    },
    async close() {
      await Promise.all(processes.splice(0).map((process) => process.dispose()))
      used = perProcess
    },
  }
}

function startProcess(): Miniflare {
  const bindings = Array.from({ length: perProcess }, (_, i) => `D${i}`)
  return new Miniflare(
    convertV4MiniflareOptions({
      workers: [doorOptions(Object.fromEntries(bindings.map((name) => [name, name])))],
      log: new Log(LogLevel.NONE),
    } as never),
  )
}

class MemoryStatement implements MigrationStatement {
  readonly text: string
  readonly #database: DatabaseSync
  constructor(text: string, database: DatabaseSync) {
    this.text = text
    this.#database = database
  }
  bind(): MemoryStatement {
    throw new Error('a database in memory takes no parameters')
  }
  async all<T>(): Promise<{ results: T[] }> {
    return { results: this.#database.prepare(this.text).all() as T[] }
  }
}

/** SQLite in memory, as a migration sees a database; `database` is where it is. */
export class MemoryDatabase implements TestDatabase {
  readonly database: DatabaseSync
  constructor(database: DatabaseSync) {
    this.database = database
  }
  prepare(text: string): MemoryStatement {
    return new MemoryStatement(text, this.database)
  }
  async batch(statements: MigrationStatement[]): Promise<{ results: unknown[] }[]> {
    this.database.exec('BEGIN')
    try {
      const answers: { results: unknown[] }[] = []
      for (const statement of statements) answers.push(await statement.all())
      this.database.exec('COMMIT')
      return answers
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK')
      throw error
    }
  }
}

export const openInMemory: OpenFresh = async (names) =>
  new Map(
    names.map((name) => [
      name,
      new MemoryDatabase(new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: true })),
    ]),
  )
