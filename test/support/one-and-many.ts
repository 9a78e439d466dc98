/**
 * The same app twice: on one database that holds all rows, and on the test's four.
 */
import { env } from 'cloudflare:workers'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { seedCluster } from '../../db/seed/seed-cluster.ts'
import type { SeedRows } from '../../db/seed/seed-statements.ts'
import { createGateway } from '../../functions/gateway.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from './later-work.ts'
import { migrateInWorker, type PlainMigration } from './migrate-in-worker.ts'
import { secretKey } from './worker-client.ts'

interface TestEnv {
  readonly ALONE: D1Database
  readonly MIGRATIONS: string
  readonly SEED_ROWS: string
}

const { ALONE, MIGRATIONS, SEED_ROWS } = env as unknown as TestEnv

/** Migrates and seeds the database that stands alone. */
export async function prepareAlone(): Promise<void> {
  const catalog = buildCatalog(tables)
  const alone = new Map([['DB', ALONE]])
  if (await migrateInWorker(alone, catalog, JSON.parse(MIGRATIONS) as PlainMigration[]))
    await seedCluster(alone, JSON.parse(SEED_ROWS) as SeedRows[], catalog)
}

export type Ask = (path: string, init?: RequestInit) => Promise<Response>

/** A gateway over databases of the test's choosing, called with the secret key unless told otherwise. */
export function askOver(databases: Readonly<Record<string, unknown>>, config = {}): Ask {
  const gateway = createGateway({ tables, config: { maxRows: null, cache: false, ...config } })
  const bindings = { ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off', ...databases }
  return async (path, init = {}) => {
    const headers = new Headers(init.headers)
    if (!headers.has('apikey')) headers.set('apikey', secretKey)
    const request = new Request(`http://atoll.test/rest/v1/${path}`, { ...init, headers })
    return fetchFrom(gateway, request, bindings)
  }
}

export const databases = Object.fromEntries(
  Object.entries(env as unknown as Record<string, unknown>).filter(([name]) =>
    /^(?:DB|SHARD_\d+)$/.test(name),
  ),
) as Readonly<Record<'DB' | 'SHARD_1' | 'SHARD_2' | 'SHARD_3', D1Database>>

export const askOne = askOver({ DB: ALONE })
export const askMany = askOver(databases)

/** What an answer says. Sums of real numbers are rounded by each database: they agree in fourteen digits. */
export async function said(response: Response): Promise<object> {
  const rounded = (digits: string) => String(Number(Number(digits).toPrecision(14)))
  const text = (await response.text()).replace(/-?\d+\.\d{9,}/g, rounded)
  return {
    status: response.status,
    range: response.headers.get('content-range'),
    text: response.status < 400 ? text : JSON.parse(text),
  }
}
