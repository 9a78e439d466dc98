/**
 * Part of `npm run check`: reads the app's schema and jobs as the Worker will, and says why they cannot be served; whether every change of
 * the schema has its migration; whether environments of `wrangler.toml` have all that they need; and whether the local databases, if there are any,
 * are what the code says.
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readAppSchema } from '../../db/commands/app-tables.ts'
import { runCommand } from '../../db/commands/run-command.ts'
import { openDatabases, readRawConfig, root } from '../../db/doors/open-databases.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import { stayingText } from '../../db/migrate/as-rows-lie.ts'
import { checkCluster } from '../../db/migrate/migrate-cluster.ts'
import { appMigrations, readMigrations } from '../../db/migrate/migration-files.ts'
import { checkGenerated } from '../../db/migrate/schema-drift.ts'
import { differencesOf } from './environments/environment.ts'
import { readApp } from './read-app.ts'

await runCommand('npm run check', async () => {
  const { app } = await import('../join-app.ts')
  const { catalog, registry } = readApp(app)
  const migrations = readMigrations(appMigrations)
  checkGenerated(await readAppSchema(), migrations)
  const differences = differencesOf(readRawConfig(join(root, 'wrangler.toml')))
  if (differences.length > 0)
    throw new UsageError(
      `Environments of wrangler.toml are not what stands outside of them (npm run environments -- update):\n${differences.map((line) => `  ${line}`).join('\n')}`,
    )
  if (existsSync(join(root, '.wrangler', 'state', 'v3', 'd1'))) {
    const { databases, close } = await openDatabases({ remote: false })
    try {
      const staying = await checkCluster(databases, catalog, migrations, app.tables)
      for (const one of staying) console.log(stayingText(one))
    } finally {
      await close()
    }
  }
  console.log(
    `The app can be served: ${catalog.tables.size} tables, ${registry.byName.size} kinds of jobs, ${Object.keys(app.storage ?? {}).length} buckets, ${app.origins?.routes.length ?? 0} routes to origins.`,
  )
})
