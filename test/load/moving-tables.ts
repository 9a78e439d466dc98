import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { defineTables, distributed } from '../../db/define.ts'

const events = sqliteTable(
  'events',
  {
    id: integer('id').primaryKey(),
    account: text('account').notNull(),
    kind: text('kind').notNull(),
    amount: integer('amount').notNull(),
    note: text('note'),
  },
  (table) => [index('events_account').on(table.account)],
)

/** What is moved: rows of some hundred bytes, twenty to an account. */
export default defineTables({ events: distributed(events, { by: 'account' }) })

export const migrations = [
  {
    name: '0000_events.sql',
    sql: `CREATE TABLE events (id INTEGER PRIMARY KEY, account TEXT NOT NULL, kind TEXT NOT NULL, amount INTEGER NOT NULL, note TEXT);
      CREATE INDEX events_account ON events (account)`,
    snapshot: null,
  },
]
