/**
 * The databases that `wrangler.toml` names, for scripts: on this machine, as `npm run dev` keeps them, or where they are
 * deployed, over Cloudflare's API and with wrangler's credentials.
 * @module
 */
import { dirname, join, resolve } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { experimental_readRawConfig, type Unstable_Config, unstable_readConfig } from 'wrangler'
import { byShard } from '../slots/shard-names.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { type DatabaseEntry, findAccount, findDatabases } from './cloudflare-account.ts'
import { doorOptions, openDatabase } from './database-door.ts'
import { remoteDatabase } from './remote-database.ts'
import { UsageError } from './usage-error.ts'

/** The project's folder. */
export const root = join(import.meta.dirname, '..', '..')

/** Databases that a command works on, until it closes them. */
export interface OpenDatabases {
  /** By their bindings, `DB` first. */
  readonly databases: ReadonlyMap<string, MigrationDatabase>
  /** What `wrangler.toml` calls each of them (`database_name`), by the same bindings. */
  readonly names: ReadonlyMap<string, string>
  close(): Promise<void>
}

export interface DatabaseOptions {
  readonly remote: boolean
  /** Folder of the local databases; the one of `npm run dev` when left out. */
  readonly persistTo?: string | undefined
  /** Environment of `wrangler.toml`; what it says outside of all when left out. */
  readonly env?: string | undefined
  /** Path of `wrangler.toml`; the project's own when left out. */
  readonly config?: string | undefined
}

/**
 * The databases of `wrangler.toml`, on this machine or at Cloudflare.
 *
 * @throws UsageError for an environment or a database that there is not
 */
export async function openDatabases(options: DatabaseOptions): Promise<OpenDatabases> {
  const path = options.config ?? join(root, 'wrangler.toml')
  const config = readEnvironment(path, options.env)
  const entries = ([...config.d1_databases] as DatabaseEntry[]).sort((a, b) => byShard(a.binding, b.binding))
  const names = new Map(entries.map(({ binding, database_name }) => [binding, database_name ?? binding]))
  if (options.remote) {
    const account = await findAccount(dirname(path), config.account_id)
    const ids = await findDatabases(account, entries, config.name)
    const databases = new Map(
      [...ids].map(([binding, id]) => {
        const name = names.get(binding) ?? binding
        return [binding, remoteDatabase({ api: account.api, accountId: account.id, id, name })]
      }),
    )
    return { databases, names, close: async () => undefined }
  }
  const persistTo = resolve(options.persistTo ?? join(root, '.wrangler', 'state'))
  const d1Databases = Object.fromEntries(
    entries.map(({ binding, database_id }) => [binding, database_id ?? binding]),
  )
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({ workers: [doorOptions(d1Databases)] }),
    resourcePersistencePath: join(persistTo, 'v3'),
  })
  const databases = new Map(
    entries.map(
      ({ binding }) => [binding, openDatabase(miniflare, binding) as unknown as MigrationDatabase] as const,
    ),
  )
  return { databases, names, close: () => miniflare.dispose() }
}

function readConfig(path: string): Unstable_Config {
  try {
    return unstable_readConfig({ config: path }, { hideWarnings: true })
  } catch (error) {
    throw new UsageError(`wrangler.toml cannot be read: ${(error as Error).message}`)
  }
}

/** `wrangler.toml` as it stands there, without what wrangler makes of it. */
export function readRawConfig(path: string): Readonly<Record<string, unknown>> {
  try {
    return { ...experimental_readRawConfig({ config: path }).rawConfig }
  } catch (error) {
    throw new UsageError(`wrangler.toml cannot be read: ${(error as Error).message}`)
  }
}

/** Wrangler's own words for an environment that is not there are a page, and it only warns of one without databases. */
export function readEnvironment(path: string, env: string | undefined): Unstable_Config {
  const whole = readConfig(path)
  if (env === undefined) return whole
  const known = whole.definedEnvironments ?? []
  if (!known.includes(env)) {
    const list = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`
    throw new UsageError(
      `wrangler.toml has no environment ${env}: ${list}. Write it with: npm run environments -- add ${env}`,
    )
  }
  const config = unstable_readConfig({ config: path, env }, { hideWarnings: true })
  if (config.d1_databases.length === 0) {
    throw new UsageError(
      `The environment ${env} of wrangler.toml names no databases. It does not take over those outside of it: list them as [[env.${env}.d1_databases]].`,
    )
  }
  return config
}
