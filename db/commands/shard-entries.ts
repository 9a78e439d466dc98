/**
 * Databases of shards in the text of `wrangler.toml`.
 * @module
 */
import { byShard } from '../slots/shard-names.ts'

/** The part of the text from one table's head to the next. */
const tables = /^\[\[d1_databases\]\][\s\S]*?(?=^\[|(?![\s\S]))/gm

const readValue = (table: string, key: string) =>
  new RegExp(`^${key} = "([^"]*)"`, 'm').exec(table)?.[1] ?? ''

/** The binding of a database, where it is in the text outside of all environments. */
export function findShard(toml: string, databaseName: string): string | null {
  const table = toml.match(tables)?.find((text) => readValue(text, 'database_name') === databaseName)
  return table === undefined ? null : readValue(table, 'binding')
}

/** The text with one more shard, behind the last. */
export function withShard(
  toml: string,
  databaseName: string,
): { readonly toml: string; readonly binding: string } {
  const bindings = [...toml.matchAll(/^binding = "(SHARD_\d+)"/gm)].map(([, binding]) => binding as string)
  const last = bindings.sort(byShard).at(-1) ?? 'SHARD_0'
  const binding = `SHARD_${Number(last.slice('SHARD_'.length)) + 1}`
  const entry = `[[d1_databases]]
binding = "${binding}"
database_name = "${databaseName}"
migrations_dir = "db/app/migrations"
`
  const end = toml.lastIndexOf('[[d1_databases]]')
  const next = toml.indexOf('\n\n', end)
  const at = next < 0 ? toml.length : next + 1
  return { toml: `${toml.slice(0, at)}\n${entry}${toml.slice(at)}`, binding }
}
