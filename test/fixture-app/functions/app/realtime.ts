import { and, eq, exists } from 'drizzle-orm'
import { employees } from '../../db/app/schema.ts'
import { defineRealtime } from '../define.ts'

export default defineRealtime({
  tables: [
    'albums',
    'artists',
    'tracks',
    'playlist_tracks',
    'customers',
    'invoices',
    'invoice_items',
    'receipts',
  ],
  channels: {
    // A customer's own, in which support staff may write.
    'customer:{id}': {
      authenticated: { join: ({ caller, params }) => params.id === caller.sub, track: true },
      support: { join: true, send: true, track: true },
    },
    // For those who work there, by what the database says.
    'office:{title}': {
      support: {
        join: ({ caller, params, query }) =>
          exists(
            query
              .select({ id: employees.id })
              .from(employees)
              .where(and(eq(employees.id, caller.sub), eq(employees.title, params.title ?? ''))),
          ),
        send: true,
      },
    },
  },
})
