import { sql } from 'drizzle-orm'
import { defineTables, distributed, reference } from '../define.ts'
import * as schema from './schema.ts'

/** Anybody may read the catalogue. */
const forEverybody = { anon: { select: true }, authenticated: { select: true } } as const

export default defineTables({
  artists: reference(schema.artists, { access: forEverybody }),
  albums: reference(schema.albums, { access: forEverybody }),
  tracks: reference(schema.tracks, {
    access: forEverybody,
    searchable: ['name', 'composer'],
    computed: { minutes: { type: 'real', sql: sql`round(${schema.tracks.milliseconds} / 60000.0, 2)` } },
  }),
  genres: reference(schema.genres, { access: forEverybody }),
  mediaTypes: reference(schema.mediaTypes, { access: forEverybody }),
  playlists: reference(schema.playlists, { access: forEverybody }),
  playlistTracks: reference(schema.playlistTracks, { access: forEverybody }),

  // Who works here and who bought what is for the secret key only.
  employees: reference(schema.employees),
  customers: distributed(schema.customers, { by: 'id' }),
  invoices: distributed(schema.invoices, { by: 'customerId' }),
  invoiceItems: distributed(schema.invoiceItems, { by: 'customerId' }),
})
