/**
 * What Time Travel does, for a local D1: a database becomes again what it was, in place, whatever its triggers say of that.
 */
import { quoteName } from '../../db/sql/quote.ts'

export interface Snapshot {
  readonly tables: readonly { readonly name: string; readonly rows: string }[]
}

/** Tables whose rows are the state; full-text indexes follow by their triggers. */
const tablesText = `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT GLOB 'sqlite_schema*'
 AND name NOT GLOB '_cf_*' AND name <> '_atoll_crc16' ORDER BY name = 'sqlite_sequence'`

async function columnsOf(database: D1Database, table: string): Promise<string[]> {
  const { results } = await database
    .prepare('SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0')
    .bind(table)
    .all<{ name: string }>()
  return results.map(({ name }) => name)
}

export async function takeSnapshot(database: D1Database): Promise<Snapshot> {
  const { results } = await database.prepare(tablesText).all<{ name: string }>()
  const tables: { name: string; rows: string }[] = []
  for (const { name } of results) {
    const columns = (await columnsOf(database, name)).map(quoteName).join(', ')
    const rows = await database
      .prepare(`SELECT json_array(${columns}) AS r FROM ${quoteName(name)}`)
      .all<{ r: string }>()
    tables.push({ name, rows: `[${rows.results.map(({ r }) => r).join(',')}]` })
  }
  return { tables }
}

export async function restoreSnapshot(database: D1Database, { tables }: Snapshot): Promise<void> {
  const { results: triggers } = await database
    .prepare(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '_atoll_*' AND name NOT GLOB '_atoll_search*'",
    )
    .all<{ name: string; sql: string }>()
  const statements: string[] = [
    'PRAGMA defer_foreign_keys = ON',
    ...triggers.map(({ name }) => `DROP TRIGGER ${quoteName(name)}`),
  ]
  const prepared = statements.map((text) => database.prepare(text))
  for (const { name } of tables.filter((one) => one.name !== 'sqlite_sequence'))
    prepared.push(database.prepare(`DELETE FROM ${quoteName(name)}`))
  for (const { name, rows } of tables) {
    const columns = await columnsOf(database, name)
    if (name === 'sqlite_sequence') prepared.push(database.prepare('DELETE FROM sqlite_sequence'))
    const values = columns.map((_, i) => `value->>${i}`).join(', ')
    prepared.push(
      database
        .prepare(
          `INSERT INTO ${quoteName(name)} (${columns.map(quoteName).join(', ')}) SELECT ${values} FROM json_each(?)`,
        )
        .bind(rows),
    )
  }
  prepared.push(...triggers.map(({ sql }) => database.prepare(sql)))
  await database.batch(prepared)
}
