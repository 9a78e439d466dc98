import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import {
  declaredAsNoted,
  notedDetails,
  pendingPlacements,
  readNoted,
} from '../../db/catalog/noted-placements.ts'
import { placementsOf } from '../../db/catalog/placements.ts'
import { Cluster } from '../../db/cluster/cluster.ts'
import { defineTables, distributed, local, reference } from '../../db/define.ts'

const owners = sqliteTable('owners', { id: text('id').primaryKey(), email: text('e_mail').unique() })
const orders = sqliteTable(
  'orders',
  {
    id: integer('id').primaryKey(),
    ownerId: text('owner_id')
      .notNull()
      .references(() => owners.id),
    code: text('code').unique(),
  },
  (table) => [index('orders_owner').on(table.ownerId)],
)
const before = defineTables({ owners: local(owners, { comment: 'Whose they are' }), orders: local(orders) })
const after = defineTables({
  owners: distributed(owners, { by: 'id', uniqueAcrossShards: ['email'], comment: 'Whose they are' }),
  orders: distributed(orders, { by: 'ownerId', ids: 'free', uniqueAcrossShards: ['code'] }),
})
const notedOf = (tables: typeof before | typeof after) => {
  const catalog = buildCatalog(tables)
  return readNoted([...placementsOf(catalog)], notedDetails(catalog))
}

describe('placements that databases note', () => {
  it('are those of a catalog again, whichever code reads them', () => {
    for (const [code, noted] of [
      [before, after],
      [after, before],
      [after, after],
    ] as const) {
      expect(buildCatalog(declaredAsNoted(code, notedOf(noted))).fingerprint).toBe(
        buildCatalog(noted).fingerprint,
      )
    }
  })

  it('are told beside what is declared', () => {
    expect(pendingPlacements(buildCatalog(after), notedOf(before))).toEqual([
      { table: 'owners', from: 'local', to: 'distributed by id' },
      { table: 'orders', from: 'local', to: 'distributed by owner_id' },
    ])
    expect(pendingPlacements(buildCatalog(after), notedOf(after))).toEqual([])
  })

  it('leave alone tables of which nothing is noted, and columns that the code does not know', () => {
    const noted = readNoted([['orders', 'distributed by gone']], null)
    const tables = defineTables({ owners: reference(owners), orders: local(orders) })
    expect(declaredAsNoted(tables, noted)).toEqual(tables)
  })
})

describe('a cluster whose tables are to be converted', () => {
  const bindings = new Map([['DB', {} as D1Database]])
  const open = (isConverting: boolean) =>
    new Cluster(bindings, { migrations: [], timeoutMs: 1000, isConverting }).open({
      reads: true,
      seen: new Map([['DB', 'a-bookmark']]),
    })

  it('asks no replica, which may not know of it', () => {
    expect(open(false).constraintFor('DB')).toBe('a-bookmark')
    expect(open(true).constraintFor('DB')).toBe('first-primary')
    const filling = open(true).toFill({ seen: new Map(), primary: false })
    expect(filling.constraintFor('DB')).toBe('first-primary')
  })
})
