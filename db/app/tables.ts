import { eq, inArray, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { type Access, authTables, defineTables, distributed, local, reference } from '../define.ts'
import * as schema from './schema.ts'

/*
 * A customer signs in with the role `authenticated`, an employee with `support`; the token's `sub` is the id of the one or
 * the other. What is not granted here is denied; the secret key may do everything.
 */

/** Anybody may read the catalogue. */
const forEverybody = {
  anon: { select: true },
  authenticated: { select: true },
  support: { select: true },
} as const

/** Figures of the house. */
const forStaff = { support: { select: true } } as const

/** Whom to write to; nothing about where they live. */
const contacts = { select: { columns: ['id', 'firstName', 'lastName', 'title', 'email'] } } as const

/** Customers see what is theirs, support staff what is their customers'. */
const ofTheCustomer: Access<{ readonly customerId: SQLiteColumn }> = {
  authenticated: { select: ({ caller, row }) => eq(row.customerId, caller.sub) },
  support: {
    select: ({ caller, row, query }) =>
      inArray(
        row.customerId,
        query
          .select({ id: schema.customers.id })
          .from(schema.customers)
          .where(eq(schema.customers.supportRepId, caller.sub)),
      ),
  },
}

/** The catalogue changes seldom: for a second it need not be asked whether it has. */
const catalogue = { access: forEverybody, cache: { maxStaleMs: 1000 } } as const

export default defineTables({
  artists: reference(schema.artists, catalogue),
  albums: reference(schema.albums, catalogue),
  tracks: reference(schema.tracks, {
    ...catalogue,
    searchable: ['name', 'composer'],
    computed: { minutes: { type: 'real', sql: sql`round(${schema.tracks.milliseconds} / 60000.0, 2)` } },
  }),
  genres: reference(schema.genres, catalogue),
  mediaTypes: reference(schema.mediaTypes, catalogue),
  playlists: reference(schema.playlists, catalogue),
  playlistTracks: reference(schema.playlistTracks, catalogue),

  employees: reference(schema.employees, { access: { authenticated: contacts, support: contacts } }),
  customers: distributed(schema.customers, {
    by: 'id',
    uniqueAcrossShards: ['email'],
    access: {
      authenticated: {
        select: ({ caller, row }) => eq(row.id, caller.sub),
        update: {
          where: ({ caller, row }) => eq(row.id, caller.sub),
          columns: ['company', 'address', 'city', 'state', 'country', 'postalCode', 'phone', 'fax', 'email'],
        },
      },
      support: { select: ({ caller, row }) => eq(row.supportRepId, caller.sub) },
    },
  }),
  invoices: distributed(schema.invoices, { by: 'customerId', access: ofTheCustomer }),
  // Who sums up sales must know what an item was before it changed.
  invoiceItems: distributed(schema.invoiceItems, {
    by: 'customerId',
    access: ofTheCustomer,
    logValues: true,
  }),
  // Whoever is sent a receipt knows its id, a UUID, and nothing of slots.
  receipts: distributed(schema.receipts, { by: 'customerId', ids: 'free', access: ofTheCustomer }),

  ...authTables,

  artistSales: local(schema.artistSales, { access: forStaff }),
  dailySales: local(schema.dailySales, { access: forStaff }),
})
