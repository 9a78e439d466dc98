import { sql } from 'drizzle-orm'
import { type AnySQLiteColumn, index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, distributed, local, reference } from '../../db/define.ts'
import { MigrationError } from '../../db/errors/migration-error.ts'
import type { Migration } from '../../db/migrate/migration.ts'
import { planText } from '../../db/migrate/report.ts'
import { type MigrationBench, openBench, rebuildOf, written } from '../support/migration-bench.ts'

/** A library: shelves are reference rows, readers and their loans are spread over the databases, notes lie in one. */
const shelves = sqliteTable('shelves', {
  id: integer('id').primaryKey(),
  name: text('name'),
  inside: integer('inside').references((): AnySQLiteColumn => shelves.id),
})
const readers = sqliteTable('readers', { id: integer('id').primaryKey(), email: text('email').notNull() })
const loans = sqliteTable(
  'loans',
  {
    id: integer('id').primaryKey(),
    readerId: integer('reader_id')
      .notNull()
      .references(() => readers.id, { onDelete: 'cascade' }),
    shelfId: integer('shelf_id').references(() => shelves.id, { onDelete: 'set null' }),
    title: text('title').notNull(),
  },
  (table) => [index('loans_reader').on(table.readerId)],
)
const fines = sqliteTable(
  'fines',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    loanId: integer('loan_id').references(() => loans.id, { onDelete: 'cascade' }),
    readerId: integer('reader_id')
      .notNull()
      .references(() => readers.id),
    cents: integer('cents').notNull(),
  },
  (table) => [index('fines_reader').on(table.readerId)],
)
const visits = sqliteTable('visits', { id: integer('id').primaryKey(), day: text('day') }, (table) => [
  index('visits_day').on(table.day),
])
const notes = sqliteTable('notes', { id: integer('id').primaryKey(), text: text('text') })

const tables = defineTables({
  shelves: reference(shelves, { searchable: ['name'] }),
  readers: distributed(readers, { by: 'id' }),
  loans: distributed(loans, { by: 'readerId', searchable: ['title'], logValues: true }),
  fines: distributed(fines, { by: 'readerId' }),
  visits: distributed(visits, { by: 'day' }),
  notes: local(notes),
})
const library = buildCatalog(tables)
/** The same without the notes' text. */
const narrower = buildCatalog(
  defineTables({ ...tables, notes: local(sqliteTable('notes', { id: integer('id').primaryKey() })) }),
)

const create = {
  shelves:
    'CREATE TABLE `shelves` (`id` integer PRIMARY KEY NOT NULL, `name` text, `inside` integer, FOREIGN KEY (`inside`) REFERENCES `shelves`(`id`))',
  readers: 'CREATE TABLE `readers` (`id` integer PRIMARY KEY NOT NULL, `email` text NOT NULL)',
  loans:
    'CREATE TABLE `loans` (`id` integer PRIMARY KEY NOT NULL, `reader_id` integer NOT NULL, `shelf_id` integer, `title` text NOT NULL, FOREIGN KEY (`reader_id`) REFERENCES `readers`(`id`) ON DELETE cascade, FOREIGN KEY (`shelf_id`) REFERENCES `shelves`(`id`) ON DELETE set null)',
  fines:
    'CREATE TABLE `fines` (`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL, `loan_id` integer, `reader_id` integer NOT NULL, `cents` integer NOT NULL, FOREIGN KEY (`loan_id`) REFERENCES `loans`(`id`) ON DELETE cascade, FOREIGN KEY (`reader_id`) REFERENCES `readers`(`id`))',
  visits: 'CREATE TABLE `visits` (`id` integer PRIMARY KEY NOT NULL, `day` text)',
  notes: 'CREATE TABLE `notes` (`id` integer PRIMARY KEY NOT NULL, `text` text)',
}
const first = written(
  '0000_library.sql',
  ...Object.values(create),
  'CREATE INDEX `loans_reader` ON `loans` (`reader_id`)',
)

async function fill({ databases, run }: MigrationBench): Promise<void> {
  for (const name of databases.keys()) {
    // Copies of reference rows are everywhere; the others are where the test puts them: what is looked at is that they stay.
    const at = [...databases.keys()].indexOf(name) * 100
    await run("INSERT OR IGNORE INTO shelves VALUES (1, 'north', NULL), (2, 'window', 1)", name)
    await run(`INSERT INTO readers VALUES (${at + 1}, 'ann@${at}'), (${at + 2}, 'bob@${at}')`, name)
    await run(
      `INSERT INTO loans VALUES (${at + 1}, ${at + 1}, 1, 'salt rivers'), (${at + 2}, ${at + 2}, 2, 'iron wolves')`,
      name,
    )
    await run(
      `INSERT INTO fines (loan_id, reader_id, cents) VALUES (${at + 1}, ${at + 1}, 50), (${at + 2}, ${at + 2}, 70), (NULL, ${at + 1}, 5)`,
      name,
    )
    await run('DELETE FROM fines WHERE cents = 5', name)
  }
}

const everything =
  'SELECT (SELECT json_group_array(json_array(id, name, inside)) FROM shelves) AS shelves, (SELECT json_group_array(json_array(id, email)) FROM readers) AS readers, (SELECT json_group_array(json_array(id, reader_id, shelf_id, title)) FROM loans) AS loans, (SELECT json_group_array(json_array(id, loan_id, reader_id, cents)) FROM fines) AS fines'
const triggersText = "SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name"

describe.each([[['DB']], [['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']]])('a schema on %j', (names) => {
  let bench: MigrationBench
  const migrations: Migration[] = [first]
  let catalog = library
  const everyRow = async () => Promise.all(names.map(async (name) => (await bench.rows(everything, name))[0]))
  const triggers = async () => Promise.all(names.map((name) => bench.rows(triggersText, name)))

  beforeAll(async () => {
    bench = await openBench(names)
    await bench.migrate(catalog, migrations)
    await fill(bench)
  })
  afterAll(() => bench.stop())

  it('keeps all rows of children with actions when their parent is made anew', async () => {
    const [rows, before] = [await everyRow(), await triggers()]
    migrations.push(
      written(
        '0001_rebuild.sql',
        ...rebuildOf('readers', create.readers.replace('NOT NULL)', "NOT NULL DEFAULT 'x')"), [
          'id',
          'email',
        ]),
      ),
    )
    await bench.migrate(catalog, migrations)
    expect(await everyRow()).toEqual(rows)
    expect(await triggers()).toEqual(before)
    for (const name of names) expect(await bench.rows('PRAGMA foreign_key_check', name)).toEqual([])
  })

  it('makes a table anew that refers to itself, and which others refer to', async () => {
    const rows = await everyRow()
    const nullable = create.shelves.replace('`name` text', '`name` text NOT NULL')
    migrations.push(written('0002_self.sql', ...rebuildOf('shelves', nullable, ['id', 'name', 'inside'])))
    await bench.migrate(catalog, migrations)
    expect(await everyRow()).toEqual(rows)
  })

  it('gives no number out again that AUTOINCREMENT has given', async () => {
    migrations.push(
      written(
        '0003_fines.sql',
        ...rebuildOf('fines', create.fines.replace('`cents` integer', '`cents` real'), [
          'id',
          'loan_id',
          'reader_id',
          'cents',
        ]),
      ),
    )
    await bench.migrate(catalog, migrations)
    await bench.run('INSERT INTO fines (reader_id, cents) VALUES (1, 1)')
    expect(await bench.rows('SELECT max(id) AS id FROM fines')).toEqual([{ id: 4 }])
    await bench.run('DELETE FROM fines WHERE id = 4')
  })

  it('lets search follow a table that was made anew', async () => {
    migrations.push(
      written(
        '0004_loans.sql',
        ...rebuildOf('loans', create.loans, ['id', 'reader_id', 'shelf_id', 'title']),
        'CREATE INDEX `loans_reader` ON `loans` (`reader_id`)',
      ),
    )
    await bench.migrate(catalog, migrations)
    const found = (word: string) =>
      bench.rows(`SELECT rowid FROM _atoll_search_loans WHERE _atoll_search_loans MATCH '${word}'`)
    expect(await found('salt')).toEqual([{ rowid: 1 }])
    await bench.run("INSERT INTO loans VALUES (9, 1, 1, 'velvet machines')")
    expect(await found('velvet')).toEqual([{ rowid: 9 }])
    await bench.run('DELETE FROM loans WHERE id = 9')
    expect(await found('velvet')).toEqual([])
  })

  it('drops a column that the change log knows', async () => {
    migrations.push(written('0005_drop.sql', 'ALTER TABLE `notes` DROP COLUMN `text`'))
    catalog = narrower
    await bench.migrate(catalog, migrations)
    await bench.run('INSERT INTO notes VALUES (1)')
    expect(await bench.rows("SELECT key FROM _atoll_changes WHERE name = 'notes'")).toEqual([{ key: '[1]' }])
  })

  it('applies a migration that ends in a comment, and one that is nothing else', async () => {
    migrations.push(
      { name: '0006_comment.sql', sql: '-- written by hand\n', snapshot: null },
      { name: '0007_ends.sql', sql: 'INSERT INTO notes VALUES (7); -- done\n/* really */', snapshot: null },
    )
    const reports = await bench.migrate(catalog, migrations)
    expect(reports[0]?.applied).toEqual(['0006_comment.sql', '0007_ends.sql'])
  })

  it('keeps triggers of the app, which do not fire while rows are copied', async () => {
    migrations.push(
      written(
        '0008_trigger.sql',
        'CREATE TABLE told (what TEXT)',
        "CREATE TRIGGER tell AFTER INSERT ON readers BEGIN INSERT INTO told SELECT CASE WHEN new.id > 0 THEN 'came; ' || new.id END; END",
        "CREATE TRIGGER tell_gone AFTER DELETE ON loans BEGIN INSERT INTO told VALUES ('went'); END",
      ),
      written('0009_rebuild.sql', ...rebuildOf('readers', create.readers, ['id', 'email'])),
    )
    await bench.migrate(catalog, migrations)
    expect(await bench.rows('SELECT * FROM told')).toEqual([])
    await bench.run("INSERT INTO readers VALUES (50, 'cid')")
    expect(await bench.rows('SELECT * FROM told')).toEqual([{ what: 'came; 50' }])
    await bench.run('DELETE FROM readers WHERE id = 50')
  })

  it('refuses what rows do not allow, with the rows, before anything is changed', async () => {
    const last = names.at(-1) as string
    await bench.run("UPDATE readers SET email = 'same'", last)
    const before = [await everyRow(), await triggers()]
    const unique = written(
      '0010_unique.sql',
      'ALTER TABLE readers ADD COLUMN age integer',
      'CREATE UNIQUE INDEX readers_email ON readers (email)',
    )
    const refused = bench.migrate(catalog, [...migrations, unique])
    await expect(refused).rejects.toThrow(MigrationError)
    await expect(refused).rejects.toThrow(
      `${last}, 0010_unique.sql: readers has the same email more than once: "same" in 2 rows`,
    )
    const nulls = written(
      '0010_null.sql',
      ...rebuildOf('loans', create.loans.replace('`shelf_id` integer', '`shelf_id` integer NOT NULL'), [
        'id',
        'reader_id',
        'shelf_id',
        'title',
      ]),
    )
    await bench.run('UPDATE loans SET shelf_id = NULL WHERE id % 100 = 1', last)
    await expect(bench.migrate(catalog, [...migrations, nulls])).rejects.toThrow(
      'loans.shelf_id is null in 1 row, and is to be NOT NULL',
    )
    const added = written('0010_add.sql', 'ALTER TABLE readers ADD COLUMN age integer NOT NULL')
    await expect(bench.migrate(catalog, [...migrations, added])).rejects.toThrow(
      'has no default, and there are rows',
    )
    await bench.run('UPDATE loans SET shelf_id = 1 WHERE shelf_id IS NULL', last)
    expect([await everyRow(), await triggers()]).toEqual(before)
    await bench.run("UPDATE readers SET email = 'other' WHERE id % 100 = 1", last)
    await bench.migrate(catalog, [...migrations, unique])
    migrations.push(unique)
  })

  it('refuses to drop a table that another one still refers to', async () => {
    const drop = written('0011_drop.sql', 'DROP TABLE loans')
    await expect(bench.migrate(catalog, [...migrations, drop])).rejects.toThrow(
      'fines.loan_id still refers to loans',
    )
  })

  it('says which file has changed or vanished since it was applied', async () => {
    const changed = migrations.map((one, i) => (i === 1 ? { ...one, sql: `${one.sql};` } : one))
    await expect(bench.migrate(catalog, changed)).rejects.toThrow(
      '0001_rebuild.sql has been changed since it was applied',
    )
    await expect(bench.migrate(catalog, migrations.slice(0, -1))).rejects.toThrow(
      'the database is ahead of the code',
    )
    await expect(bench.migrate(catalog, [written('0000_other.sql', 'SELECT 1')])).rejects.toThrow(
      'made by another app',
    )
  })

  it('plans without changing anything', async () => {
    const before = [await everyRow(), await triggers()]
    const next = [
      written('0012_more.sql', 'ALTER TABLE readers ADD COLUMN city text'),
      written(
        '0013_less.sql',
        'ALTER TABLE readers DROP COLUMN city',
        'DROP TRIGGER tell',
        'DROP TRIGGER tell_gone',
        'DROP TABLE told',
      ),
    ]
    const lines = planText(await bench.migrate(catalog, [...migrations, ...next], { planOnly: true })).join(
      '\n',
    )
    expect(lines).toContain(`0012_more.sql, on ${names.join(', ')}: expand`)
    expect(lines).toContain('0013_less.sql')
    expect(lines).toContain('contract drops the table told with its rows')
    expect([await everyRow(), await triggers()]).toEqual(before)
    expect((await bench.migrate(catalog, migrations))[0]?.applied).toEqual([])
  })

  it('heals triggers and search that something else took away', async () => {
    await bench.run('DROP TRIGGER _atoll_search_loans_insert')
    await bench.run('DROP TRIGGER _atoll_change_of_readers_insert')
    await bench.run("INSERT INTO loans VALUES (8, 1, 1, 'amber signals')")
    const [report] = await bench.migrate(catalog, migrations)
    expect(report?.done).toContain('mended _atoll_search_loans')
    expect(
      await bench.rows("SELECT rowid FROM _atoll_search_loans WHERE _atoll_search_loans MATCH 'amber'"),
    ).toEqual([{ rowid: 8 }])
  })
})

describe('a migration that fails half-way', () => {
  it('says database and migration, and goes on from there', async () => {
    const bench = await openBench(['DB', 'SHARD_1'])
    try {
      await bench.migrate(library, [first])
      const next = written('0001_more.sql', 'ALTER TABLE notes ADD COLUMN more text')
      const shard = bench.databases.get('SHARD_1') as D1Database
      const batch = shard.batch.bind(shard)
      let isDown = true
      shard.batch = ((statements: D1PreparedStatement[]) => {
        const isApplying = statements.some((statement) =>
          (statement as unknown as { text: string }).text.includes('d1_migrations (name)'),
        )
        return isDown && isApplying
          ? Promise.reject(new Error('Network connection lost.'))
          : batch(statements)
      }) as typeof shard.batch
      await expect(bench.migrate(library, [first, next])).rejects.toThrow(
        /SHARD_1, 0001_more\.sql: Network connection lost/,
      )
      const has = async (name: string) =>
        (await bench.rows("SELECT name FROM pragma_table_info('notes') WHERE name = 'more'", name)).length
      expect([await has('DB'), await has('SHARD_1')]).toEqual([1, 0])
      isDown = false
      const reports = await bench.migrate(library, [first, next])
      expect(reports.map(({ applied }) => applied.length)).toEqual([0, 1])
      expect([await has('DB'), await has('SHARD_1')]).toEqual([1, 1])
    } finally {
      await bench.stop()
    }
  })
})

describe('a schema that says more than its migrations', () => {
  it('is refused with what to do, before anything is changed', async () => {
    const bench = await openBench(['DB'])
    try {
      const wider = sqliteTable('notes', {
        id: integer('id').primaryKey(),
        text: text('text'),
        more: text('more'),
      })
      const refused = bench.migrate(buildCatalog(defineTables({ ...tables, notes: local(wider) })), [first])
      await expect(refused).rejects.toThrow('db/app/tables.ts serves notes.more, which no migration makes')
      expect(await bench.rows("SELECT name FROM sqlite_schema WHERE name NOT GLOB '_cf_*'")).toEqual([])
    } finally {
      await bench.stop()
    }
  })
})

describe('where rows lie', () => {
  let bench: MigrationBench
  beforeAll(async () => {
    bench = await openBench(['DB', 'SHARD_1'])
    await bench.migrate(library, [first])
    await fill(bench)
    await bench.run("INSERT INTO notes VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e')")
  })
  afterAll(() => bench.stop())

  it('refuses to hide rows of a table that is declared to lie elsewhere', async () => {
    const spread = buildCatalog(defineTables({ ...tables, notes: distributed(notes, { by: 'id' }) }))
    await expect(bench.migrate(spread, [first])).rejects.toThrow(
      /notes is distributed by id now and was local; rows of it in DB would be hidden/,
    )
    await bench.run("INSERT INTO visits VALUES (1, 'monday'), (2, 'friday'), (3, 'sunday')", 'SHARD_1')
    const gathered = buildCatalog(defineTables({ ...tables, visits: local(visits) }))
    await expect(bench.migrate(gathered, [first])).rejects.toThrow(
      /visits is local now and was distributed by day/,
    )
    const otherwise = buildCatalog(defineTables({ ...tables, visits: distributed(visits, { by: 'id' }) }))
    await expect(bench.migrate(otherwise, [first])).rejects.toThrow(/visits is distributed by id now/)
  })

  it('refuses to do without a database that holds rows', async () => {
    const { migrateCluster } = await import('../../db/migrate/migrate-cluster.ts')
    const alone = new Map([...bench.databases].slice(0, 1))
    await expect(migrateCluster(alone as never, library, [first])).rejects.toThrow(
      'SHARD_1 holds rows and is not in wrangler.toml',
    )
  })

  it('lets a table move that has no rows', async () => {
    await bench.run('DELETE FROM notes')
    const spread = buildCatalog(defineTables({ ...tables, notes: distributed(notes, { by: 'id' }) }))
    await bench.migrate(spread, [first])
    expect(await bench.rows("SELECT placement FROM _atoll_placements WHERE name = 'notes'")).toEqual([
      { placement: 'distributed by id' },
    ])
  })

  it('copies reference rows again that were made without a column', async () => {
    const colour = written('0001_colour.sql', "ALTER TABLE shelves ADD COLUMN colour text DEFAULT 'white'")
    const coloured = sqliteTable(
      'shelves',
      {
        id: integer('id').primaryKey(),
        name: text('name'),
        inside: integer('inside'),
        colour: text('colour').default(sql`'white'`),
      },
      (table) => [uniqueIndex('s').on(table.name)],
    )
    await bench.migrate(library, [first, colour])
    await bench.run("UPDATE shelves SET colour = 'red' WHERE id = 1")
    await bench.migrate(buildCatalog(defineTables({ ...tables, shelves: reference(coloured) })), [
      first,
      colour,
    ])
    expect(await bench.rows('SELECT colour FROM shelves WHERE id = 1', 'SHARD_1')).toEqual([
      { colour: 'red' },
    ])
  })
})
