import { eq } from 'drizzle-orm'
import { authTables, defineTables, distributed } from '../../../../db/define.ts'
import * as schema from './schema.ts'

export default defineTables({
  ...authTables,
  profiles: distributed(schema.profiles, {
    by: 'userId',
    access: {
      authenticated: {
        select: ({ caller, row }) => eq(row.userId, caller.sub),
        insert: ({ caller, row }) => eq(row.userId, caller.sub),
        update: ({ caller, row }) => eq(row.userId, caller.sub),
      },
    },
  }),
})
