import { isPunctuation, mentions } from '../../../db/sql/sql-tokens.ts'
import type { StatementMeaning, WriteMeaning } from './read-statement.ts'
import type { TableFacts } from './table-facts.ts'

/**
 * Where values lie that are others when a transaction is run again, as the time of day and what is random. What is read of them need
 * not be the same at the commit; everything else must.
 */
export class ClockTaint {
  /** By table: the columns; null: any of them. */
  readonly #columns = new Map<string, Set<string> | null>()
  #everywhere = false

  wrote({ table, events, hasClock }: WriteMeaning, { clockDefaults, hasClockTriggers }: TableFacts): void {
    if (hasClockTriggers) this.#everywhere = true
    if (hasClock) this.#columns.set(table, null)
    const known = this.#columns.get(table)
    if (events[0] !== 'INSERT' || clockDefaults.size === 0 || known === null) return
    this.#columns.set(table, new Set([...(known ?? []), ...clockDefaults]))
  }

  /** Whether what a statement answers may come from there. */
  reaches(sql: string, { hasClock }: StatementMeaning): boolean {
    if (hasClock || this.#everywhere) return true
    return [...this.#columns].some(([table, columns]) => {
      if (!mentions(sql, table)) return false
      return columns === null || /\*/.test(sql) || [...columns].some((column) => mentions(sql, column))
    })
  }

  /** Columns of a RETURNING list that may be otherwise the next time; null: any. */
  looseIn(sql: string, meaning: WriteMeaning, facts: TableFacts): ReadonlySet<number> | null {
    const loose = new Set<number>()
    let at = 0
    for (const item of meaning.returning?.items ?? []) {
      const [first] = item
      const isStar = item.length === 1 && isPunctuation(first, '*')
      const texts = isStar ? facts.columns : [item.map(({ text }) => text).join(' ')]
      for (const text of texts) {
        const isLoose = [...facts.clockDefaults].some((name) =>
          isStar ? name === text : mentions(text, name),
        )
        if (isLoose) loose.add(at)
        at++
      }
    }
    // A row's own defaults are known by their columns; what was written before may be in any.
    const isPlainInsert =
      meaning.events[0] === 'INSERT' && meaning.events.length === 1 && !mentions(sql, 'select')
    if (meaning.hasClock || (!isPlainInsert && this.reaches(sql, meaning))) return null
    return meaning.events[0] === 'INSERT' ? loose : new Set()
  }
}
