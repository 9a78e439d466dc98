/**
 * Unique values that the app's own code has reserved and not written yet, by database.
 * @module
 */
import { getTableName } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import {
  type Claim,
  find,
  nameOf,
  type Permit,
  permitClaims,
  release,
  reserve,
} from '../../db/cluster/unique-values.ts'
import type { Row } from '../../db/sql/statement.ts'
import { endPermits } from '../../db/system/permits.ts'
import { errors } from './errors.ts'
import type { Around } from './guarded-binding.ts'

export class Reservations {
  readonly #held = new Map<string, Permit[]>()
  readonly #catalog: Catalog

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /**
   * Reserves a value for a row in a slot, which is going to be written on a database.
   *
   * @throws 23505 when another row has it; SHARD012 when others are writing it; Error for a column that needs no reservation
   */
  async add(
    database: string,
    slot: number,
    column: SQLiteColumn,
    value: string | number,
    session: ClusterSession,
  ): Promise<void> {
    const claim = this.#claimOf(column, value, slot)
    // Of one database, the column's own unique index says all.
    if (!session.cluster.sharded) return
    const { permits, taken, contended, unproven } = await reserve(session, [claim], crypto.randomUUID())
    if (taken.length > 0) {
      const { table, column: taken } = claim
      const key = table.uniques.find(({ columns }) => columns.length === 1 && columns[0] === taken.name)
      throw errors.notUnique(key?.constraint ?? taken.name, `Key (${taken.name})=(${value}) already exists.`)
    }
    const [first] = unproven
    if (first) throw errors.notProvenUnique(claim.table.name, claim.column.name, first.database, first.cause)
    if (contended) throw errors.valueContended(claim.table.name)
    const held = this.#held.get(database) ?? []
    held.push(...permits)
    this.#held.set(database, held)
  }

  get isEmpty(): boolean {
    return [...this.#held.values()].every((held) => held.length === 0)
  }

  /** What a statement that writes takes along; null when nothing is reserved on its database. */
  around(database: string): Around | null {
    const held = this.#held.get(database) ?? []
    if (held.length === 0) return null
    const taken = [...held]
    return {
      before: permitClaims(taken),
      after: { ...endPermits, text: `${endPermits.text} RETURNING name, value` },
      done: (left: readonly Row[]) => {
        const isLeft = ({ claim }: Permit) =>
          left.some(({ name, value }) => name === nameOf(claim) && value === claim.value)
        // Others may have been reserved meanwhile.
        const used = taken.filter((permit) => !isLeft(permit))
        const now = this.#held.get(database) ?? []
        this.#held.set(
          database,
          now.filter((permit) => !used.includes(permit)),
        )
      },
    }
  }

  /** Gives back what no row has used. */
  async release(session: ClusterSession): Promise<void> {
    const unused = [...this.#held.values()].flat().map(({ claim }) => claim)
    this.#held.clear()
    for (const { table, column, value } of unused) {
      await release(session, await find(session, table, column, [value]))
    }
  }

  #claimOf(column: SQLiteColumn, value: string | number, slot: number): Claim {
    const table = this.#catalog.tables.get(getTableName(column.table))
    const known = table?.columns.get(column.name)
    if (!table || !known || !table.uniqueAcrossShards.includes(known.name)) {
      throw new Error(
        `${getTableName(column.table)}.${column.name} is not unique over all shards: there is nothing to reserve`,
      )
    }
    return { table, column: known, value: String(value), slot }
  }
}
