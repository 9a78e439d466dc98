import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { defineTables, distributed } from '../../db/define.ts'

const events = sqliteTable(
  'events',
  { id: integer('id').primaryKey(), account: text('account').notNull(), value: integer('value').notNull() },
  (table) => [index('events_account').on(table.account)],
)

const imports = sqliteTable(
  'imports',
  { id: text('id').primaryKey(), account: text('account').notNull(), value: integer('value').notNull() },
  (table) => [index('imports_account').on(table.account)],
)

/** Two distributed tables: keys of the one carry their slots, those of the other come from elsewhere. */
export default defineTables({
  events: distributed(events, { by: 'account' }),
  imports: distributed(imports, { by: 'account', ids: 'free' }),
})

export const migrations = [
  {
    name: '0000_events.sql',
    sql: `CREATE TABLE events (id INTEGER PRIMARY KEY, account TEXT NOT NULL, value INTEGER NOT NULL);
      CREATE INDEX events_account ON events (account);
      CREATE TABLE imports (id TEXT PRIMARY KEY NOT NULL, account TEXT NOT NULL, value INTEGER NOT NULL);
      CREATE INDEX imports_account ON imports (account)`,
    snapshot: null,
  },
]
