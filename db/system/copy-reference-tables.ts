import { type Catalog, type Table, writtenColumns } from '../catalog/catalog.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName } from '../sql/quote.ts'
import { endPermitsText, permitAllText } from './permits.ts'
import { referenceTables } from './reference-triggers.ts'

/** Bytes of rows in one statement's parameter, which D1 bounds at 2,000,000. */
const chunkBytes = 500_000
const rowsPerRead = 2000
const utf8 = new TextEncoder()

/** What a shard notes of its copies: the columns that they were made with, by table. */
export const copiedKey = 'reference'

/**
 * Gives a shard its copies of all reference tables, as far as it has none, or has some that were made with other columns: by code
 * that did not know them. From then on the copies follow the log.
 *
 * @returns the number of rows, or null when the shard has its copies
 */
export async function copyReferenceTables(
  primary: MigrationDatabase,
  shard: MigrationDatabase,
  catalog: Catalog,
): Promise<number | null> {
  const tables = referenceTables(catalog)
  const { results } = await shard
    .prepare(`SELECT value FROM _atoll_state WHERE key = '${copiedKey}'`)
    .all<{ value: string }>()
  const known = readCopied(results[0]?.value)
  const isFirst = results.length === 0
  const wanted = tables.filter((table) => known.get(table.name) !== columnsText(table))
  const noted = JSON.stringify(Object.fromEntries(tables.map((table) => [table.name, columnsText(table)])))
  if (wanted.length === 0) {
    if (results[0]?.value !== noted) await shard.batch([note(shard, noted)])
    return null
  }
  // Whatever changes while rows are read is in the log from here on, and is applied again.
  const { results: log } = await primary
    .prepare('SELECT ifnull(max(sequence), 0) AS n FROM _atoll_reference_log')
    .all<{ n: number }>()
  let copied = 0
  const statements: [text: string, rows: string][] = []
  const gone: [text: string, keys: string][] = []
  for (const table of wanted) {
    const keys: string[] = []
    for await (const rows of chunksOf(primary, table)) {
      copied += rows.length
      keys.push(...rows.map(({ key }) => key))
      statements.push([copyText(table), `[${rows.map(({ row }) => row).join(',')}]`])
    }
    const isText = table.primaryKey.every((name) => table.columns.get(name)?.type !== 'blob')
    if (!isFirst && isText) gone.push(goneText(table, keys))
  }
  // A shard that follows the log already goes on from where it is.
  await shard.batch([
    shard.prepare('PRAGMA defer_foreign_keys = ON'),
    shard.prepare(permitAllText),
    // What is gone goes first, as its unique values may have been handed on; from the last table on, as others refer to the first.
    ...[...gone].reverse().map(([text, keys]) => shard.prepare(text).bind(keys)),
    ...statements.map(([text, rows]) => shard.prepare(text).bind(rows)),
    ...(isFirst
      ? [shard.prepare('UPDATE _atoll_shard SET reference_sequence = ?').bind(Number(log[0]?.n ?? 0))]
      : []),
    shard.prepare(endPermitsText),
    note(shard, noted),
  ])
  return copied
}

/** Takes away the copies of rows whose keys, JSON arrays, are not among these. */
function goneText(table: Table, keys: readonly string[]): [text: string, keys: string] {
  const names = table.primaryKey.map(quoteName).join(', ')
  const listed = table.primaryKey.map((_, i) => `value->>${i}`).join(', ')
  return [
    `DELETE FROM ${quoteName(table.name)} WHERE (${names}) NOT IN (SELECT ${listed} FROM json_each(?))`,
    `[${keys.join(',')}]`,
  ]
}

function note(shard: MigrationDatabase, copied: string) {
  return shard.prepare(`INSERT OR REPLACE INTO _atoll_state VALUES ('${copiedKey}', ?)`).bind(copied)
}

function columnsText(table: Table): string {
  return columnsOf(table)
    .map(({ name }) => name)
    .sort()
    .join(' ')
}

/** An older Atoll noted the names of the tables only, with all columns that they had by then. */
function readCopied(text: string | undefined): ReadonlyMap<string, string> {
  try {
    return new Map(Object.entries(JSON.parse(text ?? '{}') as Record<string, string>))
  } catch {
    return new Map((text ?? '').split(' ').map((name) => [name, '']))
  }
}

/** A column as its copies are written. */
export interface CopiedColumn {
  readonly name: string
  readonly isBlob: boolean
}

function columnsOf(table: Table): CopiedColumn[] {
  return writtenColumns(table).map(({ name, type }) => ({ name, isBlob: type === 'blob' }))
}

/** Puts rows, given as a JSON array of arrays, in the place of those with the same key. */
export function copyText(table: Table, columns: readonly CopiedColumn[] = columnsOf(table)): string {
  const names = columns.map(({ name }) => quoteName(name))
  const values = columns.map(({ isBlob }, i) => (isBlob ? `unhex(value->>${i})` : `value->>${i}`))
  const sets = names.map((name) => `${name} = excluded.${name}`)
  const key = table.primaryKey.map(quoteName).join(', ')
  return `INSERT INTO ${quoteName(table.name)} (${names.join(', ')}) SELECT ${values.join(', ')} FROM json_each(?) WHERE true ON CONFLICT (${key}) DO UPDATE SET ${sets.join(', ')}`
}

/** A row as the JSON array that `copyText` takes. */
export function rowArray(table: Table, columns: readonly CopiedColumn[] = columnsOf(table)): string {
  const values = columns.map(({ name, isBlob }) =>
    isBlob ? `iif(${quoteName(name)} IS NULL, NULL, hex(${quoteName(name)}))` : quoteName(name),
  )
  return `json_array(${values.join(', ')})`
}

interface ReadRow {
  /** What `copyText` takes. */
  readonly row: string
  /** Its primary key, a JSON array. */
  readonly key: string
}

async function* chunksOf(database: MigrationDatabase, table: Table): AsyncGenerator<ReadRow[]> {
  for (let offset = 0; ; offset += rowsPerRead) {
    const { results } = await database
      .prepare(
        `SELECT ${rowArray(table)} AS "row", json_array(${table.primaryKey.map(quoteName).join(', ')}) AS key FROM ${quoteName(table.name)} ORDER BY ${table.primaryKey.map(quoteName).join(', ')} LIMIT ${rowsPerRead} OFFSET ${offset}`,
      )
      .all<ReadRow>()
    let chunk: ReadRow[] = []
    let bytes = 0
    for (const read of results) {
      const size = utf8.encode(read.row).length
      if (bytes + size > chunkBytes && chunk.length > 0) {
        yield chunk
        chunk = []
        bytes = 0
      }
      chunk.push(read)
      bytes += size
    }
    if (chunk.length > 0) yield chunk
    if (results.length < rowsPerRead) return
  }
}
