import { type SQL, sql } from 'drizzle-orm'
import {
  type AnySQLiteColumn,
  blob,
  customType,
  foreignKey,
  index,
  integer,
  primaryKey,
  sqliteTable,
  sqliteView,
  text,
  unique,
} from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { buildCatalog, SchemaError } from '../../db/catalog/build-catalog.ts'
import type { Relation, Table } from '../../db/catalog/catalog.ts'
import { distributed, int4range, local, reference, type TableDeclarations, view } from '../../db/define.ts'
import recordStore from '../fixture-app/db/app/tables.ts'

const problemsOf = (tables: TableDeclarations): readonly string[] => {
  try {
    buildCatalog(tables)
    return []
  } catch (error) {
    if (error instanceof SchemaError) return error.problems
    throw error
  }
}

const relationsOf = (table: Table | undefined) =>
  (table?.relations ?? []).map((relation: Relation) => `${relation.cardinality} ${relation.to}`).sort()

describe('the catalog of the record store', () => {
  const { tables } = buildCatalog(recordStore)

  it('finds relations in both directions, through join tables and to the table itself', () => {
    expect(relationsOf(tables.get('tracks'))).toEqual([
      'many-to-many playlists',
      'many-to-one albums',
      'many-to-one genres',
      'many-to-one media_types',
      'one-to-many invoice_items',
      'one-to-many playlist_tracks',
    ])
    expect(relationsOf(tables.get('employees'))).toEqual([
      'many-to-one employees',
      'one-to-many customers',
      'one-to-many employees',
    ])
  })

  it('co-locates what is distributed by the same customer', () => {
    const placements = ['customers', 'invoices', 'invoice_items'].map((name) => tables.get(name)?.placement)
    expect(placements).toEqual([
      { kind: 'distributed', by: 'id', group: 'customers.id' },
      { kind: 'distributed', by: 'customer_id', group: 'customers.id' },
      { kind: 'distributed', by: 'customer_id', group: 'customers.id' },
    ])
  })

  it('names foreign keys as PostgreSQL would', () => {
    const [boss] = tables.get('employees')?.relations.filter((relation) => relation.forward) ?? []
    expect(boss?.constraint).toBe('employees_reports_to_fkey')
  })
})

describe('columns', () => {
  const all = sqliteTable('all', {
    id: integer('id').primaryKey(),
    flag: integer('flag', { mode: 'boolean' }).notNull().default(true),
    kind: text('kind', { enum: ['a', 'b'] }),
    code: text('code', { length: 5 }).default(sql`upper('x')`),
    at: integer('at', { mode: 'timestamp_ms' }),
    bytes: blob('bytes'),
    stamp: text('stamp').$defaultFn(() => 'now'),
    twice: integer('twice').generatedAlwaysAs(sql`id * 2`),
  })
  const columns = buildCatalog({ all: local(all) }).tables.get('all')?.columns

  it.each([
    ['id', { type: 'integer', nullable: false, default: { kind: 'rowid' } }],
    ['flag', { type: 'boolean', nullable: false, default: { kind: 'value', value: true } }],
    ['kind', { type: 'text', values: ['a', 'b'], nullable: true }],
    ['code', { type: 'text', maxLength: 5, default: { kind: 'sql', text: "upper('x')" } }],
    ['at', { type: 'timestamp_ms' }],
    ['bytes', { type: 'blob' }],
    ['stamp', { default: { kind: 'function' } }],
    ['twice', { generated: true }],
  ])('reads %s', (name, expected) => {
    expect(columns?.get(name)).toMatchObject(expected)
  })
})

describe('keys and views', () => {
  const parents = sqliteTable('parents', { id: integer('id').primaryKey(), name: text('name') })
  const children = sqliteTable(
    'children',
    { a: integer('a'), b: integer('b'), parentId: integer('parent_id'), only: integer('only').unique() },
    (table) => [
      primaryKey({ columns: [table.a, table.b] }),
      unique('children_b_key').on(table.b, table.parentId),
      foreignKey({ name: 'their_parent', columns: [table.parentId], foreignColumns: [parents.id] }),
      foreignKey({ columns: [table.only], foreignColumns: [parents.id] }),
    ],
  )
  const childView = sqliteView('child_view').as((query) =>
    query.select({ a: children.a, b: children.b, parent: children.parentId }).from(children),
  )
  const { tables } = buildCatalog({
    parents: local(parents),
    children: local(children),
    childView: view(childView),
  })

  it('reads compound keys and unique constraints', () => {
    expect(tables.get('children')?.primaryKey).toEqual(['a', 'b'])
    expect(tables.get('children')?.uniques.map((key) => key.columns)).toContainEqual(['b', 'parent_id'])
  })

  it('sees a foreign key that is unique as one-to-one', () => {
    const both = tables.get('parents')?.relations.filter((relation) => relation.to === 'children')
    expect(both?.map((relation) => relation.cardinality).sort()).toEqual(['one-to-many', 'one-to-one'])
  })

  it('gives a view the foreign keys of the columns that it passes on', () => {
    expect(relationsOf(tables.get('child_view'))).toEqual(['many-to-one parents'])
    expect(tables.get('child_view')?.primaryKey).toEqual(['a', 'b'])
  })
})

describe('a schema that cannot be served', () => {
  const owners = sqliteTable('owners', { id: integer('id').primaryKey() })
  const things = sqliteTable('things', {
    id: integer('id').primaryKey(),
    ownerId: integer('owner_id').references((): AnySQLiteColumn => owners.id),
  })

  it('is refused when a distribution column has no index', () => {
    expect(problemsOf({ things: distributed(things, { by: 'ownerId' }), owners: reference(owners) })).toEqual(
      [
        "table things, column owner_id: the distribution column has no index; add index('things_owner_id_idx').on(table.owner_id)",
      ],
    )
  })

  it('is refused when a foreign key leads to a table that is not co-located', () => {
    const [problem] = problemsOf({ things: reference(things), owners: local(owners) })
    expect(problem).toContain('table things, column owner_id: its foreign key leads to owners')
    expect(problem).toContain('declare owners as reference()')
    const indexed = sqliteTable(
      'indexed',
      { id: integer('id').primaryKey(), k: integer('k').references(() => owners.id) },
      (table) => [index('indexed_k_idx').on(table.k)],
    )
    expect(
      problemsOf({
        indexed: distributed(indexed, { by: 'id' }),
        owners: distributed(owners, { by: 'id' }),
      })[0],
    ).toContain('distribute both by the same key')
    expect(
      problemsOf({ indexed: distributed(indexed, { by: 'k' }), owners: distributed(owners, { by: 'id' }) }),
    ).toEqual([])
  })

  it('is refused when a foreign key leads to a table that is not served and lives elsewhere', () => {
    expect(problemsOf({ things: reference(things) })[0]).toContain('owners is local')
  })

  it('is refused for column types that have no JSON, naming the remedy', () => {
    const money = customType<{ data: string }>({ dataType: () => 'money' })
    const odd = sqliteTable('odd', { id: integer('id'), price: money('price') })
    expect(problemsOf({ odd: local(odd) })[0]).toMatch(/table odd, column price: .*say it in tables\.ts/)
    const print = (stored: SQL) => sql`${stored} / 100`
    expect(
      problemsOf({ odd: local(odd, { columns: { price: { json: { type: 'real', print } } } }) })[0],
    ).toMatch(/table odd, column price: .*give its form `parse`/)
    const json = { type: 'text' } as const
    const misplaced = { price: { json }, id: { json }, nope: { json } }
    const problems = problemsOf({ odd: local(odd, { columns: misplaced }) })
    expect(problems[0]).toMatch(/table odd, column id: its JSON form is that of its type/)
    expect(problems[1]).toMatch(/table odd, columns: there is no column nope/)
  })

  it('is refused for a default that no range is written as', () => {
    const odd = sqliteTable('odd', { id: integer('id'), seats: int4range('seats').default('[1,4]') })
    expect(problemsOf({ odd: local(odd) })[0]).toMatch(/column seats: its default \[1,4\] is written \[1,5\)/)
  })

  it('is refused when a table is declared twice', () => {
    expect(problemsOf({ a: local(owners), b: local(owners) })[0]).toContain('declared twice')
  })
})
