import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, reference } from '../../db/define.ts'
import { remoteDatabase } from '../../db/doors/remote-database.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import { permittedTexts } from '../../db/system/permits.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'
import { rebuildOf, written } from '../support/migration-bench.ts'
import { copyProject, type ProjectCopy } from '../support/project-copy.ts'

const names = ['atoll', 'atoll-shard-1', 'atoll-shard-2', 'atoll-shard-3']
let cloudflare: Cloudflare
let project: ProjectCopy

const migrate = (...args: readonly string[]) =>
  project.run('db/commands/migrate.ts', ['--remote', ...args], { env: cloudflare.env })
const rows = async (text: string, name = 'atoll') =>
  (await cloudflare.database(name).prepare(text).all()).results

/** The app: two tables, one of them referring to the other. */
const schema = (parent: string, more = '') => `
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
export const teams = sqliteTable('teams', { id: integer('id').primaryKey(), ${parent} })
export const members = sqliteTable('members', {
  id: integer('id').primaryKey(), ${more}
  teamId: integer('team_id').references(() => teams.id, { onDelete: 'cascade' }),
})
`
const tables = `
import { defineTables, reference } from '../define.ts'
import * as schema from './schema.ts'
export default defineTables({ teams: reference(schema.teams), members: reference(schema.members) })
`
const first = [
  'CREATE TABLE `teams` (`id` integer PRIMARY KEY NOT NULL, `name` text)',
  'CREATE TABLE `members` (`id` integer PRIMARY KEY NOT NULL, `team_id` integer, FOREIGN KEY (`team_id`) REFERENCES `teams`(`id`) ON DELETE cascade)',
  'CREATE TRIGGER told AFTER INSERT ON members BEGIN SELECT CASE WHEN new.id > 0 THEN 1 ELSE 2 END; END',
]

beforeAll(async () => {
  cloudflare = await startCloudflare({ databases: names })
  project = copyProject()
  rmSync(join(project.folder, 'db/app/migrations'), { recursive: true })
  mkdirSync(join(project.folder, 'db/app/migrations/meta'), { recursive: true })
  const journal = { version: '7', dialect: 'sqlite', entries: [{ idx: 0, tag: '0000_teams' }] }
  project.write('db/app/migrations/meta/_journal.json', JSON.stringify(journal))
  project.write('db/app/schema.ts', schema("name: text('name')"))
  project.write('db/app/tables.ts', tables)
  project.write(
    'db/app/storage.ts',
    "import { defineStorage } from '../define.ts'\nexport default defineStorage({})\n",
  )
  project.write('db/app/migrations/0000_teams.sql', first.join(';--> statement-breakpoint\n'))
})
afterAll(async () => {
  await cloudflare.stop()
  project.remove()
})

describe('db:migrate -- --remote', () => {
  it('migrates new databases over the API, and asks little of those that have nothing to do', async () => {
    const made = await migrate()
    expect(made.output).toContain('SHARD_3: applied 0000_teams.sql')
    expect(made.code).toBe(0)
    for (const name of names) {
      const database = cloudflare.database(name)
      const texts = permittedTexts([
        "INSERT INTO teams VALUES (1, 'red'), (2, 'blue')",
        'INSERT INTO members VALUES (1, 1), (2, 2), (3, 2)',
      ])
      await database.batch(texts.map((text) => database.prepare(text)))
    }
    cloudflare.requests.length = 0
    const again = await migrate()
    expect(again.output).toContain('DB: nothing to do')
    // Whether DB is empty, and one look at each database.
    expect(cloudflare.requests.filter(({ path }) => path.endsWith('/query'))).toHaveLength(5)
    expect(cloudflare.unknown).toEqual([])
  })

  it('says of an environment that is not there which there are', async () => {
    const { code, output } = await migrate('--env', 'staging')
    expect(code).toBe(1)
    expect(output).toContain('has no environment staging')
    expect(output).not.toMatch(/\n\s+at /)
  })

  it('keeps every row when its requests are cut off, before or after the work is done', async () => {
    const rebuilt = rebuildOf(
      'teams',
      'CREATE TABLE `teams` (`id` integer PRIMARY KEY NOT NULL, `name` text NOT NULL)',
      ['id', 'name'],
    )
    const migrations = [
      written('0000_teams.sql', ...first),
      written('0001_named.sql', ...rebuilt),
      written('0002_age.sql', 'ALTER TABLE members ADD COLUMN age integer DEFAULT 7'),
      ...Array.from({ length: 6 }, (_, i) =>
        written(`0003_${String.fromCharCode(97 + i)}.sql`, `CREATE TABLE more_${i} (id integer PRIMARY KEY)`),
      ),
    ].map((migration, i) =>
      i === 0 ? { ...migration, sql: project.read('db/app/migrations/0000_teams.sql') } : migration,
    )
    const teams = sqliteTable('teams', { id: integer('id').primaryKey(), name: text('name').notNull() })
    const members = sqliteTable('members', {
      id: integer('id').primaryKey(),
      teamId: integer('team_id').references(() => teams.id, { onDelete: 'cascade' }),
      age: integer('age').default(7),
    })
    const catalog = buildCatalog(defineTables({ teams: reference(teams), members: reference(members) }))
    const api = {
      baseUrl: cloudflare.url,
      headers: { Authorization: `Bearer ${cloudflare.env.CLOUDFLARE_API_TOKEN}` },
      credentials: 'CLOUDFLARE_API_TOKEN',
    }
    const accountId = cloudflare.accounts[0]?.id ?? ''
    const databases = new Map(
      names.map((name, i) => [
        i === 0 ? 'DB' : `SHARD_${i}`,
        remoteDatabase({ api, accountId, id: cloudflare.idOf(name), name }),
      ]),
    )
    // Every seventh request is cut off; a run that gives up is followed by another one.
    for (let after = 0; after < 120; after += 7)
      cloudflare.fail({
        match: /POST .*\/query/,
        after,
        times: 1,
        how: after % 2 === 0 ? 'drop-before' : 'drop-after',
      })
    let gaveUp = 0
    for (let isDone = false; !isDone && gaveUp < 50; ) {
      await migrateCluster(databases, catalog, migrations).then(
        () => {
          isDone = true
        },
        (error) => {
          gaveUp++
          expect(String(error)).toMatch(/unknown|cut off|connection|answer/i)
        },
      )
    }
    expect(gaveUp).toBeGreaterThan(0)
    expect(gaveUp).toBeLessThan(50)
    for (const name of names) {
      expect(await rows('SELECT * FROM teams', name)).toEqual([
        { id: 1, name: 'red' },
        { id: 2, name: 'blue' },
      ])
      expect(await rows('SELECT * FROM members', name)).toEqual(
        [1, 2, 2].map((team_id, i) => ({ id: i + 1, team_id, age: 7 })),
      )
      expect(await rows('SELECT name FROM d1_migrations ORDER BY id', name)).toEqual(
        migrations.map((migration) => ({ name: migration.name })),
      )
      expect(await rows("SELECT name FROM sqlite_schema WHERE name = 'told'", name)).toHaveLength(1)
    }
  }, 120_000)
})
