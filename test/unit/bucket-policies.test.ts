import { eq, exists, inArray, sql } from 'drizzle-orm'
import {
  index,
  integer,
  type SQLiteColumn,
  type SQLiteTable,
  sqliteTable,
  text,
} from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { storedObjects } from '../../db/catalog/storage-policy.ts'
import { defineTables, distributed, local, type ObjectCondition, reference } from '../../db/define.ts'
import { readApp } from '../../functions/local/read-app.ts'

const groups = sqliteTable('groups', { id: integer('id').primaryKey(), owner: text('owner') })
const teams = sqliteTable('teams', { id: integer('id').primaryKey(), owner: text('owner') })
const unnamed = sqliteTable('unnamed', { id: integer('id').primaryKey(), owner: text('owner') })
const orders = sqliteTable(
  'orders',
  { id: integer('id').primaryKey(), owner: text('owner').notNull() },
  (table) => [index('orders_owner_idx').on(table.owner)],
)
const tables = defineTables({
  groups: local(groups),
  teams: reference(teams),
  orders: distributed(orders, { by: 'owner' }),
})

const reading = (select: ObjectCondition) => () =>
  readApp({ tables, config: {}, storage: { files: { access: { member: { select } } } } })
const owned =
  (table: SQLiteTable & { readonly owner: SQLiteColumn }): ObjectCondition =>
  ({ caller, object, query }) =>
    exists(
      query
        .select({ one: sql`1` })
        .from(table)
        .where(sql`${eq(table.owner, caller.sub)} and ${object.name} <> ''`),
    )

describe('conditions of buckets', () => {
  it('read local and reference tables', () => {
    expect(reading(owned(groups))).not.toThrow()
    expect(reading(owned(teams))).not.toThrow()
    expect(
      reading(({ object, query }) => inArray(object.folder(1), query.select({ id: groups.id }).from(groups))),
    ).not.toThrow()
  })

  it('are refused when they read what does not lie in DB, or is not in tables.ts', () => {
    const where = 'bucket files, role member, select: for a caller without claims it fails'
    expect(reading(owned(orders))).toThrow(
      `${where} (a policy of bucket files reads orders: it does not lie beside it; policies read tables that are co-located, and reference tables)`,
    )
    const notNamed = 'it is not in tables.ts; name it there (without access, nobody may ask for it)'
    expect(reading(owned(unnamed))).toThrow(`${where} (a policy of bucket files reads unnamed: ${notNamed})`)
    expect(reading(owned(storedObjects))).toThrow(`reads _atoll_objects: ${notNamed}`)
    expect(reading(() => sql`1 = (SELECT 1 FROM _atoll_keys)`)).toThrow('begins with _atoll_')
    expect(reading(({ caller }) => eq(groups.owner, caller.sub))).toThrow('names a column of groups')
  })

  it('are refused when they throw, or give no condition', () => {
    expect(reading(({ caller }) => eq(storedObjects.owner, caller.claims.a.b))).toThrow(
      'a claim that is missing is null, and false denies',
    )
    expect(reading(({ caller }) => `${caller.sub}` as never)).toThrow(
      'a policy of bucket files gives no condition',
    )
    expect(reading(() => undefined)).not.toThrow()
  })
})
