/**
 * `npm run db:migrate`: brings every database up to the schema: Atoll's own objects, the app's migrations,
 * full-text indexes, the shard map and the copies of reference tables. What is done already is left alone, so it can be run again after a failure.
 * @module
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { unstable_readConfig } from 'wrangler'
import tables from './app/tables.ts'
import { buildCatalog } from './catalog/build-catalog.ts'
import { byShard } from './cluster/shard-names.ts'
import { type ClusterDatabases, migrateCluster } from './migrate-cluster.ts'
import { appMigrations, readMigrations } from './migrations.ts'
import { type MigrationDatabase, wranglerDatabase } from './wrangler-database.ts'

const root = join(import.meta.dirname, '..')

const { values } = parseArgs({
  options: { 'persist-to': { type: 'string' }, remote: { type: 'boolean', default: false } },
})

const config = unstable_readConfig({ config: join(root, 'wrangler.toml') })
const bindings: readonly { readonly binding: string; readonly database_id?: string }[] = config.d1_databases
const names = bindings.map(({ binding }) => binding).sort(byShard)

if (values.remote) {
  await migrate(new Map(names.map((name) => [name, wranglerDatabase(root, name, ['--remote'])])))
} else {
  const miniflare = openLocal(resolve(values['persist-to'] ?? join(root, '.wrangler', 'state')))
  try {
    const open = async (name: string) =>
      [name, (await miniflare.getD1Database(name)) as unknown as MigrationDatabase] as const
    await migrate(new Map(await Promise.all(names.map(open))))
  } finally {
    await miniflare.dispose()
  }
}

async function migrate(databases: ClusterDatabases): Promise<void> {
  const reports = await migrateCluster(databases, buildCatalog(tables), readMigrations(appMigrations))
  for (const { database, applied, done } of reports) {
    const lines = [...applied.map((name) => `applied ${name}`), ...done]
    for (const line of lines.length === 0 ? ['nothing to do'] : lines) console.log(`${database}: ${line}`)
  }
}

function openLocal(persistTo: string): Miniflare {
  return new Miniflare({
    ...convertV4MiniflareOptions({
      name: 'migrate',
      modules: true,
      script: 'export default {}',
      compatibilityDate: config.compatibility_date ?? '2026-11-01',
      d1Databases: Object.fromEntries(
        bindings.map((entry) => [entry.binding, entry.database_id ?? entry.binding]),
      ),
    }),
    resourcePersistencePath: join(persistTo, 'v3'),
  })
}
