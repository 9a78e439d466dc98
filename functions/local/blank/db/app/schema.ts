import { sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/*
 * Your tables, in plain Drizzle. After a change, `npm run db:generate` writes a migration and says what it will do; `npm run dev` applies
 * it here, `npm run db:migrate` where it is deployed.
 */

/** Something to remember. */
export const notes = sqliteTable('notes', {
  id: integer('id').primaryKey(),
  /** Whose it is: the `sub` of their token. */
  owner: text('owner').notNull(),
  body: text('body').notNull(),
  done: integer('done', { mode: 'boolean' }).notNull().default(false),
  createdAt: integer('created_at', { mode: 'timestamp' }).notNull().default(sql`(unixepoch())`),
})
