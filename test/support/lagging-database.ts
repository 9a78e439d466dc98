/**
 * A D1 database with a replica that lags behind it for as long as the test likes: two local databases, of which the one is
 * copied to the other when told. Bookmarks are numbers of writes, padded so that they compare as text.
 */

import { wrapDatabase } from './wrap-database.ts'

/** A table that the replica follows. */
export interface Followed {
  readonly name: string
  readonly columns: readonly string[]
}

export class LaggingDatabase {
  readonly #primary: D1Database
  readonly #replica: D1Database
  readonly #tables: readonly Followed[]
  #written = 0
  #copied = 0
  /** Reads that the replica has answered. */
  fromReplica = 0

  constructor(primary: D1Database, replica: D1Database, tables: readonly Followed[]) {
    this.#primary = primary
    this.#replica = replica
    this.#tables = tables
  }

  /** The replica is now where the primary is. */
  async catchUp(): Promise<void> {
    const position = this.#written
    const statements: D1PreparedStatement[] = [this.#replica.prepare('PRAGMA defer_foreign_keys = ON')]
    for (const { name, columns } of this.#tables) {
      const { results } = await this.#primary
        .prepare(`SELECT json_array(${columns.join(', ')}) AS r FROM ${name}`)
        .all<{ r: string }>()
      const values = columns.map((_, i) => `value->>${i}`).join(', ')
      statements.push(
        this.#replica.prepare(`DELETE FROM ${name}`),
        this.#replica
          .prepare(`INSERT INTO ${name} (${columns.join(', ')}) SELECT ${values} FROM json_each(?)`)
          .bind(`[${results.map(({ r }) => r).join(',')}]`),
      )
    }
    await this.#replica.batch(statements)
    this.#copied = position
  }

  /** What stands in for the binding: reads that may be old come from the replica. */
  binding(): D1Database {
    return wrapDatabase((constraint) => {
      const isPrimary = constraint === 'first-primary'
      const needs = isPrimary || constraint === 'first-unconstrained' ? 0 : Number(constraint)
      const fromReplica = !isPrimary && needs <= this.#copied
      let seen = fromReplica ? this.#copied : this.#written
      return {
        session: fromReplica ? this.#replica : this.#primary,
        getBookmark: () => String(seen).padStart(12, '0'),
        around: async (call) => {
          const result = await call()
          if (fromReplica) this.fromReplica++
          else if (isPrimary) this.#written++
          seen = fromReplica ? this.#copied : this.#written
          return result
        },
      }
    })
  }
}
