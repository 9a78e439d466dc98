import { quoteName } from '../sql/quote.ts'
import { sameName } from '../sql/sql-tokens.ts'
import type { Planner } from './planner.ts'
import type { StatementOf } from './statement.ts'

/**
 * Tables that a migration drops. One that others still refer to waits until they do no longer, or go as well: what is written first
 * need not be done first.
 */
export class TableDrops {
  readonly #planner: Planner
  #waiting: StatementOf<'drop-table'>[] = []

  constructor(planner: Planner) {
    this.#planner = planner
  }

  drop(operation: StatementOf<'drop-table'>): void {
    const { model } = this.#planner
    const table = model.table(operation.table)
    if (!table) {
      if (operation.ifExists) return
      throw this.#planner.error(`there is no table ${operation.table}`)
    }
    // Rows that go with their parents are told by no trigger.
    this.#planner.dropSearchOf(table.name)
    for (const { name } of model.triggersOn(table.name)) this.#planner.run(`DROP TRIGGER ${quoteName(name)}`)
    this.#waiting.push(operation)
    this.settle()
  }

  /** Drops those that nothing is in the way of any more. */
  settle(): void {
    for (let isDone = false; !isDone; ) {
      const [free] = this.#waiting.filter((operation) => this.#childOf(operation) === null)
      isDone = free === undefined
      if (free) this.#dropNow(free)
    }
  }

  /** @throws MigrationError when a table is still referred to */
  finish(): void {
    this.settle()
    const [left] = this.#waiting
    if (!left) return
    this.#planner.source = left.sql
    throw this.#planner.error(
      `${this.#childOf(left)} still refers to ${left.table}`,
      'Take that foreign key out of the schema in the same migration, or before.',
    )
  }

  /** A table and column that refer to one that is to go, and are not to go themselves; null when there is none. */
  #childOf({ table }: StatementOf<'drop-table'>): string | null {
    for (const child of this.#planner.model.tables.values()) {
      if (this.#waiting.some((going) => sameName(going.table, child.name))) continue
      const key = child.foreignKeys.find(({ parent }) => sameName(parent, table))
      if (key) return `${child.name}.${key.columns.join(', ')}`
    }
    return null
  }

  #dropNow(operation: StatementOf<'drop-table'>): void {
    const planner = this.#planner
    const { source } = planner
    planner.source = operation.sql
    const going = this.#waiting.map(({ table }) => table)
    // Each row's deletion looks for its children.
    for (const name of going) {
      const child = planner.model.table(name)
      const keys = child?.foreignKeys.filter(({ parent }) => sameName(parent, operation.table)) ?? []
      for (const { columns } of keys) planner.temporaryIndex(name, columns)
    }
    planner.run(`DROP TABLE ${quoteName(operation.table)}`)
    planner.rewritten.add(operation.table)
    this.#waiting = this.#waiting.filter((other) => other !== operation)
    planner.source = source
  }
}
