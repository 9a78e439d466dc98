import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Lets some work have arguments for wrangler by which databases are those of these ids. By their names alone it goes on with what the Worker that
 * runs is bound to, and fails when that is gone.
 *
 * @param root the project's folder: paths of `wrangler.toml` begin there
 * @param databases none: wrangler goes by `wrangler.toml`
 */
export async function withIdsOf<Done>(
  root: string,
  databases: readonly { readonly name: string; readonly id: string }[],
  work: (config: readonly string[]) => Promise<Done>,
): Promise<Done> {
  if (databases.length === 0) return await work([])
  const file = join(root, 'wrangler.ids.toml')
  const remove = () => rmSync(file, { force: true })
  process.once('exit', remove)
  const text = readFileSync(join(root, 'wrangler.toml'), 'utf8')
  const ids = new Map(databases.map(({ name, id }) => [name, id]))
  const withIds = text.replace(/^database_name *= *"([^"]+)" *$/gm, (line, name: string) =>
    ids.has(name) ? `${line}\ndatabase_id = "${ids.get(name)}"` : line,
  )
  writeFileSync(file, withIds)
  try {
    return await work(['--config', file])
  } finally {
    remove()
    process.removeListener('exit', remove)
  }
}
