/**
 * A whole server for tests that look from outside: the fixture app's Worker in Miniflare, migrated and seeded, in memory.
 * @module
 */
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { prepareDatabases } from '../../functions/local/prepare.ts'
import { type LocalOptions, type LocalServer, startLocal } from '../../functions/local/serve.ts'
import storage from '../fixture-app/db/app/storage.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fixture } from '../fixture-app/paths.ts'

export const publishableKey = 'sb_publishable_test'
export const secretKey = 'sb_secret_test'

export interface TestServer extends LocalServer {
  /** Address without a slash at its end, as clients take it. */
  readonly address: string
}

export async function startTestServer(options: Partial<LocalOptions> = {}): Promise<TestServer> {
  const server = await startFixture({
    port: 0,
    persistTo: null,
    ...options,
    variables: {
      ATOLL_PUBLISHABLE_KEY: publishableKey,
      ATOLL_SECRET_KEY: secretKey,
      ATOLL_RATE_LIMITS: 'off',
      ...options.variables,
    },
  })
  await prepareFixture(await server.databases())
  return { ...server, address: server.url.origin }
}

/** A server with the bindings that the fixture app has, whatever a fork has in its own `wrangler.toml`. */
export function startFixture(options: LocalOptions): Promise<LocalServer> {
  return startLocal({ config: fixture.config, ...options })
}

/** Migrates databases for the fixture app, and seeds them. */
export async function prepareFixture(databases: ReadonlyMap<string, D1Database>): Promise<void> {
  await prepareDatabases(databases, {
    declared: tables,
    catalog: buildCatalog(tables),
    storage,
    migrations: fixture.migrations,
    loadSeed: async () => (await import('../fixture-app/db/app/seed.ts')).default,
  })
}
