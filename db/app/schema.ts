/** The record store: artists and what they made, customers and what they bought. */
import {
  type AnySQLiteColumn,
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
} from 'drizzle-orm/sqlite-core'

/** Who has an account: `/auth/v1`. */
export * from '../auth/schema.ts'

export const artists = sqliteTable('artists', {
  id: integer('id').primaryKey(),
  name: text('name'),
})

export const albums = sqliteTable(
  'albums',
  {
    id: integer('id').primaryKey(),
    title: text('title').notNull(),
    artistId: integer('artist_id')
      .notNull()
      .references(() => artists.id),
  },
  (table) => [index('albums_artist_id_idx').on(table.artistId)],
)

export const genres = sqliteTable('genres', {
  id: integer('id').primaryKey(),
  name: text('name'),
})

export const mediaTypes = sqliteTable('media_types', {
  id: integer('id').primaryKey(),
  name: text('name'),
})

export const tracks = sqliteTable(
  'tracks',
  {
    id: integer('id').primaryKey(),
    name: text('name').notNull(),
    albumId: integer('album_id').references(() => albums.id),
    mediaTypeId: integer('media_type_id')
      .notNull()
      .references(() => mediaTypes.id),
    genreId: integer('genre_id').references(() => genres.id),
    composer: text('composer'),
    milliseconds: integer('milliseconds').notNull(),
    bytes: integer('bytes'),
    unitPrice: real('unit_price').notNull(),
  },
  (table) => [
    index('tracks_album_id_idx').on(table.albumId),
    index('tracks_media_type_id_idx').on(table.mediaTypeId),
    index('tracks_genre_id_idx').on(table.genreId),
    index('tracks_name_idx').on(table.name),
  ],
)

export const playlists = sqliteTable('playlists', {
  id: integer('id').primaryKey(),
  name: text('name'),
})

export const playlistTracks = sqliteTable(
  'playlist_tracks',
  {
    playlistId: integer('playlist_id')
      .notNull()
      .references(() => playlists.id),
    trackId: integer('track_id')
      .notNull()
      .references(() => tracks.id),
  },
  (table) => [
    primaryKey({ name: 'playlist_tracks_pkey', columns: [table.playlistId, table.trackId] }),
    index('playlist_tracks_track_id_idx').on(table.trackId),
  ],
)

export const employees = sqliteTable(
  'employees',
  {
    id: integer('id').primaryKey(),
    lastName: text('last_name').notNull(),
    firstName: text('first_name').notNull(),
    title: text('title'),
    reportsTo: integer('reports_to').references((): AnySQLiteColumn => employees.id),
    birthDate: text('birth_date'),
    hireDate: text('hire_date'),
    address: text('address'),
    city: text('city'),
    state: text('state'),
    country: text('country'),
    postalCode: text('postal_code'),
    phone: text('phone'),
    fax: text('fax'),
    email: text('email'),
  },
  (table) => [index('employees_reports_to_idx').on(table.reportsTo)],
)

export const customers = sqliteTable(
  'customers',
  {
    id: integer('id').primaryKey(),
    firstName: text('first_name').notNull(),
    lastName: text('last_name').notNull(),
    company: text('company'),
    address: text('address'),
    city: text('city'),
    state: text('state'),
    country: text('country'),
    postalCode: text('postal_code'),
    phone: text('phone'),
    fax: text('fax'),
    email: text('email').notNull().unique(),
    supportRepId: integer('support_rep_id').references(() => employees.id),
  },
  (table) => [index('customers_support_rep_id_idx').on(table.supportRepId)],
)

export const invoices = sqliteTable(
  'invoices',
  {
    id: integer('id').primaryKey(),
    customerId: integer('customer_id')
      .notNull()
      .references(() => customers.id),
    invoiceDate: text('invoice_date').notNull(),
    billingAddress: text('billing_address'),
    billingCity: text('billing_city'),
    billingState: text('billing_state'),
    billingCountry: text('billing_country'),
    billingPostalCode: text('billing_postal_code'),
    total: real('total').notNull(),
  },
  (table) => [index('invoices_customer_id_idx').on(table.customerId)],
)

export const invoiceItems = sqliteTable(
  'invoice_items',
  {
    id: integer('id').primaryKey(),
    invoiceId: integer('invoice_id')
      .notNull()
      .references(() => invoices.id),
    trackId: integer('track_id')
      .notNull()
      .references(() => tracks.id),
    unitPrice: real('unit_price').notNull(),
    quantity: integer('quantity').notNull(),
    customerId: integer('customer_id')
      .notNull()
      .references(() => customers.id),
  },
  (table) => [
    index('invoice_items_invoice_id_idx').on(table.invoiceId),
    index('invoice_items_track_id_idx').on(table.trackId),
    index('invoice_items_customer_id_idx').on(table.customerId),
  ],
)

/** Receipts that were sent, kept by a job. */
export const receipts = sqliteTable(
  'receipts',
  {
    id: text('id')
      .primaryKey()
      .$defaultFn(() => crypto.randomUUID()),
    invoiceId: integer('invoice_id')
      .notNull()
      .references(() => invoices.id, { onDelete: 'cascade' }),
    customerId: integer('customer_id')
      .notNull()
      .references(() => customers.id, { onDelete: 'cascade' }),
    email: text('email').notNull(),
    sentAt: text('sent_at')
      .notNull()
      .$defaultFn(() => new Date().toISOString()),
  },
  (table) => [
    index('receipts_invoice_id_idx').on(table.invoiceId),
    index('receipts_customer_id_idx').on(table.customerId),
  ],
)

/** What each artist has sold, kept by a job. */
export const artistSales = sqliteTable('artist_sales', {
  artistId: integer('artist_id')
    .primaryKey()
    .references(() => artists.id, { onDelete: 'cascade' }),
  units: integer('units').notNull(),
  cents: integer('cents').notNull(),
})

/** What was sold on each day, rolled up every night. */
export const dailySales = sqliteTable('daily_sales', {
  day: text('day').primaryKey(),
  invoices: integer('invoices').notNull(),
  cents: integer('cents').notNull(),
})
