/**
 * A whole server for tests that look from outside: the Worker in Miniflare, migrated and seeded, in memory.
 * @module
 */
import tables from '../../db/app/tables.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { prepareDatabases } from '../../functions/local/prepare.ts'
import { type LocalOptions, type LocalServer, startLocal } from '../../functions/local/serve.ts'

export const publishableKey = 'sb_publishable_test'
export const secretKey = 'sb_secret_test'

export interface TestServer extends LocalServer {
  /** Address without a slash at its end, as clients take it. */
  readonly address: string
}

export async function startTestServer(options: Partial<LocalOptions> = {}): Promise<TestServer> {
  const server = await startLocal({
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
  await prepareDatabases(server, buildCatalog(tables))
  return { ...server, address: server.url.origin }
}
