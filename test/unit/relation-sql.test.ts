import { and, asc, desc, eq, exists, gt, or, sql } from 'drizzle-orm'
import { alias, index, integer, QueryBuilder, sqliteTable, sqliteView, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { buildCatalog, SchemaError } from '../../db/catalog/build-catalog.ts'
import type { Relation } from '../../db/catalog/catalog.ts'
import { hereMark, thereMark } from '../../db/catalog/grants.ts'
import { type DeclaredRelation, distributed, reference, view } from '../../db/define.ts'

const people = sqliteTable(
  'people',
  { id: integer('id').primaryKey(), name: text('name'), boss: integer('boss'), town: text('town') },
  (table) => [index('people_town').on(table.town)],
)
const pets = sqliteTable(
  'pets',
  { id: integer('id').primaryKey(), owner: integer('owner'), name: text('name'), town: text('town') },
  (table) => [index('pets_town').on(table.town)],
)
const likes = sqliteTable('likes', {
  id: integer('id').primaryKey(),
  person: integer('person'),
  pet: integer('pet'),
})
const unserved = sqliteTable('unserved', { id: integer('id').primaryKey() })
const cards = sqliteView('cards', { id: integer('id'), name: text('name') }).as(
  sql`SELECT id, name FROM people`,
)
const other = alias(people, 'other')
const query = new QueryBuilder()

const read = (relation: DeclaredRelation): Relation | string => {
  try {
    const { tables } = buildCatalog({
      people: distributed(people, { by: 'town', relations: { way: relation } }),
      pets: distributed(pets, { by: 'town' }),
      likes: reference(likes),
      cards: view(cards),
    })
    return tables.get('people')?.declared[0] as Relation
  } catch (error) {
    if (error instanceof SchemaError) return error.problems.join('\n')
    throw error
  }
}
const shown = (text: string | null | undefined) =>
  text?.replaceAll(hereMark, 'HERE').replaceAll(thereMark, 'THERE')
const ruleOf = (relation: DeclaredRelation) => {
  const found = read(relation)
  if (typeof found === 'string') return found
  const { on, rule } = found
  return {
    on,
    condition: shown(rule?.condition),
    first: rule?.first,
    reads: rule?.reads,
    columns: rule?.columns,
  }
}

describe('the SQL of a relation', () => {
  it('is parted into columns that are equal and the rest', () => {
    expect(ruleOf({ to: pets, where: eq(pets.owner, people.id) })).toMatchObject({
      on: [['id', 'owner']],
      condition: undefined,
    })
    expect(
      ruleOf({ to: pets, where: and(eq(people.town, pets.town), gt(pets.id, 3), eq(people.id, pets.owner)) }),
    ).toMatchObject({
      on: [
        ['town', 'town'],
        ['id', 'owner'],
      ],
      condition: '(THERE . "id" > 3)',
      columns: { here: ['town', 'id'], there: ['town', 'id', 'owner'] },
    })
    expect(
      ruleOf({ to: pets, where: or(eq(people.town, pets.town), eq(people.id, pets.owner)) }),
    ).toMatchObject({
      on: [],
      condition: '(HERE . "town" = THERE . "town" or HERE . "id" = THERE . "owner")',
    })
    const within = sql`pets.id between people.id and people.id + 3 and pets.town = people.town -- all
    `
    expect(ruleOf({ to: pets, where: within })).toMatchObject({ on: [] })
    expect(ruleOf({ to: pets, on: { town: 'town' }, where: sql`(${pets.id} = 1)` })).toMatchObject({
      on: [['town', 'town']],
      condition: '(THERE . "id" = 1)',
    })
  })

  it('is read for tables and columns besides, written by Drizzle or as text', () => {
    const liked = (where: DeclaredRelation['where']) => ruleOf({ to: pets, where })
    const others = expect.arrayContaining([
      ['likes', 'pet'],
      ['likes', 'person'],
    ])
    const found = { reads: ['likes'], columns: { here: ['id'], there: ['id'], others } }
    const built = query
      .select({ one: sql`1` })
      .from(likes)
      .where(and(eq(likes.pet, pets.id), eq(likes.person, people.id)))
    expect(liked(exists(built))).toMatchObject(found)
    expect(
      liked(sql`exists (select 1 from Likes l where l.pet = "pets"."id" and person = [people].id)`),
    ).toMatchObject({ ...found, columns: { ...found.columns } })
    expect(
      liked(sql`pets.id in (select pet from (likes join json_each('[1]') e on e.value = person))`),
    ).toMatchObject({ reads: ['likes'], columns: { here: [], there: ['id'] } })
    expect(
      liked(
        sql`pets.id in (select "pet" from likes, likes as more where more.person is not distinct from people.id)`,
      ),
    ).toMatchObject({ reads: ['likes'] })
    expect(liked(sql`exists (select * from likes)`)).toMatchObject({
      columns: { others: ['id', 'person', 'pet'].map((column) => ['likes', column]) },
    })
    expect(liked(sql`'it''s from nowhere; ?' <> pets.name`)).toMatchObject({ reads: [] })
  })

  it('leads to one row where a key says so, and to the first where nothing does', () => {
    expect(ruleOf({ to: pets, where: eq(pets.id, people.boss), many: false })).toMatchObject({
      first: undefined,
    })
    expect(ruleOf({ to: pets, where: gt(pets.id, people.id), many: false })).toMatchObject({
      first: { limit: 1, order: null },
    })
    expect(
      read({
        to: other,
        where: eq(other.boss, people.id),
        orderBy: [desc(other.name), asc(other.id)],
        limit: 3,
      }),
    ).toMatchObject({
      to: 'people',
      rule: { first: { limit: 3, order: `${thereMark} . "name" desc , ${thereMark} . "id" asc` } },
    })
  })

  it.each<[DeclaredRelation, RegExp]>([
    [{ to: people, where: sql`1` }, /both are people: lead it to an alias/],
    [{ to: unserved, where: sql`1` }, /leads to unserved, which tables.ts does not serve/],
    [{ to: pets, where: sql`${unserved.id} = 1` }, /names a column of unserved, which it does not read/],
    [
      { to: pets, where: sql`exists (select 1 from ${unserved})` },
      /reads unserved, which tables.ts does not serve/,
    ],
    [{ to: pets, where: sql`exists (select 1 from likes, unserved)` }, /reads unserved/],
    [{ to: pets, where: sql`pets.id in unserved` }, /reads unserved/],
    [{ to: pets, where: sql`exists (select 1 from likes l join unserved on 1)` }, /reads unserved/],
    [{ to: pets, where: sql`exists (select 1 from (likes, unserved))` }, /reads unserved/],
    [
      { to: pets, where: sql`exists (select 1 from people where people.id = 1)` },
      /reads people in a subquery/,
    ],
    [{ to: pets, where: sql`exists (select 1 from likes pets)` }, /reads pets in a subquery/],
    [{ to: pets, where: sql`exists (select 1 from main.likes)` }, /without their schema/],
    [{ to: pets, where: sql`exists (select 1 from pragma_table_list())` }, /may read json_each/],
    [{ to: pets, where: sql`(with l as (select 1) select 1 from l)` }, /with WITH/],
    [{ to: pets, where: sql`${pets.id} = ${sql.placeholder('x')}` }, /placeholder/],
    [{ to: pets, where: sql`1; drop table pets` }, /more than one expression/],
    [{ to: pets, where: sql`1) or (1` }, /parentheses/],
    [{ to: pets, where: sql`pets.name = 'x` }, /not closed/],
    [{ to: pets, where: sql`pets.name = "x` }, /not closed/],
    [{ to: pets, where: sql`owner = people.id` }, /names the column owner alone/],
    [{ to: pets, where: sql`pets.nope = 1` }, /no column nope in pets/],
    [{ to: pets, where: sql`people.rowid = 1` }, /no column rowid in people/],
    [{ to: pets, where: sql`exists (select 1 from likes l where l.nope = 1)` }, /no column nope in likes/],
    [{ to: pets, where: sql`_t0.id = 1` }, /names that begin so are Atoll's/],
    [{ to: pets, where: sql`1`, orderBy: pets.id }, /orderBy chooses nothing/],
    [{ to: pets, where: sql`1`, orderBy: sql`(select max(id) from likes)`, limit: 1 }, /only its where may/],
    [{ to: pets, where: sql`1`, limit: 0 }, /no number of rows/],
    [{ to: pets, where: sql`1`, limit: 2, many: false }, /leave limit out/],
    [{ to: pets, on: { town: 'town' }, many: false }, /may be equal in town; .*orderBy/],
    [{ to: cards, where: sql`cards.id > people.id`, many: false }, /have no key to be taken by/],
    [{ to: pets }, /names no columns/],
  ])('is refused when it cannot be used: %#', (relation, reason) => {
    expect(read(relation)).toMatch(reason)
  })
})
