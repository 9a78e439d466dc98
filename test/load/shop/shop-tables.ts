/**
 * A shop of our own for the run beside an expert's hand: goods on shelves, buyers, orders, ratings.
 * @module
 */
import { type AnySQLiteColumn, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { defineTables, local } from '../../../db/define.ts'

export const makers = sqliteTable('makers', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  country: text('country').notNull(),
})

export const shelves = sqliteTable('shelves', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  parentId: integer('parent_id').references((): AnySQLiteColumn => shelves.id),
})

export const goods = sqliteTable(
  'goods',
  {
    id: integer('id').primaryKey(),
    makerId: integer('maker_id')
      .notNull()
      .references(() => makers.id),
    shelfId: integer('shelf_id')
      .notNull()
      .references(() => shelves.id),
    name: text('name').notNull(),
    about: text('about').notNull(),
    cents: integer('cents').notNull(),
    pieces: integer('pieces').notNull(),
  },
  (table) => [
    index('goods_maker_idx').on(table.makerId),
    index('goods_shelf_idx').on(table.shelfId, table.cents),
    index('goods_name_idx').on(table.name),
  ],
)

export const buyers = sqliteTable('buyers', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  town: text('town').notNull(),
})

export const orders = sqliteTable(
  'orders',
  {
    id: integer('id').primaryKey(),
    buyerId: integer('buyer_id')
      .notNull()
      .references(() => buyers.id),
    placedAt: text('placed_at').notNull(),
    state: text('state').notNull(),
  },
  (table) => [index('orders_buyer_idx').on(table.buyerId)],
)

export const lines = sqliteTable(
  'lines',
  {
    id: integer('id').primaryKey(),
    orderId: integer('order_id')
      .notNull()
      .references(() => orders.id),
    goodId: integer('good_id')
      .notNull()
      .references(() => goods.id),
    pieces: integer('pieces').notNull(),
    cents: integer('cents').notNull(),
  },
  (table) => [index('lines_order_idx').on(table.orderId), index('lines_good_idx').on(table.goodId)],
)

export const ratings = sqliteTable(
  'ratings',
  {
    id: integer('id').primaryKey(),
    goodId: integer('good_id')
      .notNull()
      .references(() => goods.id),
    buyerId: integer('buyer_id')
      .notNull()
      .references(() => buyers.id),
    stars: integer('stars').notNull(),
    words: text('words').notNull(),
  },
  (table) => [index('ratings_good_idx').on(table.goodId)],
)

export default defineTables({
  makers: local(makers),
  shelves: local(shelves),
  goods: local(goods),
  buyers: local(buyers),
  orders: local(orders),
  lines: local(lines),
  ratings: local(ratings),
})

/** Rows of each table. */
export const counts = { makers: 120, shelves: 24, goods: 3000, buyers: 1500, orders: 4000, ratings: 9000 }

/** The tables as SQL, which by hand's database has as well. */
export const tablesSql: readonly string[] = [
  'CREATE TABLE makers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL)',
  'CREATE TABLE shelves (id INTEGER PRIMARY KEY, name TEXT NOT NULL, parent_id INTEGER REFERENCES shelves(id))',
  'CREATE TABLE goods (id INTEGER PRIMARY KEY, maker_id INTEGER NOT NULL REFERENCES makers(id), shelf_id INTEGER NOT NULL REFERENCES shelves(id), name TEXT NOT NULL, about TEXT NOT NULL, cents INTEGER NOT NULL, pieces INTEGER NOT NULL)',
  'CREATE INDEX goods_maker_idx ON goods (maker_id)',
  'CREATE INDEX goods_shelf_idx ON goods (shelf_id, cents)',
  'CREATE INDEX goods_name_idx ON goods (name)',
  'CREATE TABLE buyers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT NOT NULL)',
  'CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer_id INTEGER NOT NULL REFERENCES buyers(id), placed_at TEXT NOT NULL, state TEXT NOT NULL)',
  'CREATE INDEX orders_buyer_idx ON orders (buyer_id)',
  'CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders(id), good_id INTEGER NOT NULL REFERENCES goods(id), pieces INTEGER NOT NULL, cents INTEGER NOT NULL)',
  'CREATE INDEX lines_order_idx ON lines (order_id)',
  'CREATE INDEX lines_good_idx ON lines (good_id)',
  'CREATE TABLE ratings (id INTEGER PRIMARY KEY, good_id INTEGER NOT NULL REFERENCES goods(id), buyer_id INTEGER NOT NULL REFERENCES buyers(id), stars INTEGER NOT NULL, words TEXT NOT NULL)',
  'CREATE INDEX ratings_good_idx ON ratings (good_id)',
]

const series = (n: number) => `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${n})`

/** The same rows everywhere, worked out of their numbers. */
export const rowsSql: readonly string[] = [
  `INSERT INTO makers ${series(counts.makers)} SELECT i, 'Maker ' || i, substr('DEFRITESPTNL', 1 + 2 * (i % 6), 2) FROM n`,
  `INSERT INTO shelves ${series(counts.shelves)} SELECT i, 'Shelf ' || i, CASE WHEN i > 4 THEN 1 + i % 4 END FROM n`,
  `INSERT INTO goods ${series(counts.goods)} SELECT i, 1 + i % ${counts.makers}, 1 + i % ${counts.shelves}, substr('lampchairtableclockspoon', 1 + 5 * (i % 5), 5) || ' no. ' || i, 'A thing of number ' || i || ', made with care, and sent within a week.', 100 + (i * 7919) % 20000, i % 50 FROM n`,
  `INSERT INTO buyers ${series(counts.buyers)} SELECT i, 'Buyer ' || i, 'Town ' || (i % 80) FROM n`,
  `INSERT INTO orders ${series(counts.orders)} SELECT i, 1 + (i * 31) % ${counts.buyers}, '2026-03-' || printf('%02d', 1 + i % 28), CASE i % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'paid' ELSE 'sent' END FROM n`,
  `INSERT INTO lines ${series(counts.orders * 3)} SELECT i, 1 + i / 3 % ${counts.orders}, 1 + (i * 17) % ${counts.goods}, 1 + i % 4, 100 + (i * 7919) % 20000 FROM n`,
  `INSERT INTO ratings ${series(counts.ratings)} SELECT i, 1 + (i * 13) % ${counts.goods}, 1 + (i * 29) % ${counts.buyers}, 1 + i % 5, 'What I think of it: ' || i FROM n`,
]

export const migrations = [{ name: '0000_shop.sql', sql: tablesSql.join(';'), snapshot: null }]
