import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  cancelTravel,
  type TravelHands,
  type TravelOptions,
  travelBack,
} from '../../functions/local/travel-back.ts'
import { wranglerEnv } from '../support/cloudflare/run-wrangler.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'
import { copySmallProject } from '../support/cloudflare/small-project.ts'
import type { ProjectCopy } from '../support/project-copy.ts'

const schema = `
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
export const teams = sqliteTable('teams', { id: integer('id').primaryKey(), name: text('name') })
export const members = sqliteTable('members', {
  id: integer('id').primaryKey(), email: text('email').unique(), team: integer('team').references(() => teams.id),
})
`
const tables = `
import { defineTables, distributed, reference } from '../define.ts'
import * as schema from './schema.ts'
export default defineTables({
  teams: reference(schema.teams, { access: {} }),
  members: distributed(schema.members, { by: 'id', uniqueAcrossShards: ['email'], access: {} }),
})
`
const migration = `CREATE TABLE \`teams\` (\`id\` integer PRIMARY KEY NOT NULL, \`name\` text);
--> statement-breakpoint
CREATE TABLE \`members\` (\`id\` integer PRIMARY KEY NOT NULL, \`email\` text, \`team\` integer, FOREIGN KEY (\`team\`) REFERENCES \`teams\`(\`id\`) ON UPDATE no action ON DELETE no action);
--> statement-breakpoint
CREATE UNIQUE INDEX \`members_email_unique\` ON \`members\` (\`email\`);`

const names: Readonly<Record<string, string>> = { DB: 'atoll', SHARD_1: 'atoll-shard-1' }

interface Member {
  readonly id: number
  readonly email: string
  readonly team: number | null
}

let cloudflare: Cloudflare
let project: ProjectCopy
let url: string
let env: Record<string, string>
let secret: string

const send = (
  path: string,
  init: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
) =>
  fetch(new URL(path, url), {
    method: init.method ?? 'GET',
    headers: { apikey: secret, 'content-type': 'application/json', ...init.headers },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  })
const backup = (...words: readonly string[]) =>
  project.run('functions/local/backup.ts', [...words, '--url', url], {
    env: { ...env, ATOLL_SECRET_KEY: secret },
  })

async function enter(
  email: string,
  team: number | null = null,
): Promise<Member & { readonly session: string }> {
  const answer = await send('/rest/v1/members', {
    method: 'POST',
    body: { email, team },
    headers: { prefer: 'return=representation' },
  })
  const [member] = (await answer.json()) as Member[]
  expect([answer.status, email]).toEqual([201, member?.email])
  return { ...(member as Member), session: answer.headers.get('atoll-session') ?? '' }
}
const list = async (path: string) => {
  const answer = await send(path)
  expect(answer.status).toBe(200)
  return (await answer.json()) as Member[]
}
const members = () => list('/rest/v1/members?select=id,email,team&order=id')
const teams = () => list('/rest/v1/teams?select=id,name&order=id')

async function ask<Answer>(path: string, method = 'GET', body?: object): Promise<Answer> {
  const answer = await send(`/backups/v1${path}`, { method, body })
  const said = await answer.json()
  if (!answer.ok) throw new Error(JSON.stringify(said))
  return said as Answer
}

async function cloudflareAsks<Result>(path: string, method = 'GET', body?: object): Promise<Result> {
  const answer = await fetch(`${cloudflare.url}/accounts/${cloudflare.env.CLOUDFLARE_ACCOUNT_ID}${path}`, {
    method,
    headers: { authorization: `Bearer ${cloudflare.env.CLOUDFLARE_API_TOKEN}` },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const { result, errors } = (await answer.json()) as { result: Result; errors: unknown[] }
  if (!answer.ok) throw new Error(JSON.stringify(errors))
  return result
}

const at = (database: string) => `/d1/database/${cloudflare.idOf(names[database] as string)}`
const hands: TravelHands = {
  bookmarkAt: async (database, time) =>
    (
      await cloudflareAsks<{ bookmark: string }>(
        `${at(database)}/time_travel/bookmark?timestamp=${new Date(time).toISOString()}`,
      )
    ).bookmark,
  madeAt: async (database) =>
    Date.parse((await cloudflareAsks<{ created_at: string }>(at(database))).created_at),
  restore: async (database, bookmark) =>
    (
      await cloudflareAsks<{ previous_bookmark: string }>(
        `${at(database)}/time_travel/restore?bookmark=${bookmark}`,
        'POST',
      )
    ).previous_bookmark,
  setting: async (text) =>
    void (await cloudflareAsks('/workers/scripts/atoll/secrets', 'PUT', { name: 'ATOLL_TIME_TRAVEL', text })),
  migrate: async () => undefined,
}
const optionsOf = (to: TravelOptions['to']): TravelOptions => ({
  to,
  isPlan: false,
  migrates: false,
  opensAnyway: false,
  waitSeconds: 0,
})
const timeOf = (ms: number) => new Date(ms).toISOString()

class Crash extends Error {}

/** Dies at every call that is made, once before it is and once when its answer is lost. */
function dying(met: Set<string>, meanwhile: (call: string) => Promise<void>) {
  const at = async <Answer>(call: string, work: () => Promise<Answer>): Promise<Answer> => {
    if (!met.has(`before ${call}`)) {
      met.add(`before ${call}`)
      throw new Crash(call)
    }
    const answer = await work()
    if (!met.has(`after ${call}`)) {
      met.add(`after ${call}`)
      await meanwhile(call)
      throw new Crash(call)
    }
    return answer
  }
  const nameOf = (path: string) => path.replace(/\w{26}/, 'ID')
  return {
    ask: <Answer>(path: string, method = 'GET', body?: object) =>
      at(`${method} ${nameOf(path)} ${(body as { database?: string } | undefined)?.database ?? ''}`, () =>
        ask<Answer>(path, method, body),
      ),
    hands: {
      bookmarkAt: (database: string, time: number) =>
        at(`bookmark ${database}`, () => hands.bookmarkAt(database, time)),
      madeAt: (database: string) => at(`made ${database}`, () => hands.madeAt(database)),
      restore: (database: string, bookmark: string) =>
        at(`restore ${database}`, () => hands.restore(database, bookmark)),
      setting: (text: string) => at(`setting ${text.split(' ')[0]}`, () => hands.setting(text)),
      migrate: hands.migrate,
    } satisfies TravelHands,
  }
}

beforeAll(async () => {
  cloudflare = await startCloudflare()
  project = copySmallProject()
  url = await cloudflare.addressOf('atoll')
  env = { ...(wranglerEnv(join(project.folder, 'temporary')) as Record<string, string>), ...cloudflare.env }
  rmSync(join(project.folder, 'db/app/migrations'), { recursive: true })
  project.writeAll({
    'db/app/migrations/meta/_journal.json': JSON.stringify({
      version: '7',
      dialect: 'sqlite',
      entries: [{ idx: 0, tag: '0000_all' }],
    }),
    'db/app/migrations/0000_all.sql': migration,
    'db/app/schema.ts': schema,
    'db/app/tables.ts': tables,
    'db/app/storage.ts': "import { defineStorage } from '../define.ts'\nexport default defineStorage({})\n",
  })
  const deployed = await project.run('functions/local/deploy.ts', ['--url', url, '--keys-file', 'keys'], {
    env,
  })
  expect(deployed.output).toContain('It works')
  secret = /^ATOLL_SECRET_KEY="(.+)"$/m.exec(readFileSync(join(project.folder, 'keys'), 'utf8'))?.[1] ?? ''
}, 240_000)
afterAll(async () => {
  await cloudflare.stop()
  project.remove()
})

describe('npm run backup -- restore --at', { timeout: 240_000 }, () => {
  it('leads all databases back to one moment, whatever step it dies at', async () => {
    await send('/rest/v1/teams', { method: 'POST', body: { id: 1, name: 'Reds' } })
    for (let i = 0; i < 12; i++) await enter(`m${i}@x`, 1)
    const before = [await members(), await teams()]
    const moment = await cloudflare.remember()
    await new Promise((done) => setTimeout(done, 5))
    // What is taken back: rows of both databases, values and ids that were given out, and somebody who has seen it.
    await send('/rest/v1/teams', { method: 'POST', body: { id: 2, name: 'Blues' } })
    const lost = [await enter('lost@x', 2), await enter('later@x', 1)]
    const [first] = before[0] as Member[]
    await send(`/rest/v1/members?id=eq.${first?.id}`, { method: 'DELETE' })
    await send(`/rest/v1/members?email=eq.m1@x`, { method: 'PATCH', body: { email: 'other@x' } })
    const greatest = Math.max(...lost.map(({ id }) => id))

    const refused: (readonly [string, number, string | null])[] = []
    const met = new Set<string>()
    const parts = dying(met, async (call) => {
      if (!/close|restore/.test(call)) return
      const answer = await send('/rest/v1/teams')
      refused.push([call, answer.status, answer.headers.get('retry-after')])
    })
    const said: string[] = []
    for (let isDone = false; !isDone; ) {
      try {
        isDone = await travelBack(parts.ask, parts.hands, optionsOf({ at: timeOf(moment) }), (line) =>
          said.push(line),
        )
        expect(isDone, said.join('\n')).toBe(true)
      } catch (error) {
        if (!(error instanceof Crash)) throw error
      }
    }
    console.log(`died at ${met.size} places`)
    expect(met.size).toBeGreaterThan(24)
    expect(refused.length).toBeGreaterThan(3)
    for (const one of refused) expect(one.slice(1)).toEqual([503, '15'])
    expect(said.filter((line) => line.includes('WRONG'))).toEqual([])
    expect(said).toContain('  right  slots: each has one owner, and the map says which')

    expect([await members(), await teams()]).toEqual(before)
    const stale = await send('/rest/v1/members', { headers: { 'atoll-session': lost[0]?.session ?? '' } })
    expect([stale.status, ((await stale.json()) as { code: string }).code]).toEqual([409, 'SHARD040'])
    // Values of then are free again, those of now are taken, and ids go on behind all that there were.
    const again = await enter('lost@x', 1)
    expect(again.id).toBeGreaterThan(greatest)
    const goesOn = await send('/rest/v1/members', { headers: { 'atoll-session': again.session } })
    expect(goesOn.status).toBe(200)
    const twice = await send('/rest/v1/members', { method: 'POST', body: { email: 'm1@x' } })
    expect([twice.status, ((await twice.json()) as { code: string }).code]).toEqual([409, '23505'])
  })

  it('says by --plan what is lost and what is in its way, and changes nothing', async () => {
    const moment = await cloudflare.remember()
    await new Promise((done) => setTimeout(done, 5))
    await enter('planned@x', 1)
    const { code, output } = await backup('restore', '--at', timeOf(moment), '--plan')
    expect(output).toMatch(/(DB|SHARD_1) .*; (at least )?1 changes of rows are lost/)
    expect(code).toBe(0)
    const early = await backup('restore', '--at', '2020-01-01T00:00:00Z', '--plan')
    expect(early.output).toMatch(/In the way: SHARD_1 did not exist then/)
    expect(early.output).toContain('0000_all.sql was applied since: with --migrate')
    expect(early.code).toBe(1)
    await cloudflare
      .database('atoll')
      .prepare(
        "INSERT INTO _atoll_moves (id, source, target, ranges, state, created, updated) VALUES ('m', 'DB', 'SHARD_1', '[]', 'done', ?, ?)",
      )
      .bind(moment - 1000, moment + 1000)
      .run()
    const torn = await backup('restore', '--at', timeOf(moment), '--plan')
    expect(torn.output).toContain('In the way: At that moment slots were moving (m): choose one before')
    expect((await members()).some(({ email }) => email === 'planned@x')).toBe(true)
    await cloudflare.database('atoll').prepare("DELETE FROM _atoll_moves WHERE id = 'm'").run()
  })

  it('goes by the bookmarks of a backup, as a command', async () => {
    await cloudflare.remember()
    const before = await members()
    const made = await backup('create')
    const [, id = ''] = /^(\w{26}) {2}backup; done/m.exec(made.output) ?? []
    await enter('after-the-backup@x', 1)
    const { code, output } = await backup('restore', '--backup', id, '--wait', '0')
    expect(output).toContain('callers are let in again')
    expect(output).not.toContain('WRONG')
    expect(code).toBe(0)
    expect(await members()).toEqual(before)
    expect((await backup('list')).output).toContain(id)
  })

  it('is given up as long as no database is back, and lets callers in again', async () => {
    const moment = await cloudflare.remember()
    await new Promise((done) => setTimeout(done, 5))
    const stuck = { ...hands, restore: () => Promise.reject(new Error('no way')) }
    const options = optionsOf({ at: timeOf(moment) })
    await expect(travelBack(ask, stuck, options, () => undefined)).rejects.toThrow('no way')
    expect((await send('/rest/v1/teams')).status).toBe(503)
    expect((await send('/backups/v1')).status).toBe(503)
    const other = optionsOf({ at: timeOf(moment - 1) })
    await expect(travelBack(ask, hands, other, () => undefined)).rejects.toThrow('on their way')
    await cancelTravel(ask, hands)
    expect((await send('/rest/v1/teams')).status).toBe(200)
  })
})
