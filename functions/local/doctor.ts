/**
 * `npm run doctor [-- --remote] [--env NAME]`: what a running project needs, looked at and told with the remedy. It changes nothing. Ends with
 * status 1 when something is a fault.
 * @module
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createProgress } from '../../db/commands/progress.ts'
import { runCommand } from '../../db/commands/run-command.ts'
import { findAccount } from '../../db/doors/cloudflare-account.ts'
import { readEnvironment, root } from '../../db/doors/open-databases.ts'
import type { App } from '../areas.ts'
import { readWanted } from './cloudflare/wanted.ts'
import { accountChooser } from './deploy/choose-account.ts'
import { checkLocal } from './doctor/check-local.ts'
import { checkRemote } from './doctor/check-remote.ts'
import type { LocalFacts } from './doctor/facts.ts'
import { type Finding, fault, findingLines } from './doctor/findings.ts'
import { gatherLocal } from './doctor/gather-local.ts'
import { gatherRemote } from './doctor/gather-remote.ts'
import { readApp } from './read-app.ts'

const usage = 'npm run doctor -- [--remote] [--env NAME] [--quick] [--json]'
const config = join(root, 'wrangler.toml')

async function loadApp(): Promise<App | string> {
  try {
    return (await import('../join-app.ts')).app
  } catch (error) {
    return `The app cannot be read: ${error instanceof Error ? error.message : error}`
  }
}

async function lookRemote(
  app: App | string,
  { maxStatementsPerRequest }: LocalFacts,
  env: string | undefined,
): Promise<Finding[]> {
  try {
    const { triggers, vars } = readEnvironment(config, env)
    const wanted = readWanted(config, env)
    const account = await findAccount(root, wanted.accountId, accountChooser())
    const catalog = typeof app === 'string' ? null : readApp(app).catalog
    const facts = await gatherRemote({ account, wanted, vars: Object.keys(vars), catalog, config })
    const option = env === undefined ? '' : ` --env ${env}`
    return checkRemote(facts, { crons: triggers.crons ?? [], maxStatementsPerRequest, option }, Date.now())
  } catch (error) {
    if (!['RemoteError', 'UsageError'].includes((error as Error).name)) throw error
    return [
      fault('Cloudflare', (error as Error).message, `npm run doctor -- --remote again, once that is mended`),
    ]
  }
}

await runCommand(usage, async () => {
  const { values } = parseArgs({
    options: {
      remote: { type: 'boolean', default: false },
      env: { type: 'string' },
      // Leaves out what takes seconds: how long the Worker takes to start.
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const progress = createProgress()
  try {
    if (!values.json) progress.step('looking at this machine')
    const app = await loadApp()
    const facts = await gatherLocal(root, app, values.env, values.quick)
    const local = checkLocal(facts)
    if (values.remote && !values.json) progress.step('asking Cloudflare')
    const remote = values.remote ? await lookRemote(app, facts, values.env) : null
    progress.end()
    const all = [...local, ...(remote ?? [])]
    if (values.json) console.log(JSON.stringify({ local, remote }, null, 2))
    else {
      for (const line of findingLines(local)) console.log(line)
      if (remote) console.log('\nDeployed:')
      for (const line of findingLines(remote ?? [])) console.log(line)
      const count = (state: Finding['state']) => all.filter((finding) => finding.state === state).length
      console.log(`\n${count('fault')} faults, ${count('warning')} warnings, ${count('unknown')} not known`)
    }
    if (all.some(({ state }) => state === 'fault')) process.exitCode = 1
  } finally {
    progress.end()
  }
})
