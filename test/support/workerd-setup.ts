import { env } from 'cloudflare:workers'
import storage from '../../db/app/storage.ts'
import tables from '../../db/app/tables.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { seedCluster } from '../../db/seed/seed-cluster.ts'
import type { SeedRows } from '../../db/seed/seed-statements.ts'
import { migrateInWorker, type PlainMigration } from './migrate-in-worker.ts'

/** What `vitest.config.ts` binds beside the Worker's own. */
interface TestEnv {
  readonly DB: D1Database
  readonly SHARD_1: D1Database
  readonly SHARD_2: D1Database
  readonly SHARD_3: D1Database
  /** JSON of `PlainMigration[]`. */
  readonly MIGRATIONS: string
  /** JSON of `SeedRows[]`. */
  readonly SEED_ROWS: string
}

const { DB, SHARD_1, SHARD_2, SHARD_3, MIGRATIONS, SEED_ROWS } = env as unknown as TestEnv
const databases = new Map(Object.entries({ DB, SHARD_1, SHARD_2, SHARD_3 }))
const catalog = buildCatalog(tables)
if (await migrateInWorker(databases, catalog, JSON.parse(MIGRATIONS) as PlainMigration[], storage)) {
  await seedCluster(databases, JSON.parse(SEED_ROWS) as SeedRows[], catalog)
}
