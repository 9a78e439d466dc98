/**
 * `npm run environments -- list | add NAME | update`: environments of `wrangler.toml`, each with all that wrangler does not take over.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from '../../db/commands/run-command.ts'
import { readRawConfig, root } from '../../db/doors/open-databases.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import { differencesOf, environmentsOf } from './environments/environment.ts'
import { withEnvironment } from './environments/write-environment.ts'

const usage = 'npm run environments -- list | add NAME | update'
const path = join(root, 'wrangler.toml')

await runCommand(usage, async () => {
  const [command, name] = process.argv.slice(2)
  const known = [...environmentsOf(readRawConfig(path)).keys()]
  if (command === 'list') {
    for (const env of known) console.log(env)
    for (const line of differencesOf(readRawConfig(path))) console.log(`  ${line}`)
  } else if (command === 'add' && name !== undefined) {
    if (!/^[a-z][a-z0-9-]{0,30}$/.test(name))
      throw new UsageError(`an environment's name has small letters, digits and hyphens: ${name}`)
    if (known.includes(name)) throw new UsageError(`wrangler.toml has the environment ${name} already`)
    write(name)
    console.log(
      `wrangler.toml has the environment ${name}. Look it over, then: npm run deploy -- --env ${name}`,
    )
  } else if (command === 'update') {
    for (const env of known) write(env)
    const left = differencesOf(readRawConfig(path))
    if (left.length > 0)
      throw new UsageError(
        `What is left is for you to decide:\n${left.map((line) => `  ${line}`).join('\n')}`,
      )
    console.log(known.length === 0 ? 'wrangler.toml has no environments.' : `up to date: ${known.join(', ')}`)
  } else throw new UsageError(usage)
})

function write(env: string): void {
  writeFileSync(path, withEnvironment(readFileSync(path, 'utf8'), readRawConfig(path), env))
}
