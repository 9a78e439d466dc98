/**
 * Migrators that are broken on purpose: what they do must not look right to the comparison that the others pass.
 * @module
 */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, local } from '../../db/define.ts'
import { type MigrationBench, openBench, rebuildOf, written } from '../support/migration-bench.ts'

const homes = sqliteTable('homes', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  name: text('name'),
})
const rooms = sqliteTable(
  'rooms',
  {
    id: integer('id').primaryKey(),
    homeId: integer('home_id').references(() => homes.id, { onDelete: 'cascade' }),
    name: text('name'),
  },
  (table) => [index('rooms_home').on(table.homeId)],
)
const chairs = sqliteTable('chairs', {
  id: integer('id').primaryKey(),
  roomId: integer('room_id').references(() => rooms.id, { onDelete: 'set null' }),
})
const catalog = buildCatalog(
  defineTables({ homes: local(homes, { searchable: ['name'] }), rooms: local(rooms), chairs: local(chairs) }),
)
const first = written(
  '0000_homes.sql',
  'CREATE TABLE homes (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, name text)',
  'CREATE TABLE rooms (id integer PRIMARY KEY NOT NULL, home_id integer, name text, FOREIGN KEY (home_id) REFERENCES homes(id) ON DELETE cascade)',
  'CREATE TABLE chairs (id integer PRIMARY KEY NOT NULL, room_id integer, FOREIGN KEY (room_id) REFERENCES rooms(id) ON DELETE set null)',
  'CREATE INDEX rooms_home ON rooms (home_id)',
  'CREATE TABLE told (what text)',
  "CREATE TRIGGER tell AFTER DELETE ON rooms BEGIN INSERT INTO told VALUES ('a room went'); END",
  "CREATE TRIGGER tell_new AFTER INSERT ON homes BEGIN INSERT INTO told VALUES ('a home came'); END",
)
const second = written(
  '0001_named.sql',
  ...rebuildOf(
    'homes',
    'CREATE TABLE `homes` (`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL, `name` text NOT NULL)',
    ['id', 'name'],
  ),
)

/** Takes statements of the migration away, or changes them. */
type Mutant = (sql: string) => string | null

const mutants: Readonly<Record<string, Mutant>> = {
  'forgets to put the children back': (sql) => (/^INSERT INTO "rooms"|atoll\/rows/.test(sql) ? null : sql),
  'forgets one child': (sql) =>
    /_atoll_held_rooms|DROP TABLE "rooms"|CREATE TABLE rooms|INSERT INTO "rooms"|atoll\/rows/.test(sql)
      ? null
      : sql,
  'forgets a grandchild': (sql) =>
    /_atoll_held_chairs|DROP TABLE "chairs"|CREATE TABLE chairs|INSERT INTO "chairs"|atoll\/rows/.test(sql)
      ? null
      : sql,
  'forgets a trigger of the app': (sql) => (/^CREATE TRIGGER tell_new/.test(sql) ? null : sql),
  'lets triggers of the app fire': (sql) =>
    /^DROP TRIGGER "tell"|^CREATE TRIGGER tell /.test(sql) ? null : sql,
  'forgets how far the numbers were': (sql) => (/UPDATE sqlite_sequence/.test(sql) ? null : sql),
  'forgets an index': (sql) => (/^CREATE INDEX rooms_home/.test(sql) ? null : sql),
  'takes a new column for what the old table has': (sql) =>
    sql.replace(
      'SELECT rowid AS "_atoll_rowid", "id" AS "c0", "name" AS "c1" FROM "homes"',
      `SELECT rowid AS "_atoll_rowid", "id" AS "c0", 'name' AS "c1" FROM "homes"`,
    ),
  'leaves its tables behind': (sql) => (/^DROP TABLE "_atoll_held_chairs"/.test(sql) ? null : sql),
}

interface Seen {
  readonly rows: unknown
  readonly schema: unknown
  readonly told: unknown
  readonly logged: unknown
  readonly found: unknown
  readonly next: unknown
}

async function play(mutant: Mutant | null): Promise<Seen | Error> {
  const bench = await openBench(['DB'])
  try {
    await bench.migrate(catalog, [first])
    for (const sql of [
      "INSERT INTO homes VALUES (1, 'salt house'), (2, 'iron house'), (9, 'gone')",
      'DELETE FROM homes WHERE id = 9',
      "INSERT INTO rooms VALUES (1, 1, 'hall'), (2, 1, 'attic'), (3, 2, 'hall')",
      'INSERT INTO chairs VALUES (1, 1), (2, 3), (3, NULL)',
      'DELETE FROM told',
      'DELETE FROM _atoll_changes',
    ])
      await bench.run(sql)
    if (mutant) mutate(bench, mutant)
    await bench.migrate(catalog, [first, second])
    return await look(bench)
  } catch (error) {
    return error as Error
  } finally {
    await bench.stop()
  }
}

/** Only what the migration itself runs; what looks after the cluster afterwards stays whole. */
function mutate(bench: MigrationBench, mutant: Mutant): void {
  const database = bench.databases.get('DB') as D1Database
  const batch = database.batch.bind(database)
  database.batch = ((statements: D1PreparedStatement[]) => {
    const texts = statements.map((statement) => (statement as unknown as { text: string }).text)
    if (!texts.some((text) => text.includes('_atoll_held_homes'))) return batch(statements)
    return batch(
      statements.flatMap((statement, i) => {
        const changed = mutant(texts[i] as string)
        return changed === texts[i] ? [statement] : changed === null ? [] : [database.prepare(changed)]
      }),
    )
  }) as typeof database.batch
}

async function look({ rows, run }: MigrationBench): Promise<Seen> {
  const seen = {
    rows: await rows(
      'SELECT (SELECT json_group_array(json_array(id, name)) FROM homes) AS homes, (SELECT json_group_array(json_array(id, home_id, name)) FROM rooms) AS rooms, (SELECT json_group_array(json_array(id, room_id)) FROM chairs) AS chairs',
    ),
    schema: await rows("SELECT name FROM sqlite_schema WHERE name NOT GLOB '_cf_*' ORDER BY name"),
    told: await rows('SELECT * FROM told'),
    logged: await rows('SELECT name, operation FROM _atoll_changes'),
    found: await rows("SELECT rowid FROM _atoll_search_homes WHERE _atoll_search_homes MATCH 'salt'"),
  }
  await run("INSERT INTO homes (name) VALUES ('new house')")
  return { ...seen, next: await rows('SELECT max(id) AS id FROM homes') }
}

describe('a migrator', () => {
  let right: Seen | Error
  beforeAll(async () => {
    right = await play(null)
  })

  it('leaves everything as it was, but for what the migration says', async () => {
    expect(right).toMatchObject({
      rows: [
        {
          homes: '[[1,"salt house"],[2,"iron house"]]',
          rooms: '[[1,1,"hall"],[2,1,"attic"],[3,2,"hall"]]',
          chairs: '[[1,1],[2,3],[3,null]]',
        },
      ],
      told: [],
      logged: [],
      found: [{ rowid: 1 }],
      next: [{ id: 10 }],
    })
  })

  it.each(Object.entries(mutants))('that %s is caught', async (_, mutant) => {
    const wrong = await play(mutant)
    expect(right).not.toBeInstanceOf(Error)
    // What D1 itself refuses, and so leaves undone, is caught as well.
    if (!(wrong instanceof Error)) expect(wrong).not.toEqual(right)
  })
})
