import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabases } from '../../db/doors/open-databases.ts'
import { permittedTexts } from '../../db/system/permits.ts'
import { rebuildOf } from '../support/migration-bench.ts'
import { copyProject, type ProjectCopy } from '../support/project-copy.ts'
import { seededRandom } from '../support/seeded-random.ts'

/** How often the command is killed; more with the variable. */
const kills = Number(process.env.ATOLL_MIGRATION_KILLS ?? 2)
const seed = Number(process.env.ATOLL_SEED ?? 1)
const names = ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']
const homes = 3000
const state = mkdtempSync(join(tmpdir(), 'atoll-kills-'))
let project: ProjectCopy

const schema = `
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
export const homes = sqliteTable('homes', { id: integer('id').primaryKey(), name: text('name') })
export const rooms = sqliteTable('rooms', {
  id: integer('id').primaryKey(),
  homeId: integer('home_id').references(() => homes.id, { onDelete: 'cascade' }),
})
`
const tables = `
import { defineTables, local } from '../define.ts'
import * as schema from './schema.ts'
export default defineTables({ homes: local(schema.homes, { searchable: ['name'] }), rooms: local(schema.rooms) })
`
const first = [
  'CREATE TABLE `homes` (`id` integer PRIMARY KEY NOT NULL, `name` text)',
  'CREATE TABLE `rooms` (`id` integer PRIMARY KEY NOT NULL, `home_id` integer, FOREIGN KEY (`home_id`) REFERENCES `homes`(`id`) ON DELETE cascade)',
  'CREATE INDEX `rooms_home` ON `rooms` (`home_id`)',
]
const entries: string[] = []

/** Writes a migration by hand, and enters it into drizzle-kit's journal. */
function write(name: string, statements: readonly string[]): void {
  entries.push(name)
  project.write(`db/app/migrations/${name}.sql`, statements.join('--> statement-breakpoint\n'))
  const journal = { version: '7', dialect: 'sqlite', entries: entries.map((tag, idx) => ({ idx, tag })) }
  project.write('db/app/migrations/meta/_journal.json', JSON.stringify(journal))
}

/** D1 says 'internal error' while the process of a command that was killed still lets go of the same files. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (tries === 10 || !String(error).includes('internal error')) throw error
      await new Promise((done) => setTimeout(done, 500))
    }
  }
}

const migrate = (signal?: AbortSignal) =>
  project.run('db/commands/migrate.ts', ['--persist-to', state], signal ? { signal } : {})

beforeAll(async () => {
  project = copyProject()
  rmSync(join(project.folder, 'db/app/migrations'), { recursive: true })
  await project.run('-e', ["require('fs').mkdirSync('db/app/migrations/meta', { recursive: true })"])
  project.write('db/app/schema.ts', schema)
  project.write('db/app/tables.ts', tables)
  project.write(
    'db/app/storage.ts',
    "import { defineStorage } from '../define.ts'\nexport default defineStorage({})\n",
  )
  write('0000_homes', first)
})
afterAll(() => {
  project.remove()
  rmSync(state, { recursive: true, force: true })
})

describe('db:migrate', () => {
  it(
    `keeps every row when it is killed ${kills} times, and goes on from there (seed ${seed})`,
    async () => {
      expect(await migrate()).toMatchObject({ code: 0 })
      const { databases, close } = await openDatabases({ remote: false, persistTo: state })
      for (const database of databases.values()) {
        const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${homes})`
        await database.batch(
          permittedTexts([
            `${numbers} INSERT INTO homes SELECT i, 'house ' || i FROM n`,
            'INSERT INTO rooms SELECT id * 2, id FROM homes UNION ALL SELECT id * 2 + 1, id FROM homes',
          ]).map((text) => database.prepare(text)),
        )
      }
      await close()
      const random = seededRandom(seed)
      const started = Date.now()
      await migrate()
      const usualMs = Date.now() - started
      let ended = 0
      for (let i = 1; i <= kills; i++) {
        const create = `CREATE TABLE \`homes\` (\`id\` integer PRIMARY KEY NOT NULL, \`name\` text DEFAULT 'v${i}')`
        write(`${String(i).padStart(4, '0')}_again`, rebuildOf('homes', create, ['id', 'name']))
        const abort = new AbortController()
        // From where it has begun to open databases to where it would be done.
        const timer = setTimeout(() => abort.abort(), usualMs * (0.3 + 1.2 * random()))
        const { code } = await migrate(abort.signal)
        clearTimeout(timer)
        if (code === 0) ended++
      }
      const last = await migrate()
      expect(last).toMatchObject({ code: 0 })
      console.info(`${kills - ended} of ${kills} runs were killed before they ended`)
      const after = await openDatabases({ remote: false, persistTo: state })
      try {
        for (const name of names) {
          const rows = (text: string) =>
            patiently(async () => (await after.databases.get(name)?.prepare(text).all())?.results)
          expect(await rows('SELECT count(*) AS n, sum(id) AS s FROM homes')).toEqual([
            { n: homes, s: (homes * (homes + 1)) / 2 },
          ])
          expect(await rows('SELECT count(*) AS n, count(DISTINCT home_id) AS h FROM rooms')).toEqual([
            { n: 2 * homes, h: homes },
          ])
          expect(await rows('SELECT name FROM d1_migrations ORDER BY id')).toEqual(
            entries.map((tag) => ({ name: `${tag}.sql` })),
          )
          expect(await rows("SELECT name FROM sqlite_schema WHERE name GLOB '_atoll_held*'")).toEqual([])
          expect(
            await rows(`SELECT rowid FROM _atoll_search_homes WHERE _atoll_search_homes MATCH '"house 77"'`),
          ).toEqual([{ rowid: 77 }])
        }
      } finally {
        await after.close()
      }
    },
    60_000 + kills * 20_000,
  )
})
