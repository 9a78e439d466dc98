import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, distributed } from '../../db/define.ts'
import { routeIds } from '../../db/migrate/route-ids.ts'
import { untoldLine } from '../../db/migrate/untold.ts'
import { evenRanges, ownerOf } from '../../db/slots/shard-map.ts'
import { slotOf, slotOfId } from '../../db/slots/slots.ts'
import { type MigrationBench, openBench, written } from '../support/migration-bench.ts'

const members = sqliteTable('members', { id: integer('id').primaryKey(), name: text('name') })
const orders = sqliteTable(
  'orders',
  {
    id: integer('id').primaryKey(),
    memberId: integer('member_id')
      .notNull()
      .references(() => members.id),
    before: integer('before'),
  },
  (table) => [index('orders_member').on(table.memberId)],
)
const lines = sqliteTable(
  'lines',
  {
    id: integer('id').primaryKey(),
    orderId: integer('order_id').references(() => orders.id, { onDelete: 'cascade' }),
    memberId: integer('member_id')
      .notNull()
      .references(() => members.id),
  },
  (table) => [index('lines_member').on(table.memberId), index('lines_order').on(table.orderId)],
)
const tablesWith = (ids: 'routed' | 'free') =>
  buildCatalog(
    defineTables({
      members: distributed(members, { by: 'id' }),
      orders: distributed(orders, { by: 'memberId', ids, logValues: true }),
      lines: distributed(lines, { by: 'memberId', ids }),
    }),
  )
const first = written(
  '0000_first.sql',
  'CREATE TABLE members (id INTEGER PRIMARY KEY NOT NULL, name TEXT)',
  'CREATE TABLE orders (id INTEGER PRIMARY KEY NOT NULL, member_id INTEGER NOT NULL REFERENCES members (id), before INTEGER)',
  'CREATE TABLE lines (id INTEGER PRIMARY KEY NOT NULL, order_id INTEGER REFERENCES orders (id) ON DELETE CASCADE, member_id INTEGER NOT NULL REFERENCES members (id))',
  'CREATE INDEX orders_member ON orders (member_id)',
  'CREATE INDEX lines_member ON lines (member_id)',
  'CREATE INDEX lines_order ON lines (order_id)',
)
const names = ['DB', 'SHARD_1', 'SHARD_2']
const map = { epoch: 1, ranges: evenRanges(names), epochs: new Map<string, number>() }

const accidental = [slotOf('30'), slotOf('30') + 16_384]

let bench: MigrationBench
beforeAll(async () => {
  bench = await openBench(names)
  await bench.migrate(tablesWith('free'), [first])
  // Rows as an older version made them: numbered over all shards, and some whose new ids are others' old ones.
  for (let member = 1; member <= 30; member++) {
    const home = ownerOf(map, slotOf(String(member)))
    await bench.run(`INSERT INTO members VALUES (${member}, 'm${member}')`, home)
    await bench.run(
      `INSERT INTO orders VALUES (${member}, ${member}, ${member - 1}), (${member + 16_384}, ${member}, NULL)`,
      home,
    )
    await bench.run(
      `INSERT INTO lines VALUES (${member}, ${member}, ${member}), (${100 + member}, ${member + 16_384}, ${member}), (${200 + member}, NULL, ${member})`,
      home,
    )
  }
  // And some that carry their slot by accident: what they become is another row's number.
  const home = ownerOf(map, slotOf('30'))
  for (const id of accidental) await bench.run(`INSERT INTO orders VALUES (${id}, 30, NULL)`, home)
  for (const name of names) await bench.run('DELETE FROM _atoll_changes', name)
})
afterAll(() => bench.stop())

const everywhere = async <Row>(text: string) =>
  (await Promise.all(names.map((name) => bench.rows<Row>(text, name)))).flat()

describe('ids that are there by now', () => {
  it('are not taken for routed ones', async () => {
    await expect(bench.migrate(tablesWith('routed'), [first])).rejects.toThrow(
      /ids of orders do not carry the slots of their rows.*\n.*ids: 'free'.*--route-ids orders/,
    )
    const [state] = await bench.rows<{ n: number }>(
      "SELECT count(*) AS n FROM _atoll_state WHERE key GLOB 'routed:*'",
    )
    expect(state?.n).toBe(0)
  })

  it('are multiplied out by the migration that is written for them, along with what refers to them, and nobody is told', async () => {
    const catalog = tablesWith('routed')
    const statements = routeIds(catalog, ['orders', 'lines'])
    const routes = written('0001_route.sql', `${untoldLine}\n${statements[0]}`, ...statements.slice(1))
    await bench.migrate(catalog, [first, routes])
    const found = await everywhere<{ id: number; member_id: number }>(
      'SELECT id, member_id FROM orders ORDER BY id',
    )
    expect(found).toHaveLength(62)
    expect(found.every(({ id, member_id }) => slotOfId(String(id), true) === slotOf(String(member_id)))).toBe(
      true,
    )
    expect(found.map(({ id }) => Math.floor(id / 16_384)).sort((a, b) => a - b)).toEqual(
      [
        ...Array.from({ length: 30 }, (_, i) => i + 1),
        ...Array.from({ length: 30 }, (_, i) => i + 16_385),
        ...accidental,
      ].sort((a, b) => a - b),
    )
    const joined = await everywhere<{ n: number; o: number }>(
      'SELECT lines.id / 16384 AS n, orders.id / 16384 AS o FROM lines LEFT JOIN orders ON orders.id = order_id ORDER BY 1',
    )
    expect(joined.filter(({ n }) => n <= 30).every(({ n, o }) => o === n)).toBe(true)
    expect(joined.filter(({ n }) => n > 100 && n <= 130).every(({ n, o }) => o === n - 100 + 16_384)).toBe(
      true,
    )
    expect(joined.filter(({ n }) => n > 200).every(({ o }) => o === null)).toBe(true)
    expect(await everywhere('PRAGMA foreign_key_check')).toEqual([])
    expect(await everywhere('SELECT * FROM _atoll_changes')).toEqual([])
    expect(await everywhere('SELECT * FROM _atoll_permits')).toEqual([])
  })

  it('are refused from then on, and free again when the table says so', async () => {
    const add = (id: number) => {
      const database = bench.databases.get(ownerOf(map, slotOf('5'))) as D1Database
      return database.prepare('INSERT INTO orders VALUES (?, 5, NULL)').bind(id).run()
    }
    await expect(add(99)).rejects.toThrow('atoll/rule/routed-id/orders')
    await add(40_000 * 16_384 + slotOf('5'))
    const statements = routeIds(tablesWith('routed'), ['orders', 'lines'])
    const routes = written('0001_route.sql', `${untoldLine}\n${statements[0]}`, ...statements.slice(1))
    await bench.migrate(tablesWith('free'), [first, routes])
    // Now it is the lookup that must know of them.
    await expect(add(99)).rejects.toThrow('atoll/rule/reserved/orders.id')
    const entries = await everywhere<{ n: number }>(
      "SELECT count(*) AS n FROM _atoll_unique WHERE name = 'orders.id'",
    )
    expect(entries.reduce((sum, { n }) => sum + n, 0)).toBe(63)
  })
})
