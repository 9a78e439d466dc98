import { env } from 'cloudflare:workers'
import tables from '../../db/app/tables.ts'
import { applyMigrations, type Migration } from '../../db/apply-migrations.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { type SeedRows, seedStatements } from '../../db/seed-statements.ts'
import { reconcileSearch } from '../../db/system/search-objects.ts'

/** What `vitest.config.ts` binds beside the Worker's own. */
interface TestEnv {
  readonly DB: D1Database
  /** JSON of `Migration[]`. */
  readonly MIGRATIONS: string
  /** JSON of `SeedRows[]`. */
  readonly SEED_ROWS: string
}

const { DB, MIGRATIONS, SEED_ROWS } = env as unknown as TestEnv
const applied = await applyMigrations(DB, JSON.parse(MIGRATIONS) as Migration[])
if (applied.length > 0) {
  await reconcileSearch(DB, buildCatalog(tables))
  await DB.batch(seedStatements(DB, JSON.parse(SEED_ROWS) as SeedRows[]))
}
