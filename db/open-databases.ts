/**
 * The databases that `wrangler.toml` names, for scripts: on this machine, as `npm run dev` keeps them, or where they are
 * deployed, by wrangler and with its credentials.
 * @module
 */
import { join, resolve } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { unstable_readConfig } from 'wrangler'
import { byShard } from './cluster/shard-names.ts'
import { doorOptions, openDatabase } from './database-door.ts'
import { type MigrationDatabase, wranglerDatabase } from './wrangler-database.ts'

export const root = join(import.meta.dirname, '..')

export interface OpenDatabases {
  /** By their bindings, `DB` first. */
  readonly databases: ReadonlyMap<string, MigrationDatabase>
  close(): Promise<void>
}

export async function openDatabases(options: {
  readonly remote: boolean
  /** Folder of the local databases; the one of `npm run dev` when left out. */
  readonly persistTo?: string | undefined
}): Promise<OpenDatabases> {
  const config = unstable_readConfig({ config: join(root, 'wrangler.toml') })
  const bindings: readonly { readonly binding: string; readonly database_id?: string }[] = config.d1_databases
  const names = bindings.map(({ binding }) => binding).sort(byShard)
  if (options.remote) {
    const databases = new Map(names.map((name) => [name, wranglerDatabase(root, name, ['--remote'])]))
    return { databases, close: async () => undefined }
  }
  const persistTo = resolve(options.persistTo ?? join(root, '.wrangler', 'state'))
  const d1Databases = Object.fromEntries(
    bindings.map((entry) => [entry.binding, entry.database_id ?? entry.binding]),
  )
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({ workers: [doorOptions(d1Databases)] }),
    resourcePersistencePath: join(persistTo, 'v3'),
  })
  const databases = new Map(
    names.map((name) => [name, openDatabase(miniflare, name) as unknown as MigrationDatabase] as const),
  )
  return { databases, close: () => miniflare.dispose() }
}
