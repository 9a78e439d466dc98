import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wranglerEnv } from '../support/cloudflare/run-wrangler.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'
import { copySmallProject } from '../support/cloudflare/small-project.ts'
import type { ProjectCopy } from '../support/project-copy.ts'

const root = join(import.meta.dirname, '..', '..')

/** What the page says to type, line by line. */
const commands = (() => {
  const guide = readFileSync(join(root, 'functions/backups/GUIDE.md'), 'utf8')
  const page = guide.slice(guide.indexOf('## The worst day'))
  return (/```bash\n([\s\S]*?)```/.exec(page)?.[1] ?? '').trim().split('\n')
})()

let cloudflare: Cloudflare
let url: string
const projects: ProjectCopy[] = []

/** A clone of the same app. */
function clone(): ProjectCopy {
  const project = copySmallProject()
  projects.push(project)
  rmSync(join(project.folder, 'db/app/migrations'), { recursive: true })
  project.writeAll({
    'db/app/migrations/meta/_journal.json': JSON.stringify({
      version: '7',
      dialect: 'sqlite',
      entries: [{ idx: 0, tag: '0000_teams' }],
    }),
    'db/app/migrations/0000_teams.sql':
      'CREATE TABLE `teams` (`id` integer PRIMARY KEY NOT NULL, `name` text)',
    'db/app/schema.ts': `import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
export const teams = sqliteTable('teams', { id: integer('id').primaryKey(), name: text('name') })`,
    'db/app/tables.ts': `import { defineTables, distributed } from '../define.ts'
import * as schema from './schema.ts'
export default defineTables({ teams: distributed(schema.teams, { by: 'id', access: {} }) })`,
    'db/app/storage.ts': "import { defineStorage } from '../define.ts'\nexport default defineStorage({})\n",
  })
  return project
}

const envOf = (project: ProjectCopy) => ({
  ...(wranglerEnv(join(project.folder, 'temporary')) as Record<string, string>),
  ...cloudflare.env,
})

beforeAll(async () => {
  cloudflare = await startCloudflare()
  url = await cloudflare.addressOf('atoll')
})
afterAll(async () => {
  await cloudflare.stop()
  for (const project of projects) project.remove()
})

describe('the page for the worst day', { timeout: 240_000 }, () => {
  it('leads, word by word, from lost databases to all rows', async () => {
    const before = clone()
    const deployed = await before.run('functions/local/deploy.ts', ['--url', url, '--keys-file', 'keys'], {
      env: envOf(before),
    })
    expect(deployed.output).toContain('It works')
    const keys = before.read('keys')
    const secret = /^ATOLL_SECRET_KEY="(.+)"$/m.exec(keys)?.[1] ?? ''
    const send = (path: string, init: RequestInit = {}) =>
      fetch(new URL(path, url), { ...init, headers: { apikey: secret, 'content-type': 'application/json' } })
    const rows = Array.from({ length: 30 }, (_, i) => ({ id: i + 1, name: `team ${i}` }))
    for (const row of rows)
      expect((await send('/rest/v1/teams', { method: 'POST', body: JSON.stringify(row) })).status).toBe(201)
    const made = await before.run('functions/local/backup.ts', ['create', '--url', url], {
      env: { ...envOf(before), ATOLL_SECRET_KEY: secret },
    })
    const [, id = ''] = /^(\w{26}) {2}backup; done/m.exec(made.output) ?? []
    expect(id).not.toBe('')

    for (const name of ['atoll', 'atoll-shard-1']) {
      const path = `/accounts/${cloudflare.env.CLOUDFLARE_ACCOUNT_ID}/d1/database/${cloudflare.idOf(name)}`
      const gone = await fetch(`${cloudflare.url}${path}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${cloudflare.env.CLOUDFLARE_API_TOKEN}` },
      })
      expect(gone.status).toBe(200)
    }

    const fresh = clone()
    fresh.write('keys', keys)
    const { scripts } = JSON.parse(fresh.read('package.json')) as { scripts: Record<string, string> }
    const env: Record<string, string> = envOf(fresh)
    const outputs: string[] = []
    for (const line of commands) {
      const words = line
        .replaceAll('https://…', url)
        .replace('sb_secret_…', secret)
        .replace(' ID ', ` ${id} `)
        .split(' ')
      // The copy has its packages.
      if (line === 'npm ci') continue
      if (words[0] === 'export') {
        const [name = '', value = ''] = (words[1] as string).split('=')
        env[name] = value
        continue
      }
      expect(words.slice(0, 2)).toEqual(['npm', 'run'])
      const script = /^node (\S+)$/.exec(scripts[words[2] as string] ?? '')?.[1] as string
      // Addresses at workers.dev are not on this machine.
      const args = [...words.slice(4), ...(words[2] === 'deploy' ? ['--url', url] : [])]
      const { code, output } = await fresh.run(script, args, { env })
      outputs.push(output)
      expect([line, code], output).toEqual([line, 0])
    }
    expect(outputs.some((output) => output.includes('right  rows of teams'))).toBe(true)
    expect(outputs.join('\n')).not.toContain('WRONG')
    const answer = await send('/rest/v1/teams?select=id,name&order=id')
    expect(await answer.json()).toEqual(rows)
  })
})
