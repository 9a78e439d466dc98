/**
 * `npm run shards -- add NAME`: writes the binding of a new shard into `wrangler.toml`, for every environment, and makes and migrates the
 * database: on this machine, or with `--remote` at Cloudflare. It stays empty until slots move to it. What is done already is left alone,
 * so a shard that is on this machine is completed by `--remote`.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readAppTables } from '../../db/commands/app-tables.ts'
import { runCommand } from '../../db/commands/run-command.ts'
import { findShard, withShard } from '../../db/commands/shard-entries.ts'
import { findAccount } from '../../db/doors/cloudflare-account.ts'
import { openDatabases, readRawConfig, root } from '../../db/doors/open-databases.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import { appMigrations, readMigrations } from '../../db/migrate/migration-files.ts'
import { defaultConfig } from '../areas.ts'
import { readDatabases } from './cloudflare/account-state.ts'
import { readWanted } from './cloudflare/wanted.ts'
import { makeResources } from './deploy/make-resources.ts'
import { environmentsOf } from './environments/environment.ts'
import { withEnvironment } from './environments/write-environment.ts'

const usage = 'npm run shards -- add NAME [--remote] [--env NAME] [--persist-to DIR]'
const toml = join(root, 'wrangler.toml')

await runCommand(usage, async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'persist-to': { type: 'string' },
      remote: { type: 'boolean', default: false },
      env: { type: 'string' },
    },
  })
  const [, name] = positionals
  if (name === undefined) throw new UsageError(usage)
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name))
    throw new UsageError(`a database's name has small letters, digits and hyphens: ${name}`)
  const text = readFileSync(toml, 'utf8')
  const known = findShard(text, name)
  if (known === 'DB') throw new UsageError(`${name} is the primary database`)
  const added = known === null ? withShard(text, name) : { toml: text, binding: known }
  writeFileSync(toml, added.toml)
  for (const env of environmentsOf(readRawConfig(toml)).keys())
    writeFileSync(toml, withEnvironment(readFileSync(toml, 'utf8'), readRawConfig(toml), env))
  if (values.remote) await make(values.env)
  const { databases, close } = await openDatabases({
    remote: values.remote,
    persistTo: values['persist-to'],
    env: values.env,
  })
  try {
    const { declared, catalog, storage } = await readAppTables()
    await migrateCluster(databases, catalog, readMigrations(appMigrations), { storage, declared })
  } finally {
    await close()
  }
  console.log(`${added.binding} is ${name}: migrated, and empty until slots move to it.
Deploy (npm run deploy) before any do, so that every Worker has the binding.`)
})

/** Makes the databases that the account lacks. */
async function make(env: string | undefined): Promise<void> {
  const wanted = readWanted(toml, env)
  const account = await findAccount(root, wanted.accountId)
  const databases = await readDatabases(account, wanted)
  const { app } = await import('../join-app.ts')
  const state = { worker: null, databases, queues: new Map(), buckets: new Map() }
  await makeResources(account, wanted, state, { ...defaultConfig, ...app.config })
}
