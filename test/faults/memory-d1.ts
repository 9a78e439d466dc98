/**
 * D1 as the checkers have it: a primary in memory, and a replica that gets its transactions later. Calls take virtual time.
 * @module
 */
import type { DatabaseSync } from 'node:sqlite'
import { pause } from '../../db/cluster/pause.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { transact } from './memory-database.ts'

export interface MemoryD1Options {
  /** How long a call takes, each way. */
  readonly callMs: () => number
  /** How long a transaction takes to its replica. */
  readonly lagMs: () => number
}

/** A statement as D1 prepares it. */
interface Prepared extends BoundStatement {
  bind(...parameters: BoundStatement['parameters']): Prepared
  all(): Promise<{ results: Row[]; meta: object }>
}

interface Logged {
  readonly statements: readonly BoundStatement[]
  readonly at: number
}

export class MemoryD1 {
  readonly primary: DatabaseSync
  readonly #replica: DatabaseSync
  readonly #options: MemoryD1Options
  /** Transactions that wrote, and when. */
  readonly #log: Logged[] = []
  /** What time SQL takes it for: a transaction says the same on its replica, as pages and not statements go there. */
  #clock: number | null = null
  #applied = 0
  /** When the last of them will have come to the replica. */
  #appliedAt = 0
  #isClosed = false

  constructor(open: () => DatabaseSync, options: MemoryD1Options) {
    this.primary = this.#withClock(open())
    this.#replica = this.#withClock(open())
    this.#options = options
  }

  close(): void {
    this.#isClosed = true
    this.primary.close()
    this.#replica.close()
  }

  /** Runs statements as one transaction, at once. */
  commit(statements: readonly BoundStatement[]): Row[][] {
    const before = this.#changes()
    const results = transact(this.primary, statements, (text) => text)
    if (this.#changes() !== before || statements.some(({ text }) => /^(?:CREATE|DROP)/.test(text))) {
      this.#log.push({ statements, at: Date.now() })
      const upTo = this.#log.length
      // In order: what one transaction waits for, those behind it wait for as well.
      this.#appliedAt = Math.max(this.#appliedAt, Date.now() + this.#options.lagMs())
      void pause(this.#appliedAt - Date.now()).then(() => this.#apply(upTo))
    }
    return results
  }

  #withClock(database: DatabaseSync): DatabaseSync {
    database.function('unixepoch', { varargs: true }, (...modifiers) => {
      const seconds = (this.#clock ?? Date.now()) / 1000
      return modifiers.includes('subsec') ? seconds : Math.floor(seconds)
    })
    return database
  }

  #changes(): number {
    return Number(this.primary.prepare('SELECT total_changes() AS n').get()?.n)
  }

  #apply(upTo: number): void {
    if (this.#isClosed) return
    for (; this.#applied < upTo; this.#applied++) {
      const { statements, at } = this.#log[this.#applied] as Logged
      this.#clock = at
      transact(this.#replica, statements, (text) => text)
      this.#clock = null
    }
  }

  /** As the binding itself, without a session. */
  prepare(text: string): Prepared {
    return this.withSession('first-primary').prepare(text)
  }

  async batch(statements: readonly Prepared[]) {
    return this.withSession('first-primary').batch(statements)
  }

  withSession(constraint: string) {
    const bookmark = (n: number) => String(n).padStart(12, '0')
    let seen: string | null = null
    const run = async (statements: readonly BoundStatement[]) => {
      await pause(this.#options.callMs())
      const isReplica = constraint !== 'first-primary'
      // A replica that is not as new as the bookmark waits, or the primary answers.
      const knows = constraint === 'first-unconstrained' || bookmark(this.#applied) >= constraint
      try {
        const results =
          isReplica && knows ? transact(this.#replica, statements, (text) => text) : this.commit(statements)
        seen = bookmark(isReplica && knows ? this.#applied : this.#log.length)
        await pause(this.#options.callMs())
        return results
      } catch (error) {
        throw new Error(`D1_ERROR: ${(error as Error).message}: SQLITE_CONSTRAINT`)
      }
    }
    const told = (results: Row[]) => ({ results, meta: { size_after: 4096 } })
    const prepare = (text: string, parameters: BoundStatement['parameters'] = []): Prepared => ({
      text,
      parameters,
      bind: (...values) => prepare(text, values),
      all: async () => told((await run([{ text, parameters }]))[0] as Row[]),
    })
    return {
      prepare: (text: string) => prepare(text),
      batch: async (statements: readonly Prepared[]) => (await run(statements)).map(told),
      getBookmark: () => seen,
    }
  }
}
