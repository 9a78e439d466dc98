/**
 * The handlers that a developer would write with Hono and Drizzle for the queries of the load runs: the measure
 * that Atoll is held against. Drizzle's relational queries, as its documentation shows them.
 * @module
 */
import { eq, relations } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { Hono } from 'hono'
import * as tables from '../../db/app/schema.ts'

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
    .get('/tracks', async (c) => {
      const database = drizzle(c.env.DB, { schema })
      const page = Number(c.req.query('page') ?? 0)
      return c.json(
        await database
          .select()
          .from(tables.tracks)
          .orderBy(tables.tracks.name, tables.tracks.id)
          .limit(50)
          .offset(page * 50),
      )
    })
    .get('/invoices/:id', async (c) => {
      const database = drizzle(c.env.DB, { schema })
      return c.json(
        await database.query.invoices.findMany({
          where: eq(tables.invoices.id, Number(c.req.param('id'))),
          with: { items: { with: { track: true } } },
        }),
      )
    })
}
