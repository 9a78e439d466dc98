/** Accounts, and what belongs to them. */
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { authUsers } from '../../../../db/auth/schema.ts'

export * from '../../../../db/auth/schema.ts'

export const profiles = sqliteTable('profiles', {
  userId: text('user_id')
    .primaryKey()
    .references(() => authUsers.id, { onDelete: 'cascade' }),
  nickname: text('nickname').notNull(),
})
