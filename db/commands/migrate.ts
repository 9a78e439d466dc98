/**
 * `npm run db:migrate`: brings every database up to the schema: the app's migrations, Atoll's own objects, full-text
 * indexes, the shard map and the copies of reference tables. What is done already is left alone, so it can be run again
 * after a failure. `-- --plan` shows what would be done, and changes nothing. `-- --remote` does it where the databases are deployed,
 * `--env NAME` for an environment of `wrangler.toml`.
 * @module
 */
import { parseArgs } from 'node:util'
import { openDatabases } from '../doors/open-databases.ts'
import { migrateCluster } from '../migrate/migrate-cluster.ts'
import { migrateFar } from '../migrate/migrate-far.ts'
import { appMigrations, readMigrations, unjournaled } from '../migrate/migration-files.ts'
import { planText, reportText } from '../migrate/report.ts'
import { checkGenerated } from '../migrate/schema-drift.ts'
import { readAppSchema, readAppTables } from './app-tables.ts'
import { createProgress } from './progress.ts'
import { runCommand } from './run-command.ts'

const usage = 'npm run db:migrate -- [--plan] [--remote] [--env NAME] [--persist-to DIR]'

await runCommand(usage, async () => {
  const { values } = parseArgs({
    options: {
      'persist-to': { type: 'string' },
      remote: { type: 'boolean', default: false },
      env: { type: 'string' },
      plan: { type: 'boolean', default: false },
    },
  })
  const { declared, catalog, storage } = await readAppTables()
  const migrations = readMigrations(appMigrations)
  checkGenerated(await readAppSchema(), migrations)
  for (const name of unjournaled(appMigrations))
    console.error(
      `${name} is not in meta/_journal.json: Workers do not ask for it (npm run db:generate -- --custom makes one that is)`,
    )
  const { databases, close } = await openDatabases({
    remote: values.remote,
    persistTo: values['persist-to'],
    env: values.env,
  })
  const progress = createProgress()
  try {
    const migrate = values.remote ? migrateFar : migrateCluster
    const reports = await migrate(databases, catalog, migrations, {
      storage,
      declared,
      planOnly: values.plan,
      tell: progress.step,
    })
    progress.end()
    for (const line of values.plan ? planText(reports) : reportText(reports)) console.log(line)
  } finally {
    progress.end()
    await close()
  }
})
