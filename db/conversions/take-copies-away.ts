import { plain, withoutTriggers } from '../moves/cargo.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { copiedKey } from '../system/copy-reference-tables.ts'
import { permittedTexts } from '../system/permits.ts'
import type { Conversion } from './conversion.ts'
import type { ConversionWorld } from './conversion-world.ts'

/** Rows that are taken away at once. */
const rowsAtOnce = 5000

/**
 * Takes the copies of tables that are no reference tables any more away from the shards, which have no slots at this moment: nobody asks them.
 * What they note of their copies goes first, so that a conversion that is given up makes them anew.
 */
export async function takeCopiesAway({ databases }: ConversionWorld, { tables }: Conversion): Promise<void> {
  const copied = tables.filter(({ from }) => from === 'reference').map(({ table }) => table)
  if (copied.length === 0) return
  for (const [name, database] of databases) {
    if (name === 'DB') continue
    const paths = copied.map((table) => quoteText(`$.${JSON.stringify(table)}`)).join(', ')
    await database.batch([
      database.prepare(
        `UPDATE _atoll_state SET value = json_remove(value, ${paths}) WHERE key = '${copiedKey}' AND json_valid(value)`,
      ),
    ])
    // Tables that refer to others were declared behind them.
    for (const table of copied.toReversed()) await empty(database, table)
  }
}

async function empty(database: MigrationDatabase, table: string): Promise<void> {
  const { results: triggers } = await database
    .prepare(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name NOT GLOB '_atoll_*' AND tbl_name = ?",
    )
    .bind(table)
    .all<{ name: string; sql: string }>()
  const name = quoteName(table)
  const rows = `SELECT rowid FROM ${name} LIMIT ${rowsAtOnce}`
  const statements = withoutTriggers([{ triggers }], [plain(`DELETE FROM ${name} WHERE rowid IN (${rows})`)])
  const texts = permittedTexts(statements.map(({ text }) => text))
  for (;;) {
    const { results } = await database.prepare(`SELECT 1 AS n FROM ${name} LIMIT 1`).all()
    if (results.length === 0) return
    await database.batch(['PRAGMA defer_foreign_keys = ON', ...texts].map((text) => database.prepare(text)))
  }
}
