/**
 * `npm run db:migrate`: applies the migrations that a database lacks.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { unstable_readConfig } from 'wrangler'
import { applyMigrations } from './apply-migrations.ts'
import { appMigrations, readMigrations } from './migrations.ts'

const root = join(import.meta.dirname, '..')

const { values } = parseArgs({
  options: { 'persist-to': { type: 'string' }, remote: { type: 'boolean', default: false } },
})

if (values.remote) {
  // Wrangler holds the credentials, and keeps its notes in the same table.
  const { status } = spawnSync('wrangler', ['d1', 'migrations', 'apply', 'DB', '--remote'], {
    cwd: root,
    stdio: 'inherit',
  })
  process.exit(status ?? 1)
}

const persistTo = resolve(values['persist-to'] ?? join(root, '.wrangler', 'state'))
const config = unstable_readConfig({ config: join(root, 'wrangler.toml') })
const databases: readonly { readonly binding: string; readonly database_id?: string }[] = config.d1_databases
const miniflare = new Miniflare({
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
try {
  const database = (await miniflare.getD1Database('DB')) as unknown as D1Database
  const applied = await applyMigrations(database, readMigrations(appMigrations))
  console.log(
    applied.length === 0 ? 'DB: nothing to apply' : applied.map((name) => `DB: applied ${name}`).join('\n'),
  )
} finally {
  await miniflare.dispose()
}
