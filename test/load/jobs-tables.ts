import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { defineTables, local } from '../../db/define.ts'

const columns = () => ({
  id: integer('id').primaryKey(),
  account: text('account').notNull(),
  title: text('title').notNull(),
  amount: integer('amount').notNull(),
  note: text('note'),
})
export const done = sqliteTable('done', { id: integer('id').primaryKey(), n: integer('n').notNull() })

/** Tables of the same shape: one whose changes are not logged, one whose are, one with values, one whose inserts start jobs. */
export default defineTables({
  unlogged: local(sqliteTable('unlogged', columns())),
  logged: local(sqliteTable('logged', columns())),
  valued: local(sqliteTable('valued', columns()), { logValues: true }),
  working: local(sqliteTable('working', columns())),
  done: local(done),
})

export const names = ['unlogged', 'logged', 'valued', 'working']

export const migrations = [
  {
    name: '0000_load.sql',
    sql: [
      ...names.map(
        (name) =>
          `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, account TEXT NOT NULL, title TEXT NOT NULL, amount INTEGER NOT NULL, note TEXT)`,
      ),
      'CREATE TABLE done (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)',
      'INSERT INTO done VALUES (1, 0)',
    ].join(';'),
    snapshot: null,
  },
]
