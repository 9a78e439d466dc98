import { quoteName } from '../sql/quote.ts'
import { endPermitsText, permitAllText } from '../system/permits.ts'

/** Rows of every table that the seed filled; each table's rows as one JSON array. */
export interface SeedRows {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: string
}

/**
 * Statements that put rows in, one parameter each; the first lets parents come after their children. Rows that are there already are
 * left alone: a seed that was interrupted goes on.
 */
export function seedStatements(database: D1Database, rows: readonly SeedRows[]): D1PreparedStatement[] {
  return [
    database.prepare('PRAGMA defer_foreign_keys = ON'),
    database.prepare(permitAllText),
    ...rows.map(({ table, columns, rows: json }) => {
      const names = columns.map(quoteName).join(',')
      const values = columns.map((_, i) => `value->>${i}`).join(',')
      return database
        .prepare(`INSERT OR IGNORE INTO ${quoteName(table)} (${names}) SELECT ${values} FROM json_each(?)`)
        .bind(json)
    }),
    database.prepare(endPermitsText),
  ]
}
