/**
 * Serves the schema and rows of PostgREST's cases, on local D1, and puts the rows back when asked.
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { unstable_splitSqlQuery } from 'wrangler'
import { migrateCluster } from '../../../db/migrate/migrate-cluster.ts'
import type { AtollConfig } from '../../../functions/areas.ts'
import { root } from '../../../functions/local/serve.ts'
import { startFixture } from '../../support/local-server.ts'
import { type Configured, configurePath } from './configured.ts'
import { spreadRows } from './spread-rows.ts'

/** How a case's server differs from the default one, in PostgREST's names. */
export interface SuiteConfig {
  readonly 'db-aggregates-enabled'?: boolean
  readonly 'db-max-rows'?: number
  readonly 'url-use-legacy-target-names'?: boolean
  readonly 'openapi-mode'?: string
  readonly 'openapi-security-active'?: boolean
  readonly 'db-plan-enabled'?: boolean
  readonly 'db-anon-role'?: string | null
  readonly 'jwt-secret'?: string | null
  readonly 'jwt-aud'?: string
  readonly 'db-tx-allow-override'?: boolean
  readonly 'db-tx-rollback-all'?: boolean
  readonly 'server-cors-allowed-origins'?: readonly string[]
}

/** The suite's server in Atoll's terms. */
export function configFor(suite: SuiteConfig): Partial<AtollConfig> {
  return {
    aggregates: suite['db-aggregates-enabled'] ?? false,
    maxRows: suite['db-max-rows'] ?? null,
    legacyTargetNames: suite['url-use-legacy-target-names'] ?? true,
    openapi: suite['openapi-mode'] !== 'disabled',
    openapiSecurity: suite['openapi-security-active'] ?? false,
    serverTiming: suite['db-plan-enabled'] ?? false,
    explain: suite['db-plan-enabled'] ? ['anon', 'postgrest_test_author'] : [],
    anonymous: suite['db-anon-role'] !== null,
    jwtAudience: suite['jwt-aud'] ?? null,
    txRollback: suite['db-tx-allow-override'] ?? true,
    corsOrigins: suite['server-cors-allowed-origins'] ?? '*',
  }
}

export interface ConformanceServer {
  /** Address of the data API. */
  readonly base: string
  /** POST here to put the rows back. */
  readonly reset: string
  /** Has the server differ from the default one in another way. */
  configure(suite: SuiteConfig): Promise<void>
  stop(): Promise<void>
}

/**
 * @param folder holds `schema.ts`, `schema.sql`, `seed.sql`, `reset.sql` and `view-sources.json`
 * @param spread tables that are distributed over the databases of `wrangler.toml`; with none, one database serves
 */
export async function startConformance(
  folder: string,
  port = 0,
  spread: readonly string[] = [],
): Promise<ConformanceServer> {
  const server = await startFixture({
    port,
    persistTo: null,
    entry: writeEntry(folder),
    ...(spread.length === 0 ? { databases: ['DB'] } : {}),
    variables: {
      ATOLL_RATE_LIMITS: 'off',
      CONFORMANCE_SPREAD: JSON.stringify(spread),
    },
  })
  const configure = async (suite: SuiteConfig) => {
    const jwtSecret = suite['jwt-secret'] === null ? '' : 'reallyreallyreallyreallyverysafe'
    const body = JSON.stringify({ config: configFor(suite), jwtSecret } satisfies Configured)
    const response = await fetch(new URL(configurePath, server.url), { method: 'POST', body })
    if (!response.ok) throw new Error(await response.text())
  }
  await configure({})
  const databases = await server.databases()
  const database = await server.database('DB')
  const run = (file: string, on = database) => {
    const statements = unstable_splitSqlQuery(readFileSync(join(folder, file), 'utf8'))
    return on.batch(statements.map((statement) => on.prepare(statement)))
  }
  await migrateCluster(databases, { tables: new Map(), fingerprint: '' }, [])
  for (const each of databases.values()) await run('schema.sql', each)
  await run('seed.sql')
  const restore = await spreadRows(databases, spread)
  const resets = createServer((_, response) => {
    const reset = spread.length === 0 ? run('reset.sql') : restore()
    reset.then(
      () => response.end(),
      (error) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((listening) => resets.listen(0, '127.0.0.1', listening))
  return {
    base: `http://127.0.0.1:${server.url.port}/rest/v1`,
    configure,
    reset: `http://127.0.0.1:${(resets.address() as AddressInfo).port}/`,
    stop: async () => {
      resets.close()
      await server.stop()
    },
  }
}

/** The suite's schema lies outside the project, so the entry that joins both is written where nothing is kept. */
function writeEntry(folder: string): string {
  const target = join(root, '.wrangler', 'atoll')
  const file = join(target, 'conformance-entry.ts')
  const quote = (...parts: string[]) => JSON.stringify(join(...parts))
  mkdirSync(target, { recursive: true })
  writeFileSync(
    file,
    `import * as schema from ${quote(folder, 'schema.ts')}
import sources from ${quote(folder, 'view-sources.json')}
import privileges from ${quote(folder, 'privileges.json')}
import * as described from ${quote(folder, 'functions.ts')}
import { createConformanceWorker } from ${quote(import.meta.dirname, 'conformance-worker.ts')}
export default createConformanceWorker(schema, sources, privileges, described)
`,
  )
  return file
}
