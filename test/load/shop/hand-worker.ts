/**
 * The shop as an expert writes it by hand: Hono, and Drizzle's statements prepared once for an isolate, each with the tables that it
 * needs. `/kept/…` is the same behind a map with a time to live, which knows nothing of writes.
 * @module
 */
import { asc, avg, count, desc, eq, gte, like, min, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { type Context, Hono } from 'hono'
import { buyers, goods, lines, makers, orders, ratings, shelves } from './shop-tables.ts'

interface Env {
  readonly DB: D1Database
}

const p = sql.placeholder
const keptMs = 60_000
const maxKept = 20_000

function prepareAll(client: D1Database) {
  const db = drizzle(client)
  return {
    good: db
      .select()
      .from(goods)
      .where(eq(goods.id, p('a')))
      .prepare(),
    maker: db
      .select()
      .from(makers)
      .where(eq(makers.id, p('a')))
      .prepare(),
    buyer: db
      .select()
      .from(buyers)
      .where(eq(buyers.id, p('a')))
      .prepare(),
    order: db
      .select()
      .from(orders)
      .where(eq(orders.id, p('a')))
      .prepare(),
    linesOf: db
      .select({ line: lines, good: { id: goods.id, name: goods.name } })
      .from(lines)
      .innerJoin(goods, eq(goods.id, lines.goodId))
      .where(eq(lines.orderId, p('a')))
      .orderBy(asc(lines.id))
      .prepare(),
    shelf: db
      .select()
      .from(goods)
      .where(eq(goods.shelfId, p('a')))
      .orderBy(asc(goods.cents), asc(goods.id))
      .limit(20)
      .prepare(),
    page: db.select().from(goods).orderBy(asc(goods.name), asc(goods.id)).limit(50).offset(p('a')).prepare(),
    ofMaker: db
      .select({ good: goods, maker: { name: makers.name } })
      .from(goods)
      .innerJoin(makers, eq(makers.id, goods.makerId))
      .where(eq(goods.makerId, p('a')))
      .orderBy(asc(goods.id))
      .prepare(),
    ratingsOf: db
      .select({ id: ratings.id, stars: ratings.stars, words: ratings.words, buyer: { name: buyers.name } })
      .from(ratings)
      .innerJoin(buyers, eq(buyers.id, ratings.buyerId))
      .where(eq(ratings.goodId, p('a')))
      .orderBy(desc(ratings.id))
      .limit(10)
      .prepare(),
    found: db
      .select({ id: goods.id, name: goods.name, cents: goods.cents })
      .from(goods)
      .where(like(goods.name, p('a')))
      .orderBy(asc(goods.id))
      .limit(10)
      .prepare(),
    stars: db
      .select({ avg: avg(ratings.stars).mapWith(Number), count: count() })
      .from(ratings)
      .where(eq(ratings.goodId, p('a')))
      .prepare(),
    cheapest: db
      .select({ shelfId: goods.shelfId, count: count(), min: min(goods.cents) })
      .from(goods)
      .where(gte(goods.cents, p('a')))
      .groupBy(goods.shelfId)
      .orderBy(asc(goods.shelfId))
      .prepare(),
    shelves: db.select().from(shelves).orderBy(asc(shelves.id)).prepare(),
    states: db
      .select({ state: orders.state, count: count() })
      .from(orders)
      .where(eq(orders.buyerId, p('a')))
      .groupBy(orders.state)
      .orderBy(asc(orders.state))
      .prepare(),
    price: db
      .update(goods)
      .set({ cents: sql`${p('cents')}` })
      .where(eq(goods.id, p('a')))
      .returning({ id: goods.id })
      .prepare(),
    insert: db
      .insert(ratings)
      .values({ goodId: p('goodId'), buyerId: p('buyerId'), stars: p('stars'), words: p('words') })
      .prepare(),
    insertMany: client.prepare(
      `INSERT INTO ratings (good_id, buyer_id, stars, words) SELECT value->>'goodId', value->>'buyerId', value->>'stars', value->>'words' FROM json_each(?)`,
    ),
  }
}

type Prepared = ReturnType<typeof prepareAll>

const prepared = new WeakMap<D1Database, Prepared>()
function of({ DB }: Env): Prepared {
  const known = prepared.get(DB) ?? prepareAll(DB)
  prepared.set(DB, known)
  return known
}

/** Read kinds of one statement whose rows are sent as they are. */
const plain = [
  'good',
  'maker',
  'buyer',
  'shelf',
  'page',
  'ratingsOf',
  'found',
  'stars',
  'cheapest',
  'shelves',
  'states',
] as const

async function read(kind: string, a: string, env: Env): Promise<unknown> {
  const all = of(env)
  if ((plain as readonly string[]).includes(kind)) {
    const value = kind === 'found' ? `%${a}%` : Number(a)
    return (all[kind as (typeof plain)[number]] as Prepared['good']).all({ a: value })
  }
  if (kind === 'ofMaker')
    return (await all.ofMaker.all({ a: Number(a) })).map(({ good, maker }) => ({ ...good, maker }))
  if (kind !== 'order') return null
  const [found, own] = await Promise.all([all.order.all({ a: Number(a) }), all.linesOf.all({ a: Number(a) })])
  return found.map((order) => ({ ...order, lines: own.map(({ line, good }) => ({ ...line, good })) }))
}

const kept = new Map<string, { readonly text: string; readonly until: number }>()

async function readKept(path: string, kind: string, a: string, env: Env): Promise<string> {
  const known = kept.get(path)
  const now = Date.now()
  if (known && known.until > now) return known.text
  const text = JSON.stringify(await read(kind, a, env))
  if (kept.size >= maxKept) kept.delete(kept.keys().next().value as string)
  kept.set(path, { text, until: now + keptMs })
  return text
}

const json = { 'content-type': 'application/json' }
type Own = Context<{ Bindings: Env }, '/:kind/:a'>

export default new Hono<{ Bindings: Env }>()
  .get('/kept/:kind/:a', async (c) => {
    const { kind, a } = c.req.param()
    return c.body(await readKept(c.req.path, kind, a, c.env), 200, json)
  })
  .get('/:kind/:a', async (c: Own) => {
    const rows = await read(c.req.param('kind'), c.req.param('a'), c.env)
    return rows === null ? c.notFound() : c.json(rows)
  })
  .patch('/goods/:a', async (c) => {
    const { cents } = await c.req.json<{ cents: number }>()
    const changed = await of(c.env).price.all({ a: Number(c.req.param('a')), cents })
    return c.body(null, changed.length > 0 ? 204 : 404)
  })
  .post('/ratings', async (c) => {
    const rows = await c.req.json<(typeof ratings.$inferInsert)[]>()
    const [first] = rows
    if (rows.length === 1 && first) await of(c.env).insert.run({ ...first })
    else await of(c.env).insertMany.bind(JSON.stringify(rows)).run()
    return c.body(null, 201)
  })
