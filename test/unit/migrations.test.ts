import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { planOnEmpty } from '../../db/migrate/plan-on-empty.ts'
import { readMigration } from '../../db/migrate/read-migration.ts'
import { differencesOf } from '../../db/migrate/schema-drift.ts'
import { splitMigration } from '../../db/migrate/split-statements.ts'
import { readStatement } from '../../db/migrate/statement.ts'
import { rebuildOf, written } from '../support/migration-bench.ts'

describe('the statements of a migration', () => {
  it.each([
    ['SELECT 1; SELECT 2', ['SELECT 1', 'SELECT 2']],
    [
      'INSERT INTO a VALUES (\'x; y\'), ("p;q"); -- no; statement\n/* nor; this */',
      ['INSERT INTO a VALUES (\'x; y\'), ("p;q")'],
    ],
    ['-- nothing', []],
    ['', []],
    ['\ufeffSELECT 1;\r\n', ['SELECT 1']],
    [
      'CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM b; END; SELECT 1',
      [
        'CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM b; END',
        'SELECT 1',
      ],
    ],
    [
      'create trigger t after insert on a begin update a set begin = 1, end = 2 where end > begin; end; drop table a',
      [
        'create trigger t after insert on a begin update a set begin = 1, end = 2 where end > begin; end',
        'drop table a',
      ],
    ],
    [
      "CREATE INDEX i ON a (b) WHERE b = 'cut --> statement-breakpoint\nSELECT 1",
      ["CREATE INDEX i ON a (b) WHERE b = 'cut", 'SELECT 1'],
    ],
  ])('are told apart: %j', (sql, statements) => {
    expect(splitMigration(sql).map((statement) => statement.trim())).toEqual(statements)
  })

  it.each([
    [
      'ALTER TABLE `a` ADD `b` text DEFAULT (1)',
      { kind: 'add-column', table: 'a', column: 'b', definition: '`b` text DEFAULT (1)' },
    ],
    [
      'alter table main.[a b] rename column "c" to d',
      { kind: 'rename-column', table: 'a b', column: 'c', to: 'd' },
    ],
    ['DROP TABLE IF EXISTS x', { kind: 'drop-table', table: 'x', ifExists: true }],
    [
      'CREATE UNIQUE INDEX IF NOT EXISTS `i` ON `t` (lower(a))',
      { kind: 'create-index', index: 'i', table: 't', isUnique: true },
    ],
    [
      'WITH r AS (SELECT 1) INSERT OR REPLACE INTO t SELECT * FROM r',
      { kind: 'data', table: 't', verb: 'insert' },
    ],
    [
      'INSERT INTO t(a, b) SELECT x, coalesce(y, 1) FROM u',
      { kind: 'copy', table: 't', columns: ['a', 'b'], values: ['x', 'coalesce(y, 1)'], from: 'u' },
    ],
    ['INSERT INTO t(a) SELECT x FROM u WHERE x > 1', { kind: 'copy', from: null }],
    ['PRAGMA foreign_keys=OFF', { kind: 'nothing' }],
    ['ROLLBACK', { kind: 'refused' }],
  ])('are read: %s', (sql, read) => {
    expect(readStatement(sql)).toMatchObject(read)
  })
})

describe('tables that are made anew', () => {
  const first = written(
    '0000.sql',
    'CREATE TABLE p (id integer PRIMARY KEY, name text)',
    'CREATE TABLE c (id integer PRIMARY KEY, p_id integer REFERENCES p(id) ON DELETE CASCADE)',
  )
  const kindsOf = (...statements: readonly string[]) =>
    readMigration(written('0001.sql', ...statements), null).map(({ kind }) => kind)
  const rebuild = rebuildOf('p', 'CREATE TABLE `p` (`id` integer PRIMARY KEY, `name` text NOT NULL)', [
    'id',
    'name',
  ])

  it('are known by their form, however far its parts lie apart', () => {
    expect(kindsOf(...rebuild)).toEqual(['rebuild'])
    expect(kindsOf(...rebuild.slice(0, 4), 'CREATE TABLE other (a)', ...rebuild.slice(4))).toEqual(
      ['create-table', 'rebuild'].reverse(),
    )
    expect(kindsOf(...rebuild.slice(0, 3), 'UPDATE p SET name = 1', ...rebuild.slice(3))).toEqual([
      'create-table',
      'copy',
      'data',
      'swap',
    ])
    expect(kindsOf(...rebuild, 'UPDATE p SET name = 1', 'CREATE UNIQUE INDEX u ON p (name)')).toEqual([
      'rebuild',
      'data',
      'create-index',
    ])
    expect(kindsOf(...rebuild, 'CREATE UNIQUE INDEX `u` ON `p` (`name`)')).toEqual(['rebuild'])
  })

  it('take children with actions aside, and leave no table of theirs behind', () => {
    const [, planned] = planOnEmpty([first, written('0001.sql', ...rebuild)])
    const steps = planned?.steps.map(({ sql }) => sql) ?? []
    const at = (start: string) => steps.findIndex((sql) => sql.startsWith(start))
    expect(at('CREATE TABLE "_atoll_held_c"')).toBeGreaterThanOrEqual(0)
    expect(at('DROP TABLE "c"')).toBeLessThan(at('DROP TABLE "p"'))
    expect(at('INSERT INTO "p"')).toBeLessThan(at('INSERT INTO "c"'))
    expect(steps.filter((sql) => sql.startsWith('DROP TABLE "_atoll_held'))).toHaveLength(2)
  })

  it('say what they mean for the version that runs', () => {
    const [, planned] = planOnEmpty([first, written('0001.sql', ...rebuild)])
    expect(planned?.effects.map(({ kind, text }) => `${kind}: ${text}`)).toEqual([
      'expand: makes the table p anew with its rows',
      'contract: makes p.name NOT NULL',
    ])
  })

  it.each([
    ['DROP TABLE p', 'c.p_id still refers to p'],
    ['ALTER TABLE p ADD COLUMN name text', 'duplicate column name'],
    ['CREATE TABLE _atoll_mine (a)', "of Atoll's own tables"],
    ['DROP TABLE d1_migrations', "of Atoll's own tables"],
    ['VACUUM', 'D1 does not take this statement'],
    ['PRAGMA foreign_keys=OFF; DELETE FROM p', 'foreign keys are never off on D1'],
    ['CREATE TRIGGER t AFTER INSERT ON p BEGIN UPDATE p SET nope = 1; END', 'a trigger of p would fail'],
    [rebuild.join(';').replace('SELECT "id", "name"', 'SELECT "id", "nmae"'), 'p has no column nmae'],
  ])('and others are refused where rows would be lost or writes would fail: %s', (sql, reason) => {
    expect(() => planOnEmpty([first, written('0001.sql', sql)])).toThrow(reason)
  })
})

describe('a schema beside its last snapshot', () => {
  const notes = sqliteTable('notes', {
    id: integer('id').primaryKey(),
    text: text('text').notNull().default('x').unique(),
  })
  const column = { primaryKey: false, notNull: false, autoincrement: false }
  const table = {
    name: 'notes',
    columns: {
      id: { ...column, name: 'id', type: 'integer', primaryKey: true, notNull: true },
      text: { ...column, name: 'text', type: 'text', notNull: true, default: "'x'" },
    },
    indexes: { notes_text_unique: { name: 'notes_text_unique', columns: ['text'], isUnique: true } },
    foreignKeys: {},
  }

  it('differs in nothing when drizzle-kit has noted it', () => {
    expect(differencesOf({ notes }, { tables: { notes: table } })).toEqual([])
  })

  it('says what is new, gone and changed', () => {
    const { text: _, ...columns } = table.columns
    const other = { ...table, columns: { ...columns, old: { ...column, name: 'old', type: 'text' } } }
    expect(differencesOf({ notes }, { tables: { notes: other } })).toEqual([
      'the column notes.text is new',
      'the column notes.old is gone',
    ])
    expect(differencesOf({}, { tables: { notes: table } })).toEqual(['the table notes is gone'])
    expect(differencesOf({ notes }, { tables: { notes: { ...table, indexes: {} } } })).toEqual([
      'the indexes of notes have changed',
    ])
  })
})
