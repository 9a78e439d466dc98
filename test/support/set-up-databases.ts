import { env } from 'cloudflare:workers'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { TableDeclarations } from '../../db/catalog/declarations.ts'
import type { StorageDeclarations } from '../../db/catalog/storage-policy.ts'
import { seedCluster } from '../../db/seed/seed-cluster.ts'
import type { SeedRows } from '../../db/seed/seed-statements.ts'
import { byShard } from '../../db/slots/shard-names.ts'
import { migrateInWorker, type PlainMigration } from './migrate-in-worker.ts'

/** What `vitest.config.ts` binds beside the Worker's own. */
interface TestEnv {
  /** JSON of `PlainMigration[]`. */
  readonly MIGRATIONS: string
  /** JSON of `SeedRows[]`. */
  readonly SEED_ROWS: string
}

/** The databases that `wrangler.toml` binds, by binding, `DB` first. */
export function boundDatabases(): ReadonlyMap<string, D1Database> {
  const names = Object.keys(env).filter((name) => /^(?:DB|SHARD_\d+)$/.test(name))
  const bindings = env as unknown as Record<string, D1Database>
  return new Map(names.sort(byShard).map((name) => [name, bindings[name] as D1Database]))
}

/** Migrates and seeds them, unless that was done before. */
export async function setUpDatabases(tables: TableDeclarations, storage: StorageDeclarations): Promise<void> {
  const { MIGRATIONS, SEED_ROWS } = env as unknown as TestEnv
  const catalog = buildCatalog(tables)
  const databases = boundDatabases()
  const migrations = JSON.parse(MIGRATIONS) as PlainMigration[]
  if (await migrateInWorker(databases, catalog, migrations, storage)) {
    await seedCluster(databases, JSON.parse(SEED_ROWS) as SeedRows[], catalog)
  }
}
