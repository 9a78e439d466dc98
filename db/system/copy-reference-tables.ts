import { type Catalog, type Table, writtenColumns } from '../catalog/catalog.ts'
import { quoteName } from '../quote.ts'
import type { MigrationDatabase } from '../wrangler-database.ts'
import { referenceTables } from './reference-triggers.ts'

/** Bytes of rows in one statement: parameters may have to travel as literals, and a statement holds 100,000 bytes. */
const chunkBytes = 60_000
const rowsPerRead = 5000

/**
 * Gives a shard that has none its copies of all reference tables. From then on the copies follow the log.
 *
 * @returns the number of rows, or null when the shard has its copies
 */
export async function copyReferenceTables(
  primary: MigrationDatabase,
  shard: MigrationDatabase,
  catalog: Catalog,
): Promise<number | null> {
  const tables = referenceTables(catalog)
  const fingerprint = tables
    .map(({ name }) => name)
    .sort()
    .join(' ')
  const { results } = await shard
    .prepare("SELECT value FROM _atoll_state WHERE key = 'reference'")
    .all<{ value: string }>()
  if (results[0]?.value === fingerprint) return null
  // Whatever changes while rows are read is in the log from here on, and is applied again.
  const { results: log } = await primary
    .prepare('SELECT ifnull(max(sequence), 0) AS n FROM _atoll_reference_log')
    .all<{ n: number }>()
  let copied = 0
  const statements: [text: string, rows: string][] = []
  for (const table of tables) {
    for await (const rows of chunksOf(primary, table)) {
      copied += rows.length
      statements.push([copyText(table), `[${rows.join(',')}]`])
    }
  }
  await shard.batch([
    shard.prepare('PRAGMA defer_foreign_keys = ON'),
    ...statements.map(([text, rows]) => shard.prepare(text).bind(rows)),
    shard.prepare('UPDATE _atoll_shard SET reference_sequence = ?').bind(Number(log[0]?.n ?? 0)),
    shard.prepare("INSERT OR REPLACE INTO _atoll_state VALUES ('reference', ?)").bind(fingerprint),
  ])
  return copied
}

/** Puts rows, given as a JSON array of arrays, in the place of those with the same key. */
export function copyText(table: Table): string {
  const columns = writtenColumns(table)
  const names = columns.map(({ name }) => quoteName(name))
  const values = columns.map(({ type }, i) => (type === 'blob' ? `unhex(value->>${i})` : `value->>${i}`))
  const sets = names.map((name) => `${name} = excluded.${name}`)
  const key = table.primaryKey.map(quoteName).join(', ')
  return `INSERT INTO ${quoteName(table.name)} (${names.join(', ')}) SELECT ${values.join(', ')} FROM json_each(?) WHERE true ON CONFLICT (${key}) DO UPDATE SET ${sets.join(', ')}`
}

/** A row as the JSON array that `copyText` takes. */
export function rowArray(table: Table): string {
  const columns = writtenColumns(table)
  const values = columns.map(({ name, type }) =>
    type === 'blob' ? `hex(${quoteName(name)})` : quoteName(name),
  )
  return `json_array(${values.join(', ')})`
}

async function* chunksOf(database: MigrationDatabase, table: Table): AsyncGenerator<string[]> {
  for (let offset = 0; ; offset += rowsPerRead) {
    const { results } = await database
      .prepare(
        `SELECT ${rowArray(table)} AS r FROM ${quoteName(table.name)} ORDER BY ${table.primaryKey.map(quoteName).join(', ')} LIMIT ${rowsPerRead} OFFSET ${offset}`,
      )
      .all<{ r: string }>()
    let chunk: string[] = []
    let bytes = 0
    for (const { r } of results) {
      if (bytes + r.length > chunkBytes && chunk.length > 0) {
        yield chunk
        chunk = []
        bytes = 0
      }
      chunk.push(r)
      bytes += r.length
    }
    if (chunk.length > 0) yield chunk
    if (results.length < rowsPerRead) return
  }
}
