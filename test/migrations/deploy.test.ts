import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runWrangler, wranglerEnv } from '../support/cloudflare/run-wrangler.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'
import { copySmallProject } from '../support/cloudflare/small-project.ts'
import type { ProjectCopy } from '../support/project-copy.ts'

/** A small app of two databases, so that its path is quick. */
const schema = (columns: string) => `
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
export const teams = sqliteTable('teams', { id: integer('id').primaryKey(), ${columns} })
`
const tables = `
import { defineTables, reference } from '../define.ts'
import * as schema from './schema.ts'
export default defineTables({ teams: reference(schema.teams, { access: { anon: { select: true } } }) })
`
const migrations = {
  '0000_teams': 'CREATE TABLE `teams` (`id` integer PRIMARY KEY NOT NULL, `name` text, `colour` text)',
  '0001_city': 'ALTER TABLE `teams` ADD `city` text',
  '0002_no_colour': 'ALTER TABLE `teams` DROP COLUMN `colour`',
}
const names = ['atoll', 'atoll-shard-1']

let cloudflare: Cloudflare
let project: ProjectCopy
let url: string
let env: Record<string, string>

/** The app with so many migrations, and the columns that they lead to. */
function putApp(count: number, columns: string): void {
  const tags = Object.entries(migrations).slice(0, count)
  rmSync(join(project.folder, 'db/app/migrations'), { recursive: true })
  project.writeAll({
    'db/app/migrations/meta/_journal.json': JSON.stringify({
      version: '7',
      dialect: 'sqlite',
      entries: tags.map(([tag], idx) => ({ idx, tag })),
    }),
    ...Object.fromEntries(tags.map(([tag, sql]) => [`db/app/migrations/${tag}.sql`, sql])),
    'db/app/schema.ts': schema(columns),
  })
}

const deploy = (...args: readonly string[]) =>
  project.run('functions/local/deploy.ts', ['--url', url, ...args], { env })
const wrangler = (...args: readonly string[]) => runWrangler(project.folder, env, ...args)
const versions = () => cloudflare.scripts.get('atoll').versions
const ask = async (path: string) => {
  const answer = await fetch(new URL(path, url), { headers: { apikey: keys().ATOLL_PUBLISHABLE_KEY } })
  return { status: answer.status, body: (await answer.json()) as unknown }
}
const keys = () =>
  Object.fromEntries(
    [...readFileSync(join(project.folder, 'keys'), 'utf8').matchAll(/^(\w+)="(.+)"$/gm)].map(
      ([, name, key]) => [name, key],
    ),
  ) as Record<'ATOLL_PUBLISHABLE_KEY' | 'ATOLL_SECRET_KEY', string>
const leftovers = () => readdirSync(join(project.folder, 'temporary')).filter((name) => /^atoll-/.test(name))

beforeAll(async () => {
  cloudflare = await startCloudflare()
  project = copySmallProject()
  url = await cloudflare.addressOf('atoll')
  env = { ...(wranglerEnv(join(project.folder, 'temporary')) as Record<string, string>), ...cloudflare.env }
  project.write(
    'functions/app/config.ts',
    "import { defineConfig } from '../define.ts'\nexport default defineConfig({ databaseLocation: { DB: 'enam' }, readReplicas: true })\n",
  )
  project.write('db/app/tables.ts', tables)
  project.write(
    'db/app/storage.ts',
    "import { defineStorage } from '../define.ts'\nexport default defineStorage({})\n",
  )
  putApp(1, "name: text('name'), colour: text('colour')")
})
afterAll(async () => {
  await cloudflare.stop()
  project.remove()
})

// Wrangler takes seconds to begin, and more on a busy machine.
describe('npm run deploy', { timeout: 240_000 }, () => {
  it('shows what it would do to an empty account, and does nothing', async () => {
    const { output, code } = await deploy('--plan')
    expect(output).toContain('makes the database atoll (DB), in enam')
    expect(output).toContain('makes the queue atoll-jobs-high')
    expect(output).toContain('deploys atoll, which is new')
    expect(code).toBe(0)
    expect(cloudflare.requests.filter(({ method }) => method !== 'GET')).toEqual([])
  })

  it('keeps keys out of the logs of CI', async () => {
    const { output, code } = await deploy()
    expect(output).toContain('--keys-file')
    expect(output).not.toContain('sb_secret_')
    expect(code).toBe(1)
  })

  it('leads from an empty account to a Worker that works, once it is let', async () => {
    cloudflare.fail({ match: /PUT .*\/scripts\/atoll\?/, how: 'status', status: 403 })
    const failed = await deploy('--keys-file', 'keys')
    expect(failed.output).toContain('wrangler deploy failed')
    expect(failed.code).toBe(1)
    const start = performance.now()
    cloudflare.requests.length = 0
    const { output, code } = await deploy('--keys-file', 'keys')
    console.log(
      `a deployment: ${Math.round(performance.now() - start)} ms, ${cloudflare.requests.length} requests`,
    )
    expect(output).toContain('It works')
    expect(code).toBe(0)
    expect(await ask('/rest/v1/teams')).toEqual({ status: 200, body: [] })
    expect(cloudflare.database('atoll')).toBeDefined()
    expect(names.map(cloudflare.replicationOf)).toEqual(['auto', 'auto'])
    expect(cloudflare.scripts.get('atoll').deployments.at(-1)?.codeUpdateMode).toBe('immediate')
    expect(statSync(join(project.folder, 'keys')).mode & 0o777).toBe(0o600)
    expect(leftovers()).toEqual([])
    expect(project.read('wrangler.toml')).not.toContain('database_id')
    expect(cloudflare.unknown).toEqual([])
  })

  it('asks little when there is nothing to do', async () => {
    cloudflare.requests.length = 0
    const count = versions().length
    const start = performance.now()
    const { output, code } = await deploy()
    console.log(
      `nothing to do: ${Math.round(performance.now() - start)} ms, ${cloudflare.requests.length} requests`,
    )
    expect(output).toContain('It works')
    expect(code).toBe(0)
    expect(versions()).toHaveLength(count)
    expect(cloudflare.requests.length).toBeLessThan(20)
  })

  it('applies what adds before the new version, and what takes away after it', async () => {
    await cloudflare
      .database('atoll')
      .prepare("INSERT INTO teams (id, name, colour) VALUES (1, 'Reds', 'red')")
      .run()
    putApp(3, "name: text('name'), city: text('city')")
    cloudflare.requests.length = 0
    const plan = await deploy('--plan')
    expect(plan.output).toContain('0002_no_colour.sql: after the deployment')
    // Whatever comes after the deployment fails: the new version answers all the same, without what is to come.
    cloudflare.fail({ match: /\/query\n.*0002_no_colour/, how: 'status', status: 403, times: 50 })
    const failed = await deploy()
    expect(failed.code).toBe(1)
    expect(failed.output).toContain('deployed atoll')
    expect(await ask('/rest/v1/teams')).toEqual({ status: 200, body: [{ id: 1, name: 'Reds', city: null }] })
    cloudflare.mend()
    const { output, code } = await deploy()
    expect(output).toContain('DB: applied 0002_no_colour.sql')
    expect(output).not.toContain('deploying')
    expect(code).toBe(0)
    expect(await ask('/rest/v1/teams')).toEqual({ status: 200, body: [{ id: 1, name: 'Reds', city: null }] })
    expect(versions().at(-1)?.bindings).toContainEqual(
      expect.objectContaining({ name: 'ATOLL_MIGRATIONS_TO_COME', text: '0002_no_colour.sql' }),
    )
  })

  it('refuses what neither order can carry out beside both versions', async () => {
    const file = 'db/app/migrations/0003_rename.sql'
    const [journal, old] = ['db/app/migrations/meta/_journal.json', 'db/app/schema.ts'].map(project.read)
    project.write(file, 'ALTER TABLE `teams` RENAME COLUMN `city` TO `town`')
    project.write('db/app/schema.ts', schema("name: text('name'), town: text('town')"))
    const entries = (JSON.parse(journal as string) as { entries: object[] }).entries
    project.write(
      'db/app/migrations/meta/_journal.json',
      JSON.stringify({
        version: '7',
        dialect: 'sqlite',
        entries: [...entries, { idx: 3, tag: '0003_rename' }],
      }),
    )
    const { output, code } = await deploy()
    expect(output).toContain('0003_rename.sql renames the column teams.city to town')
    expect(code).toBe(1)
    rmSync(join(project.folder, file))
    project.write('db/app/schema.ts', old as string)
    project.write('db/app/migrations/meta/_journal.json', journal as string)
  })

  it('tells the way back from a version that does not work, and wrangler goes it', async () => {
    const before = versions().at(-1)?.id
    const entry = project.read('functions/index.ts')
    project.write('functions/index.ts', `${entry}\nthrow new Error('it does not begin')\n`)
    const { output, code } = await deploy('--wait', '1')
    expect(output).toContain('It does not work as it should')
    expect(output).toContain(`npx wrangler rollback ${before}`)
    expect(output).toContain('npx wrangler d1 time-travel restore atoll --bookmark=')
    expect(code).toBe(1)
    const back = await wrangler(
      'rollback',
      before as string,
      '--yes',
      '--durable-objects-code-update-mode',
      'immediate',
    )
    expect(back.output).toContain(before)
    project.write('functions/index.ts', entry)
    expect((await ask('/rest/v1/teams')).status).toBe(200)
  })
})

describe('npm run deploy -- --env', { timeout: 240_000 }, () => {
  it('makes an environment of its own beside the other', async () => {
    const missing = await deploy('--env', 'staging')
    expect(missing.output).toContain('npm run environments -- add staging')
    await project.run('functions/local/environments.ts', ['add', 'staging'])
    const address = await cloudflare.addressOf('atoll-staging')
    const { output, code } = await project.run(
      'functions/local/deploy.ts',
      ['--env', 'staging', '--url', address, '--keys-file', 'staging-keys'],
      { env },
    )
    expect(output).toContain('It works')
    expect(code).toBe(0)
    const { bindings = [] } = cloudflare.scripts.deployed('atoll-staging') ?? {}
    const databases = bindings.filter(({ type }) => type === 'd1').map(({ id }) => id)
    expect(databases).toEqual(['atoll-staging', 'atoll-shard-1-staging'].map(cloudflare.idOf))
    expect(project.read('staging-keys')).not.toBe(project.read('keys'))
    expect((await ask('/rest/v1/teams')).status).toBe(200)
  })
})

describe('npx wrangler deploy', { timeout: 240_000 }, () => {
  it('finds everything by its name', async () => {
    const { code, output } = await wrangler('deploy', '--env=')
    expect(output).toContain('Current Version ID')
    expect(code).toBe(0)
    expect(
      versions()
        .at(-1)
        ?.bindings.filter(({ type }) => type === 'secret_text'),
    ).toHaveLength(3)
  })
})
