/**
 * Databases of shards in the text of `wrangler.toml`.
 * @module
 */
import { byShard } from '../slots/shard-names.ts'

/** What stands in the place of an id as long as a database is on this machine only. */
const placeholder = /^00000000-0000-0000-0000-\d{12}$/

/** A `[[d1_databases]]` with this name; `isPlaceholder` when no database of an account is behind it. */
export interface ShardEntry {
  readonly binding: string
  readonly id: string
  readonly isPlaceholder: boolean
}

/** The part of the text from one table's head to the next. */
const tables = /^\[\[d1_databases\]\][\s\S]*?(?=^\[|(?![\s\S]))/gm

const readValue = (table: string, key: string) =>
  new RegExp(`^${key} = "([^"]*)"`, 'm').exec(table)?.[1] ?? ''

export function findShard(toml: string, databaseName: string): ShardEntry | null {
  const table = toml.match(tables)?.find((text) => readValue(text, 'database_name') === databaseName)
  if (table === undefined) return null
  const id = readValue(table, 'database_id')
  return { binding: readValue(table, 'binding'), id, isPlaceholder: placeholder.test(id) }
}

/** The text with another id for a database that is in it. */
export function withShardId(toml: string, databaseName: string, id: string): string {
  return toml.replace(tables, (table) =>
    readValue(table, 'database_name') === databaseName
      ? table.replace(/^database_id = "[^"]*"/m, `database_id = "${id}"`)
      : table,
  )
}

/** The text with one more shard, behind the last. */
export function withShard(
  toml: string,
  databaseName: string,
  id: string | null,
): { readonly toml: string; readonly binding: string } {
  const bindings = [...toml.matchAll(/^binding = "(SHARD_\d+)"/gm)].map(([, binding]) => binding as string)
  const last = bindings.sort(byShard).at(-1) ?? 'SHARD_0'
  const number = Number(last.slice('SHARD_'.length)) + 1
  const binding = `SHARD_${number}`
  const entry = `[[d1_databases]]
binding = "${binding}"
database_name = "${databaseName}"
database_id = "${id ?? `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`}"
migrations_dir = "db/app/migrations"
`
  const end = toml.lastIndexOf('[[d1_databases]]')
  const next = toml.indexOf('\n\n', end)
  const at = next < 0 ? toml.length : next + 1
  return { toml: `${toml.slice(0, at)}\n${entry}${toml.slice(at)}`, binding }
}
