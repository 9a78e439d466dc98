import { and, eq, exists, sql } from 'drizzle-orm'
import { type AnySQLiteColumn, alias, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { type Access, type Condition, defineTables, local, type TableDeclarations } from '../../db/define.ts'
import { reconcileSearch } from '../../db/system/search-objects.ts'
import type { AtollConfig } from '../../functions/areas.ts'
import { defineFunction, type FunctionManifest, rows as rowsOf } from '../../functions/define.ts'
import { everything, gatewayOver, tokenFor } from '../support/clinic.ts'
import { database, rows } from '../support/worker-client.ts'

/** Ways that an attack with fresh eyes has found: each is made in two worlds, whose answers must be equal. */
const places = sqliteTable('places', { id: integer('id').primaryKey(), name: text('name') })
const people = sqliteTable('people', {
  id: integer('id').primaryKey(),
  owner: text('owner').notNull(),
  name: text('name'),
  code: text('code').unique(),
  weight: integer('weight'),
  active: integer('active', { mode: 'boolean' }),
  placeId: integer('place_id').references(() => places.id),
  boss: integer('boss').references((): AnySQLiteColumn => people.id, {
    onUpdate: 'cascade',
    onDelete: 'cascade',
  }),
})
const links = sqliteTable(
  'links',
  {
    personId: integer('person_id')
      .notNull()
      .references(() => people.id),
    placeId: integer('place_id')
      .notNull()
      .references(() => places.id),
  },
  (table) => [primaryKey({ columns: [table.personId, table.placeId] })],
)

const own: Condition<typeof people> = ({ caller, row }) => eq(row.owner, caller.sub)
const onlyFirst: Access<typeof places> = { u: { select: ({ row }) => eq(row.id, 1) } }

function tablesWith(access: Access<typeof people>['u'], more: Partial<Record<string, object>> = {}) {
  return defineTables({
    places: local(places, { access: onlyFirst, ...more.places }),
    people: local(people, { access: { u: access ?? {} }, searchable: ['name'] }),
    links: local(links, more.links ?? {}),
  })
}

beforeAll(async () => {
  const statements = [
    'CREATE TABLE places (id INTEGER PRIMARY KEY, name TEXT)',
    `CREATE TABLE people (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, name TEXT, code TEXT UNIQUE, weight INTEGER,
     active INTEGER, place_id INTEGER REFERENCES places (id), boss INTEGER REFERENCES people (id) ON UPDATE CASCADE ON DELETE CASCADE)`,
    `CREATE TABLE links (person_id INTEGER NOT NULL REFERENCES people (id), place_id INTEGER NOT NULL REFERENCES places (id),
     PRIMARY KEY (person_id, place_id))`,
  ]
  for (const statement of statements) await rows(statement)
  await reconcileSearch(database, buildCatalog(tablesWith({})))
})

const common = [
  'DELETE FROM links',
  'UPDATE people SET boss = NULL',
  'DELETE FROM people',
  'DELETE FROM places',
  "INSERT INTO places VALUES (1, 'North')",
  `INSERT INTO people (id, owner, name, code, weight, active, place_id) VALUES
   (1, 'mine', 'Ada', 'C1', 70, 1, 1), (2, 'mine', 'Ben', 'C2', 80, 0, 1)`,
]
const secrets = [
  "INSERT INTO places VALUES (2, 'SECRET')",
  `INSERT INTO people (id, owner, name, code, weight, active, place_id, boss) VALUES
   (10, 'theirs', 'SECRET', 'SEC', 75, 0, 2, 1), (11, 'theirs', 'SECRET', '5', 901, 0, 2, 1)`,
]

interface Question {
  readonly method?: string
  readonly path: string
  readonly body?: unknown
  readonly prefer?: string
}

function asker(
  tables: TableDeclarations,
  functions: FunctionManifest = {},
  claims: object = {},
  config: Partial<AtollConfig> = {},
) {
  const ask = gatewayOver(tables, config, functions)
  return async ({ method = 'GET', path, body, prefer }: Question): Promise<string> => {
    const headers = {
      'Content-Type': 'application/json',
      ...(prefer === undefined ? {} : { Prefer: prefer }),
    }
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    return everything(
      await ask(`/rest/v1/${path}`, init, await tokenFor({ role: 'u', sub: 'mine', ...claims })),
    )
  }
}

async function world(hasSecrets: boolean): Promise<void> {
  for (const statement of [...common, ...(hasSecrets ? secrets : [])]) await rows(statement)
}

/** Asks in both worlds, and what the caller's own rows are like afterwards. */
async function inBoth(
  ask: (question: Question) => Promise<string>,
  question: Question,
): Promise<readonly string[]> {
  const answers: string[] = []
  for (const hasSecrets of [true, false]) {
    await world(hasSecrets)
    const answer = await ask(question)
    const after = await rows("SELECT * FROM people WHERE owner = 'mine' ORDER BY name, id")
    answers.push(`${answer}\n${JSON.stringify(after)}`)
  }
  return answers
}

const deep = `fts.${'a|(b%26('.repeat(20)}c${'))'.repeat(20)}`
const full = 'return=representation'
const byCode: Condition<typeof people> = ({ caller, row }) =>
  and(eq(row.owner, caller.sub), sql`${row.code} LIKE 'C%'`)

describe('what a caller may not see', () => {
  it.each<[string, Access<typeof people>['u'], Question]>([
    [
      'is not undone along with a cascade',
      { select: own, update: own },
      {
        method: 'PATCH',
        path: 'people?id=eq.1&select=id,name,boss',
        body: { id: 100 },
        prefer: `${full},tx=rollback,count=exact`,
      },
    ],
    [
      'is not counted along with one',
      { select: own, delete: own },
      { method: 'DELETE', path: 'people?id=eq.1', prefer: 'tx=rollback,count=exact' },
    ],
    [
      'does not decide what a limit leaves',
      { select: own, update: true },
      { method: 'PATCH', path: 'people?order=weight.desc&limit=1', body: { name: 'x' } },
    ],
    [
      'does not make a search too deep',
      { select: own },
      { path: `people?select=id&code=eq.SEC&name=${deep}` },
    ],
    [
      'does not make a pattern too long',
      { select: own },
      { path: `people?select=id&code=eq.SEC&name=like(any).{${'a*b'.repeat(30)}}` },
    ],
    [
      'is no key to take, for a row that may not be',
      { select: own, update: { where: own, check: byCode } },
      { method: 'PATCH', path: 'people?id=eq.1', body: { code: 'SEC' } },
    ],
    [
      'is no key to take, for a parent that may not be',
      { select: own, insert: own },
      { method: 'POST', path: 'people', body: { id: 10, owner: 'mine', place_id: 77 } },
    ],
    [
      'is no duplicate of one whose parent may not be',
      { select: own, insert: own },
      {
        method: 'POST',
        path: 'people',
        body: { id: 10, owner: 'mine', place_id: 77 },
        prefer: 'resolution=ignore-duplicates',
      },
    ],
    [
      'is not merged before the parent is asked',
      { select: own, insert: own, update: own },
      { method: 'PUT', path: 'people?id=eq.10', body: { id: 10, owner: 'mine', place_id: 77 } },
    ],
  ])('%s', async (_, access, question) => {
    const [there, elsewhere] = await inBoth(asker(tablesWith(access)), question)
    expect(there).toBe(elsewhere)
    expect(there).not.toContain('SECRET')
  })

  it('is not merged into, nor shown by a merge, though it may be updated', async () => {
    const ask = asker(tablesWith({ select: own, insert: true, update: { where: true, check: true } }))
    await world(true)
    const merge = { method: 'POST', path: 'people?on_conflict=code', body: { code: 'SEC', owner: 'mine' } }
    expect(await ask({ ...merge, prefer: `${full},resolution=merge-duplicates` })).toContain('42501')
  })

  it('is not opened by a condition in plain SQL over its own table', async () => {
    const byBoss: Condition<typeof people> = ({ caller, row }) =>
      sql`EXISTS (SELECT 1 FROM people WHERE people.id = ${row.boss} AND people.owner = ${caller.sub})`
    // A filter would read the rows, and so see the caller's own alone.
    const ask = asker(
      tablesWith({ select: own, update: byBoss, delete: byBoss }),
      {},
      {},
      { safeUpdate: false },
    )
    await world(true)
    await rows('UPDATE people SET boss = 1 WHERE id = 1')
    await ask({ method: 'PATCH', path: 'people', body: { name: 'hacked' } })
    const hacked = await rows("SELECT id FROM people WHERE name = 'hacked' ORDER BY id")
    expect(hacked).toEqual([{ id: 1 }, { id: 10 }, { id: 11 }])
    await rows('UPDATE people SET boss = NULL WHERE id = 11')
    await ask({ method: 'DELETE', path: 'people?id=gte.0' })
    expect(await rows('SELECT id FROM people ORDER BY id')).toContainEqual({ id: 11 })
  })

  it('is not reached by names that statements use themselves', async () => {
    for (const name of ['_t0', '_atoll_p', '_atoll_n']) {
      const place = alias(places, name)
      const condition: Condition<typeof places> = ({ row, query }) =>
        exists(
          query
            .select({ one: sql`1` })
            .from(place)
            .where(and(eq(place.id, row.id), eq(place.id, 1))),
        )
      const ask = asker(tablesWith({ select: own }, { places: { access: { u: { select: condition } } } }))
      await world(true)
      expect(await ask({ path: 'places?select=id' })).toContain('XX000')
    }
  })

  it('is no relation by a hidden column, in rows of functions and under an empty list of columns', async () => {
    const listed: Access<typeof people>['u'] = { select: { where: own, columns: ['id', 'name'] } }
    const all = defineFunction({
      input: z.object({}),
      returns: rowsOf(places),
      stable: true,
      roles: ['u'],
      run: ({ database }) => database.select().from(places),
    })
    const ask = asker(tablesWith(listed, { places: { access: {} } }), { all })
    await world(true)
    expect(await ask({ path: 'rpc/all?select=id,people(id)' })).toContain('PGRST200')
    const none = asker(tablesWith({ select: { where: own, columns: [] } }))
    expect(await none({ path: 'places?select=id,people(count())' })).toContain('PGRST200')
  })

  it('is no parent in a table that is not served', async () => {
    const ask = asker(
      defineTables({ people: local(people, { access: { u: { select: own, insert: own } } }) }),
    )
    const [there, elsewhere] = await inBoth(ask, {
      method: 'POST',
      path: 'people',
      body: { id: 50, owner: 'mine', place_id: 2 },
    })
    expect(there).toBe(elsewhere)
    expect(there).toContain('23503')
  })

  it('is not in the description, nor is a join table in a list of choices', async () => {
    await world(true)
    const ask = asker(tablesWith({ select: { where: own, columns: ['id', 'name', 'placeId'] }, delete: own }))
    expect(await ask({ path: '' })).not.toContain('weight')
    expect(await ask({ path: 'people?select=id,places(id)&order=id&limit=1' })).toContain('"places":{"id":1}')
  })

  it('is not what a missing claim inside a claim compares with', async () => {
    const flagged: Condition<typeof people> = ({ caller, row }) => eq(row.active, caller.claims.app?.flag)
    const ask = asker(tablesWith({ select: flagged }))
    await world(true)
    expect(await ask({ path: 'people?select=id' })).toMatch(/\n\[\]$/)
    const claimed = asker(tablesWith({ select: flagged }), {}, { app: { flag: true } })
    expect(await claimed({ path: 'people?select=id' })).toContain('[{"id":1}]')
    const object = asker(tablesWith({ select: own }), {}, { sub: ['mine'] })
    expect(await object({ path: 'people?select=id' })).toMatch(/^401/)
    const listed: Condition<typeof people> = ({ caller, row }) => eq(row.owner, caller.claims.owners)
    const list = asker(tablesWith({ select: listed }), {}, { owners: ['mine'] })
    expect(await list({ path: 'people?select=id' })).toMatch(/\n\[\]$/)
  })
})

describe('what a caller may do', () => {
  it('is not refused where a claim is text and the column is not, or an id is still to be given', async () => {
    const heavy: Condition<typeof people> = ({ caller, row }) =>
      and(eq(row.weight, caller.claims.weight), sql`${row.id} > 0`)
    const ask = asker(tablesWith({ select: true, insert: heavy }), {}, { weight: '7' })
    await world(true)
    const post = { method: 'POST', path: 'people?select=weight', body: { owner: 'mine', weight: 7 } }
    expect(await ask({ ...post, prefer: `${full},resolution=ignore-duplicates` })).toContain('[{"weight":7}]')
    expect(await ask({ ...post, body: { id: 1, owner: 'mine', weight: 7 } })).toContain('23505')
  })

  it('is undone as it was done, whatever the app’s triggers add', async () => {
    const ask = asker(tablesWith({ select: own, update: own, insert: own }))
    await world(true)
    await rows(
      'CREATE TRIGGER touch AFTER UPDATE OF name ON people BEGIN UPDATE people SET weight = weight + 1 WHERE id = NEW.id; END',
    )
    const patch = { method: 'PATCH', path: 'people?id=eq.1&select=id,weight', body: { name: 'x' } }
    expect(await ask({ ...patch, prefer: `${full},tx=rollback,count=exact` })).toMatch(
      /0-0\/1[\s\S]*\[\{"id":1,"weight":70\}\]$/,
    )
    await rows('DROP TRIGGER touch')
    const merge = {
      method: 'POST',
      path: 'people?select=id,name',
      body: [
        { id: 1, owner: 'mine', name: 'm' },
        { id: 60, owner: 'mine', name: 'n' },
      ],
    }
    const undone = await ask({ ...merge, prefer: `${full},resolution=merge-duplicates,tx=rollback` })
    expect(undone).toContain('[{"id":1,"name":"m"}, \n {"id":60,"name":"n"}]')
    expect(undone).toMatch(/^201/)
  })

  it('may be said by a subquery over a subquery', async () => {
    const nested: Condition<typeof people> = ({ caller, row, query }) => {
      const mine = query.select({ id: people.id }).from(people).where(eq(people.owner, caller.sub)).as('mine')
      return exists(query.select({ one: sql`1` }).from(mine).where(eq(mine.id, row.id)))
    }
    const ask = asker(tablesWith({ select: nested, update: nested }))
    await world(true)
    expect(await ask({ path: 'people?select=id&order=id' })).toContain('[{"id":1}, \n {"id":2}]')
    expect(
      await ask({ method: 'PATCH', path: 'people?id=gte.0', body: { name: 'x' }, prefer: 'count=exact' }),
    ).toContain('0-1/2')
  })
})
