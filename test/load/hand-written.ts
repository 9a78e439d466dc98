/**
 * The handlers that a developer would write with Hono and Drizzle for the queries of the load runs: the measure
 * that Atoll is held against. Drizzle's relational queries, as its documentation shows them.
 * @module
 */
import { eq, gte, like, relations } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { Hono } from 'hono'
import * as tables from '../fixture-app/db/app/schema.ts'

const invoiceRelations = relations(tables.invoices, ({ many }) => ({ items: many(tables.invoiceItems) }))
const itemRelations = relations(tables.invoiceItems, ({ one }) => ({
  invoice: one(tables.invoices, {
    fields: [tables.invoiceItems.invoiceId],
    references: [tables.invoices.id],
  }),
  track: one(tables.tracks, { fields: [tables.invoiceItems.trackId], references: [tables.tracks.id] }),
}))
const schema = { ...tables, invoiceRelations, itemRelations }

export function createHandWritten() {
  return new Hono<{ Bindings: { DB: D1Database } }>()
    .get('/tracks/:id', async (c) => {
      const database = drizzle(c.env.DB, { schema })
      const [track] = await database
        .select()
        .from(tables.tracks)
        .where(eq(tables.tracks.id, Number(c.req.param('id'))))
      return track ? c.json([track]) : c.json([], 404)
    })
    .patch('/tracks/:id', async (c) => {
      const database = drizzle(c.env.DB, { schema })
      const { unitPrice } = await c.req.json<{ unitPrice: number }>()
      const changed = await database
        .update(tables.tracks)
        .set({ unitPrice })
        .where(eq(tables.tracks.id, Number(c.req.param('id'))))
        .returning({ id: tables.tracks.id })
      return changed.length > 0 ? c.body(null, 204) : c.body(null, 404)
    })
    .get('/tracks', async (c) => {
      const database = drizzle(c.env.DB, { schema })
      const [limit, page] = [Number(c.req.query('limit') ?? 50), Number(c.req.query('page') ?? 0)]
      const word = c.req.query('search')
      return c.json(
        await database
          .select()
          .from(tables.tracks)
          .where(word === undefined ? undefined : like(tables.tracks.name, `%${word}%`))
          .orderBy(tables.tracks.name, tables.tracks.id)
          .limit(limit)
          .offset(page * limit),
      )
    })
    .get('/invoices', async (c) => {
      const database = drizzle(c.env.DB, { schema })
      const [limit, from] = [Number(c.req.query('limit') ?? 1), Number(c.req.query('from') ?? 1)]
      return c.json(
        await database.query.invoices.findMany({
          where: gte(tables.invoices.id, from),
          orderBy: tables.invoices.id,
          limit,
          with: { items: { with: { track: true } } },
        }),
      )
    })
    .post('/invoices', async (c) => {
      const row = await c.req.json<typeof tables.invoices.$inferInsert>()
      await drizzle(c.env.DB, { schema }).insert(tables.invoices).values(row)
      return c.body(null, 201)
    })
    .post('/albums', async (c) => {
      const database = drizzle(c.env.DB, { schema })
      const rows = await c.req.json<{ title: string; artistId: number }[]>()
      // A statement of D1 takes a hundred parameters.
      const chunks = Array.from({ length: Math.ceil(rows.length / 33) }, (_, i) =>
        rows.slice(33 * i, 33 * (i + 1)),
      )
      const [first, ...others] = chunks.map((chunk) => database.insert(tables.albums).values(chunk))
      if (first) await database.batch([first, ...others])
      return c.body(null, 201)
    })
}
