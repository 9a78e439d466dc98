/**
 * `npm run deploy [-- --env NAME] [--plan]`: from this folder to a Worker that answers, and from one version to the next.
 * deploy/GUIDE.md tells how.
 * @module
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readAppSchema } from '../../db/commands/app-tables.ts'
import { runCommand } from '../../db/commands/run-command.ts'
import { findAccount } from '../../db/doors/cloudflare-account.ts'
import { readRawConfig, root } from '../../db/doors/open-databases.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import { appMigrations, readMigrations } from '../../db/migrate/migration-files.ts'
import { checkGenerated } from '../../db/migrate/schema-drift.ts'
import { defaultConfig } from '../areas.ts'
import { readWanted } from './cloudflare/wanted.ts'
import { accountChooser } from './deploy/choose-account.ts'
import { planRelease } from './deploy/plan-release.ts'
import { carryOut, type Release } from './deploy/release.ts'
import { differencesOf } from './environments/environment.ts'
import { readApp } from './read-app.ts'

const usage =
  'npm run deploy -- [--env NAME] [--plan] [--url https://…] [--keys-file FILE] [--wait SECONDS] [--force] [--break]'

await runCommand(usage, async () => {
  const { values } = parseArgs({
    options: {
      env: { type: 'string' },
      plan: { type: 'boolean', default: false },
      url: { type: 'string' },
      'keys-file': { type: 'string' },
      wait: { type: 'string', default: '90' },
      force: { type: 'boolean', default: false },
      break: { type: 'boolean', default: false },
    },
  })
  if (!(Number(values.wait) > 0)) throw new UsageError(`--wait is no number of seconds: ${values.wait}`)
  const wanted = readWanted(join(root, 'wrangler.toml'), values.env)
  const differences = differencesOf(readRawConfig(join(root, 'wrangler.toml')))
  if (differences.length > 0)
    throw new UsageError(
      `Environments of wrangler.toml differ (npm run environments -- update):\n${differences.map((line) => `  ${line}`).join('\n')}`,
    )
  const { app } = await import('../join-app.ts')
  const { catalog } = readApp(app)
  const migrations = readMigrations(appMigrations)
  checkGenerated(await readAppSchema(), migrations)
  const account = await findAccount(root, wanted.accountId, accountChooser())
  console.log(`${wanted.worker}, in the account ${account.id}, with ${account.api.credentials}`)
  const release: Release = {
    root,
    account,
    wanted,
    declared: app.tables,
    catalog,
    storage: app.storage ?? {},
    migrations,
    config: { ...defaultConfig, ...app.config },
    tell: (line) => console.log(line),
  }
  const options = {
    url: values.url,
    keysFile: values['keys-file'],
    waitSeconds: Number(values.wait),
    isForced: values.force,
    mayBreak: values.break,
  }
  if (values.plan) for (const line of await planRelease(release, options)) console.log(line)
  else if (!(await carryOut(release, options))) process.exitCode = 1
})
