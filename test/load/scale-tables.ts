import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { defineTables, distributed } from '../../db/define.ts'

const events = sqliteTable(
  'events',
  { id: integer('id').primaryKey(), account: text('account').notNull(), value: integer('value').notNull() },
  (table) => [index('events_account').on(table.account)],
)

/** One distributed table. */
export default defineTables({ events: distributed(events, { by: 'account' }) })

export const migrations = [
  {
    name: '0000_events.sql',
    sql: `CREATE TABLE events (id INTEGER PRIMARY KEY, account TEXT NOT NULL, value INTEGER NOT NULL);
      CREATE INDEX events_account ON events (account)`,
    snapshot: null,
  },
]
