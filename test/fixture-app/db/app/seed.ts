import { sql } from 'drizzle-orm'
import { seed } from 'drizzle-seed'
import { defineSeed } from '../define.ts'
import * as schema from './schema.ts'

const genres = [
  'Rock',
  'Jazz',
  'Metal',
  'Blues',
  'Latin',
  'Reggae',
  'Pop',
  'Soundtrack',
  'Classical',
  'Electronica',
]
const mediaTypes = [
  'MPEG audio file',
  'AAC audio file',
  'FLAC audio file',
  'Protected AAC audio file',
  'MPEG-4 video file',
]
const playlists = [
  'Music',
  'Movies',
  'Dinner',
  'Long Drive',
  'Rainy Sunday',
  '90s',
  'Focus',
  'Running',
  'Live',
  'New',
]
const first = [
  'Silver',
  'Broken',
  'Velvet',
  'Northern',
  'Electric',
  'Paper',
  'Golden',
  'Hollow',
  'Distant',
  'Crimson',
  'Midnight',
  'Salt',
  'Iron',
  'Quiet',
  'Burning',
  'Second',
  'Lost',
  'Wild',
  'Blue',
  'Endless',
]
const second = [
  'Rivers',
  'Lanterns',
  'Engines',
  'Harbour',
  'Sparrows',
  'Orchard',
  'Signals',
  'Tide',
  'Mirrors',
  'Avenue',
  'Winter',
  'Parade',
  'Machines',
  'Island',
  'Letters',
  'Horizon',
  'Wolves',
  'Garden',
  'Thunder',
  'Station',
]

const pairs = (join: string) => first.flatMap((a) => second.map((b) => `${a}${join}${b}`))
const titled = (list: readonly string[]) => list.map((name, i) => ({ id: i + 1, name }))

/** The same rows on every machine: drizzle-seed with a fixed seed, and sums worked out from them. */
export default defineSeed(async (database) => {
  await database.insert(schema.genres).values(titled(genres))
  await database.insert(schema.mediaTypes).values(titled(mediaTypes))
  await database.insert(schema.playlists).values(titled(playlists))

  const { artists, albums, tracks, employees, customers, invoices, invoiceItems } = schema
  await seed(
    database,
    { artists, albums, tracks, employees, customers, invoices, invoiceItems },
    { seed: 1877 },
  ).refine((f) => ({
    artists: { count: 150, columns: { name: f.valuesFromArray({ values: pairs(' '), isUnique: true }) } },
    albums: { count: 320, columns: { title: f.valuesFromArray({ values: pairs(' of the ') }) } },
    tracks: {
      count: 2400,
      columns: {
        name: f.valuesFromArray({ values: pairs(' & ') }),
        mediaTypeId: f.int({ minValue: 1, maxValue: mediaTypes.length }),
        genreId: f.int({ minValue: 1, maxValue: genres.length }),
        composer: f.fullName(),
        milliseconds: f.int({ minValue: 61_000, maxValue: 540_000 }),
        bytes: f.int({ minValue: 1_000_000, maxValue: 12_000_000 }),
        unitPrice: f.valuesFromArray({ values: [0.99, 0.99, 0.99, 1.99] }),
      },
    },
    employees: {
      count: 8,
      columns: {
        firstName: f.firstName(),
        lastName: f.lastName(),
        title: f.default({ defaultValue: 'Sales Support Agent' }),
        reportsTo: f.default({ defaultValue: null }),
        birthDate: f.default({ defaultValue: '1980-01-01 00:00:00' }),
        hireDate: f.default({ defaultValue: '2019-05-01 00:00:00' }),
        address: f.streetAddress(),
        city: f.city(),
        state: f.default({ defaultValue: null }),
        country: f.country(),
        postalCode: f.postcode(),
        phone: f.phoneNumber({ template: '+1 (###) 555-####' }),
        fax: f.default({ defaultValue: null }),
        email: f.email(),
      },
    },
    customers: {
      count: 60,
      columns: {
        firstName: f.firstName(),
        lastName: f.lastName(),
        company: f.companyName(),
        address: f.streetAddress(),
        city: f.city(),
        state: f.default({ defaultValue: null }),
        country: f.country(),
        postalCode: f.postcode(),
        phone: f.phoneNumber({ template: '+1 (###) 555-####' }),
        fax: f.default({ defaultValue: null }),
        email: f.email(),
      },
    },
    invoices: {
      count: 420,
      columns: {
        invoiceDate: f.date({ minDate: '2021-01-01', maxDate: '2025-12-31' }),
        billingAddress: f.streetAddress(),
        billingCity: f.city(),
        billingState: f.default({ defaultValue: null }),
        billingCountry: f.country(),
        billingPostalCode: f.postcode(),
        total: f.default({ defaultValue: 0 }),
      },
    },
    invoiceItems: {
      count: 2200,
      columns: { quantity: f.int({ minValue: 1, maxValue: 3 }), unitPrice: f.default({ defaultValue: 0 }) },
    },
  }))

  for (const statement of [
    // One manager, two leads, and agents who report to them.
    sql`UPDATE employees SET title = 'General Manager' WHERE id = 1`,
    sql`UPDATE employees SET title = 'Sales Manager', reports_to = 1 WHERE id IN (2, 3)`,
    sql`UPDATE employees SET reports_to = 2 + id % 2 WHERE id > 3`,
    sql`UPDATE customers SET support_rep_id = 4 + id % 5`,
    // An item belongs to its invoice's customer and costs what its track costs.
    sql`UPDATE invoice_items SET customer_id = (SELECT customer_id FROM invoices WHERE invoices.id = invoice_id),
        unit_price = (SELECT unit_price FROM tracks WHERE tracks.id = track_id)`,
    sql`UPDATE invoices SET total = coalesce(
        (SELECT round(sum(unit_price * quantity), 2) FROM invoice_items WHERE invoice_id = invoices.id), 0)`,
    sql`UPDATE invoices SET invoice_date = substr(invoice_date, 1, 10) || ' 00:00:00'`,
    // Every track is on the first list; the others take every so manyth.
    sql`INSERT INTO playlist_tracks (playlist_id, track_id)
        SELECT playlists.id, tracks.id FROM playlists JOIN tracks
        ON playlists.id = 1 OR (tracks.id * 7 + playlists.id * 13) % (20 + playlists.id) = 0`,
    // What jobs would have kept.
    sql`INSERT INTO artist_sales (artist_id, units, cents)
        SELECT artist_id, sum(quantity), CAST(sum(round(invoice_items.unit_price * 100) * quantity) AS INTEGER)
        FROM invoice_items JOIN tracks ON tracks.id = track_id JOIN albums ON albums.id = album_id GROUP BY artist_id`,
  ]) {
    await database.run(statement)
  }
})
