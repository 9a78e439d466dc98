import { eq } from 'drizzle-orm'
import { defineTables, local } from '../define.ts'
import * as schema from './schema.ts'

/*
 * Which tables are served, where each lives, and who may do what. `local` lies in `DB`, `reference` in `DB` with a copy on every shard,
 * `distributed` over the shards by one of its columns. What is not granted is denied; the secret key may do everything.
 */
export default defineTables({
  notes: local(schema.notes, {
    access: {
      // Whoever has signed in sees and changes what is their own.
      authenticated: {
        select: ({ caller, row }) => eq(row.owner, caller.sub),
        insert: ({ caller, row }) => eq(row.owner, caller.sub),
        update: ({ caller, row }) => eq(row.owner, caller.sub),
        delete: ({ caller, row }) => eq(row.owner, caller.sub),
      },
    },
  }),
})
