/**
 * D1 as a checker has it that needs no time: a database in memory, and something that is done before each call.
 * @module
 */
import type { DatabaseSync } from 'node:sqlite'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { transact } from './memory-database.ts'

interface Prepared extends BoundStatement {
  bind(...parameters: BoundStatement['parameters']): Prepared
  all(): Promise<{ results: Row[]; meta: object }>
}

/** @param around is called before a call, and after it; what it throws, the caller gets in the place of the answer */
export function hookedD1(database: DatabaseSync, around: (when: 'before' | 'after') => void): D1Database {
  const run = async (statements: readonly BoundStatement[]) => {
    around('before')
    let results: Row[][]
    try {
      results = transact(database, statements, (text) => text)
    } catch (error) {
      throw new Error(`D1_ERROR: ${(error as Error).message}: SQLITE_CONSTRAINT`)
    }
    around('after')
    return results
  }
  const told = (results: Row[]) => ({ results, meta: {} })
  const prepare = (text: string, parameters: BoundStatement['parameters'] = []): Prepared => ({
    text,
    parameters,
    bind: (...values) => prepare(text, values),
    all: async () => told((await run([{ text, parameters }]))[0] as Row[]),
  })
  const own = {
    prepare: (text: string) => prepare(text),
    batch: async (statements: readonly Prepared[]) => (await run(statements)).map(told),
    getBookmark: () => null,
  }
  return { ...own, withSession: () => own } as unknown as D1Database
}
