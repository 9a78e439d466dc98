/**
 * `npm run db:migrate`: brings a database up to the schema: Atoll's own objects, the app's migrations, and the
 * full-text indexes. What is done already is left alone, so it can be run again after a failure.
 * @module
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { unstable_readConfig } from 'wrangler'
import tables from './app/tables.ts'
import { applyMigrations } from './apply-migrations.ts'
import { buildCatalog } from './catalog/build-catalog.ts'
import { appMigrations, readMigrations } from './migrations.ts'
import { reconcileSearch } from './system/search-objects.ts'
import { type MigrationDatabase, wranglerDatabase } from './wrangler-database.ts'

const root = join(import.meta.dirname, '..')

const { values } = parseArgs({
  options: { 'persist-to': { type: 'string' }, remote: { type: 'boolean', default: false } },
})

if (values.remote) {
  await migrate(wranglerDatabase(root, 'DB', ['--remote']))
} else {
  const miniflare = openLocal(resolve(values['persist-to'] ?? join(root, '.wrangler', 'state')))
  try {
    await migrate((await miniflare.getD1Database('DB')) as unknown as MigrationDatabase)
  } finally {
    await miniflare.dispose()
  }
}

async function migrate(database: MigrationDatabase): Promise<void> {
  const catalog = buildCatalog(tables)
  const applied = await applyMigrations(database, readMigrations(appMigrations))
  const search = await reconcileSearch(database, catalog)
  const done = [...applied.map((name) => `applied ${name}`), ...search]
  console.log(done.length === 0 ? 'DB: nothing to do' : done.map((line) => `DB: ${line}`).join('\n'))
}

function openLocal(persistTo: string): Miniflare {
  const config = unstable_readConfig({ config: join(root, 'wrangler.toml') })
  const databases: readonly { readonly binding: string; readonly database_id?: string }[] =
    config.d1_databases
  return new Miniflare({
    ...convertV4MiniflareOptions({
      name: 'migrate',
      modules: true,
      script: 'export default {}',
      compatibilityDate: config.compatibility_date ?? '2026-11-01',
      d1Databases: Object.fromEntries(
        databases.map((entry) => [entry.binding, entry.database_id ?? entry.binding]),
      ),
    }),
    resourcePersistencePath: join(persistTo, 'v3'),
  })
}
