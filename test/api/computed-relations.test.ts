/**
 * Relations that SQL over two rows gives: what PostgREST's ComputedRelsSpec expects of functions over a row, and who may not see by them.
 * Not held of it: data representations, which PostgREST's functions of casts are for.
 */
import { env } from 'cloudflare:workers'
import { and, desc, eq, gt, sql } from 'drizzle-orm'
import { alias, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, local } from '../../db/define.ts'
import { defineFunction, rows } from '../../functions/define.ts'
import { gatewayOver, tokenFor } from '../support/clinic.ts'
import { migrateInWorker } from '../support/migrate-in-worker.ts'
import { secretKey } from '../support/worker-client.ts'

const designers = sqliteTable('cr_designers', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  notes: text('notes'),
})
const videogames = sqliteTable('cr_videogames', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  designerId: integer('designer_id').references(() => designers.id),
  year: integer('year'),
})
const webContent = sqliteTable('cr_web_content', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  parentId: integer('parent_id'),
})
const fans = sqliteTable('cr_fans', {
  id: integer('id').primaryKey(),
  who: text('who').notNull(),
  designerId: integer('designer_id').notNull(),
})

const parent = alias(webContent, 'parent')
const child = alias(webContent, 'child')
const peer = alias(designers, 'peer')
const everything = { select: true, insert: true, update: true, delete: true } as const
const select = { select: true } as const
/** Its keys are only compared, so that none of them is a foreign key or an equality that could be told from the SQL. */
const designs = sql`${videogames.designerId} + 0 = ${designers.id} + 0`

const tables = defineTables({
  designers: local(designers, {
    access: {
      anon: everything,
      reader: { select: { columns: ['id', 'name'] } },
      fan: { select: ({ caller, row }) => gt(row.id, caller.claims.above), update: true },
    },
    relations: {
      computed_videogames: { to: videogames, where: designs },
      // As the function of PostgREST's fixtures does: it takes the place of the foreign key, and finds nothing.
      cr_videogames: { to: videogames, where: sql`false` },
      latest: { to: videogames, on: { id: 'designerId' }, orderBy: desc(videogames.year), many: false },
      first_two: { to: videogames, where: designs, orderBy: [videogames.year], limit: 2 },
      noted: {
        to: peer,
        where: sql`json_extract(${designers.notes}, '$.peer') = ${peer.id}`,
        many: false,
      },
      // Those that have a fan in common.
      peers: {
        to: peer,
        where: sql`${peer.id} <> ${designers.id} and exists (select 1 from ${fans} a join ${fans} b on a.who = b.who
          where a.designer_id = ${designers.id} and b.designer_id = ${peer.id})`,
      },
      rough: { to: peer, where: sql`json_extract(${peer.notes}, '$.peer') > 0` },
    },
  }),
  videogames: local(videogames, {
    access: {
      anon: everything,
      reader: select,
      fan: { select: ({ caller, row }) => gt(row.year, caller.claims.after) },
    },
    relations: {
      computed_designers: { to: designers, where: designs, many: false },
      cr_designers: { to: () => designers, where: sql`1 = 0`, many: false },
      by_key: { to: designers, where: and(eq(designers.id, videogames.designerId)), many: false },
    },
  }),
  webContent: local(webContent, {
    access: { anon: select },
    relations: {
      child_web_content: { to: child, where: eq(child.parentId, webContent.id) },
      parent_web_content: { to: parent, where: eq(parent.id, webContent.parentId), many: false },
    },
  }),
  fans: local(fans, {
    access: { anon: select, fan: { select: ({ caller, row }) => eq(row.who, caller.sub) } },
  }),
})
const all = <Table extends typeof designers | typeof videogames>(table: Table) =>
  defineFunction({
    input: z.object({}),
    returns: rows(table),
    roles: ['anon'],
    run: async ({ database }) => await database.select().from(table as typeof designers),
  })
const ask = gatewayOver(tables, {}, { getallvideogames: all(videogames), getalldesigners: all(designers) })

const { DB } = env as unknown as { DB: D1Database }
const run = (...statements: string[]) => DB.batch(statements.map((statement) => DB.prepare(statement)))
beforeAll(() =>
  run(
    'CREATE TABLE cr_designers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, notes TEXT)',
    `CREATE TABLE cr_videogames (id INTEGER PRIMARY KEY, name TEXT NOT NULL, designer_id INTEGER REFERENCES cr_designers (id),
     year INTEGER)`,
    'CREATE TABLE cr_web_content (id INTEGER PRIMARY KEY, name TEXT NOT NULL, parent_id INTEGER)',
    'CREATE TABLE cr_fans (id INTEGER PRIMARY KEY, who TEXT NOT NULL, designer_id INTEGER NOT NULL)',
  ),
)
beforeEach(() =>
  run(
    'DELETE FROM cr_videogames',
    'DELETE FROM cr_designers',
    'DELETE FROM cr_web_content',
    'DELETE FROM cr_fans',
    `INSERT INTO cr_designers VALUES (1, 'Sid Meier', '{"peer":2}'), (2, 'Hironobu Sakaguchi', '{"peer":9}')`,
    `INSERT INTO cr_videogames VALUES (1, 'Civilization I', 1, 1991), (2, 'Civilization II', 1, 1996),
     (3, 'Final Fantasy I', 2, 1987), (4, 'Final Fantasy II', 2, 1988)`,
    `INSERT INTO cr_web_content VALUES (5, 'wat', NULL), (0, 'tardis', 5), (1, 'fezz', 0), (2, 'foo', 0), (3, 'bar', 0), (4, 'wut', 1)`,
    "INSERT INTO cr_fans VALUES (1, 'ann', 1), (2, 'ann', 2), (3, 'bea', 1)",
  ),
)
afterAll(() =>
  run(
    'DROP TABLE cr_videogames',
    'DROP TABLE cr_designers',
    'DROP TABLE cr_web_content',
    'DROP TABLE cr_fans',
  ),
)

const answer = async (path: string, init: RequestInit = {}, token: string | null = null) => {
  const response = await ask(`/rest/v1/${path}`, init, token)
  const body = (await response.json()) as { code?: string }
  return { status: response.status, range: response.headers.get('content-range'), body }
}
const read = async (path: string, token: string | null = null) => {
  const { status, body } = await answer(path, {}, token)
  return status < 300 ? body : [status, body.code]
}
const write = (method: string, path: string, body: unknown, prefer = 'return=representation') =>
  answer(path, {
    method,
    headers: { 'Content-Type': 'application/json', Prefer: prefer },
    ...(body === null ? {} : { body: JSON.stringify(body) }),
  })
const sid = { name: 'Sid Meier' }
const hironobu = { name: 'Hironobu Sakaguchi' }
const designed = [
  { name: 'Civilization I', designer: sid },
  { name: 'Civilization II', designer: sid },
  { name: 'Final Fantasy I', designer: hironobu },
  { name: 'Final Fantasy II', designer: hironobu },
]
const having = [
  { ...sid, videogames: [{ name: 'Civilization I' }, { name: 'Civilization II' }] },
  { ...hironobu, videogames: [{ name: 'Final Fantasy I' }, { name: 'Final Fantasy II' }] },
]

describe('a computed relation', () => {
  it('leads to one row, or to many', async () => {
    expect(await read('cr_videogames?select=name,designer:computed_designers(name)')).toEqual(designed)
    expect(await read('cr_videogames?select=name,designer:by_key(name)')).toEqual(designed)
    expect(await read('cr_designers?select=name,videogames:computed_videogames(name)')).toEqual(having)
  })

  it('works with !inner and count=exact', async () => {
    const counted = async (path: string) => {
      const { body, range } = await answer(path, { headers: { Prefer: 'count=exact' } })
      return [body, range]
    }
    expect(
      await counted(
        'cr_designers?select=name,videogames:computed_videogames!inner(name)&videogames.name=eq.Civilization I',
      ),
    ).toEqual([[{ ...sid, videogames: [{ name: 'Civilization I' }] }], '0-0/1'])
    expect(
      await counted(
        'cr_videogames?select=name,designer:computed_designers!inner(name)&designer.name=like.*Hironobu*',
      ),
    ).toEqual([designed.slice(2), '0-1/2'])
  })

  it('works with rpc', async () => {
    expect(await read('rpc/getallvideogames?select=name,designer:computed_designers(name)')).toEqual(designed)
    expect(await read('rpc/getalldesigners?select=name,videogames:computed_videogames(name)')).toEqual(having)
  })

  it('works with mutations, undone ones as well', async () => {
    const chrono = { id: 5, name: 'Chrono Trigger', designer_id: 2 }
    const shown = 'select=name,designer:computed_designers(name)'
    const added = { status: 201, body: [{ name: 'Chrono Trigger', designer: hironobu }] }
    expect(
      await write('POST', `cr_videogames?${shown}`, chrono, 'return=representation, tx=rollback'),
    ).toMatchObject(added)
    expect(await write('POST', `cr_videogames?${shown}`, chrono)).toMatchObject(added)
    const games = 'select=name,videogames:computed_videogames(name)'
    expect(await write('PATCH', `cr_designers?${games}&id=eq.1`, { name: 'Sidney K. Meier' })).toMatchObject({
      status: 200,
      body: [{ name: 'Sidney K. Meier', videogames: having[0]?.videogames }],
    })
    expect(await write('DELETE', `cr_videogames?${shown}&id=eq.3`, null)).toMatchObject({
      status: 200,
      body: [{ name: 'Final Fantasy I', designer: hironobu }],
    })
    const peers = 'select=name,peers(name),first_two(name),...latest(year)'
    const changed = [
      {
        name: 'Sid',
        peers: [hironobu],
        first_two: [{ name: 'Civilization I' }, { name: 'Civilization II' }],
        year: 1996,
      },
    ]
    const undone = 'return=representation, tx=rollback'
    expect((await write('PATCH', `cr_designers?${peers}&id=eq.1`, { name: 'Sid' }, undone)).body).toEqual(
      changed,
    )
    expect((await write('PATCH', `cr_designers?${peers}&id=eq.1`, { name: 'Sid' })).body).toEqual(changed)
  })

  it('works with self joins', async () => {
    expect(
      await read(
        'cr_web_content?select=name,child_web_content(name),parent_web_content(name)&id=in.(0,1)&order=id',
      ),
    ).toEqual([
      {
        name: 'tardis',
        child_web_content: [{ name: 'fezz' }, { name: 'foo' }, { name: 'bar' }],
        parent_web_content: { name: 'wat' },
      },
      { name: 'fezz', child_web_content: [{ name: 'wut' }], parent_web_content: { name: 'tardis' } },
    ])
  })

  it('takes the place of foreign keys of its name, whatever the hint', async () => {
    expect(await read('cr_videogames?select=*,cr_designers!inner(*)')).toEqual([])
    expect(await read('cr_designers?select=*,cr_videogames!inner(*)')).toEqual([])
    expect(await read('cr_designers?select=id,cr_videogames!designer_id(id)&id=eq.1')).toEqual([
      { id: 1, cr_videogames: [] },
    ])
    // By column and by the key's name, the foreign key is there still.
    expect(await read('cr_videogames?select=id,designer_id(name)&id=eq.1')).toEqual([
      { id: 1, designer_id: sid },
    ])
  })

  it('is followed by others, and follows them', async () => {
    expect(
      await read(
        'cr_videogames?select=name,computed_designers(name,computed_videogames(name,designer_id(name)))&id=eq.1&computed_designers.computed_videogames.order=name.desc',
      ),
    ).toEqual([
      {
        name: 'Civilization I',
        computed_designers: {
          ...sid,
          computed_videogames: [
            { name: 'Civilization II', designer_id: sid },
            { name: 'Civilization I', designer_id: sid },
          ],
        },
      },
    ])
    expect(
      await read('cr_videogames?select=name,designer_id(name,first_two(name))&order=id.desc&limit=1'),
    ).toEqual([
      {
        name: 'Final Fantasy II',
        designer_id: { ...hironobu, first_two: [{ name: 'Final Fantasy I' }, { name: 'Final Fantasy II' }] },
      },
    ])
  })

  it('is ordered, limited, spread, counted, aggregated and filtered by as any is', async () => {
    expect(
      await read(
        'cr_designers?select=name,g:computed_videogames(name)&g.order=year.desc&g.limit=1&g.offset=1&order=id',
      ),
    ).toEqual([
      { ...sid, g: [{ name: 'Civilization I' }] },
      { ...hironobu, g: [{ name: 'Final Fantasy I' }] },
    ])
    expect(await read('cr_videogames?select=id,...computed_designers(by:name)&id=eq.3')).toEqual([
      { id: 3, by: 'Hironobu Sakaguchi' },
    ])
    expect(await read('cr_designers?select=id,...computed_videogames(years:year)&order=id')).toEqual([
      { id: 1, years: [1991, 1996] },
      { id: 2, years: [1987, 1988] },
    ])
    expect(await read('cr_designers?select=id,computed_videogames(count)&order=id&limit=1')).toEqual([
      { id: 1, computed_videogames: [{ count: 2 }] },
    ])
    expect(await read('cr_designers?select=id,computed_videogames(year.max())&id=eq.2')).toEqual([
      { id: 2, computed_videogames: [{ max: 1988 }] },
    ])
    expect(
      await read('cr_videogames?select=id&order=computed_designers(name),id&select=id,computed_designers()'),
    ).toEqual([{ id: 3 }, { id: 4 }, { id: 1 }, { id: 2 }])
    const none = 'cr_designers?select=id,computed_videogames()&computed_videogames.year=gt.1990'
    expect(await read(`${none}&computed_videogames=not.is.null`)).toEqual([{ id: 1 }])
    expect(await read(`${none}&computed_videogames=is.null`)).toEqual([{ id: 2 }])
  })

  it('takes the first rows of all, before the request leaves out some', async () => {
    expect(await read('cr_designers?select=id,latest(name)&order=id')).toEqual([
      { id: 1, latest: { name: 'Civilization II' } },
      { id: 2, latest: { name: 'Final Fantasy II' } },
    ])
    expect(await read('cr_designers?select=id,latest(name)&latest.year=lt.1990&order=id')).toEqual([
      { id: 1, latest: null },
      { id: 2, latest: { name: 'Final Fantasy II' } },
    ])
    expect(await read('cr_designers?select=id,...latest(year)&order=latest(year)')).toEqual([
      { id: 2, year: 1988 },
      { id: 1, year: 1996 },
    ])
  })

  it('is not found from where it does not begin', async () => {
    expect(await read('cr_videogames?select=computed_videogames(name)')).toEqual([400, 'PGRST200'])
  })
})

describe('who may not see', () => {
  it('a column that the SQL reads, does not see the relation', async () => {
    const reader = await tokenFor({ role: 'reader' })
    expect(await read('cr_designers?select=id,noted(id)&order=id')).toEqual([
      { id: 1, noted: { id: 2 } },
      { id: 2, noted: null },
    ])
    expect(await read('cr_designers?select=id,noted(id)', reader)).toEqual([400, 'PGRST200'])
    expect(await read('cr_designers?select=id,rough(id)', reader)).toEqual([400, 'PGRST200'])
    expect(await read('cr_designers?select=id,noted()&noted=is.null', reader)).toEqual([400, 'PGRST200'])
    // Nor a table that it reads besides.
    expect(await read('cr_designers?select=id,peers(id)', reader)).toEqual([400, 'PGRST200'])
    expect(await read('cr_designers?select=id,first_two(id)&id=eq.1', reader)).toEqual([
      { id: 1, first_two: [{ id: 1 }, { id: 2 }] },
    ])
  })

  it('rows, is not led to them, by them or past them', async () => {
    const fan = (sub: string, above: number, after = 0) => tokenFor({ role: 'fan', sub, above, after })
    // Of both tables' rows.
    expect(await read('cr_designers?select=id,computed_videogames(id)', await fan('ann', 1, 1987))).toEqual([
      { id: 2, computed_videogames: [{ id: 4 }] },
    ])
    expect(
      await read('cr_videogames?select=id,computed_designers(id)&order=id', await fan('ann', 1)),
    ).toEqual([
      { id: 1, computed_designers: null },
      { id: 2, computed_designers: null },
      { id: 3, computed_designers: { id: 2 } },
      { id: 4, computed_designers: { id: 2 } },
    ])
    // The first of those that are seen.
    await run("INSERT INTO cr_videogames VALUES (7, 'Hidden', 1, -1)")
    expect(await read('cr_designers?select=id,first_two(id)&order=id&limit=1', await fan('ann', 0))).toEqual([
      { id: 1, first_two: [{ id: 1 }, { id: 2 }] },
    ])
    // Of what the SQL reads besides: ann's likes are hers to see.
    expect(await read('cr_designers?select=id,peers(id)&order=id')).toEqual([
      { id: 1, peers: [{ id: 2 }] },
      { id: 2, peers: [{ id: 1 }] },
    ])
    expect(await read('cr_designers?select=id,peers(id)&order=id', await fan('ann', 0))).toEqual([
      { id: 1, peers: [{ id: 2 }] },
      { id: 2, peers: [{ id: 1 }] },
    ])
    expect(await read('cr_designers?select=id,peers(id)&order=id', await fan('bea', 0))).toEqual([
      { id: 1, peers: [] },
      { id: 2, peers: [] },
    ])
  })

  it('rows, is told of them by no failure of the SQL', async () => {
    await run("INSERT INTO cr_designers VALUES (0, 'Broken', 'no JSON')")
    const fan = await tokenFor({ role: 'fan', sub: 'ann', above: 0, after: 0 })
    expect(await read('cr_designers?select=id,rough(id)&order=id')).toMatchObject([400, expect.any(String)])
    const found = [{ id: 1 }, { id: 2 }]
    expect(await read('cr_designers?select=id,rough(id)&order=id&rough.order=id', fan)).toEqual(
      found.map((row) => ({ ...row, rough: found })),
    )
    expect(await read('cr_designers?select=id,noted!inner(id)', fan)).toEqual([{ id: 1, noted: { id: 2 } }])
    expect(await read('cr_designers?select=id,noted()&noted=is.null', fan)).toEqual([{ id: 2 }])
  })
})

describe('an answer', () => {
  it('to a write, undone or not, shows what the SQL finds by the caller’s rights', async () => {
    for (const prefer of ['return=representation, tx=rollback', 'return=representation']) {
      for (const [who, peers] of [
        ['ann', [{ id: 2 }]],
        ['bea', []],
      ] as const) {
        const sent = {
          method: 'PATCH',
          headers: { 'Content-Type': 'application/json', Prefer: prefer },
          body: '{"name":"Sid"}',
        }
        const fan = await tokenFor({ role: 'fan', sub: who, above: 0, after: 0 })
        expect(await answer('cr_designers?id=eq.1&select=id,peers(id)', sent, fan)).toMatchObject({
          status: 200,
          body: [{ id: 1, peers }],
        })
      }
    }
  })

  it('that is kept is another when a row has changed that the SQL reads', async () => {
    await migrateInWorker(new Map([['DB', DB]]), buildCatalog(tables), [])
    const caching = gatewayOver(tables, { cache: true })
    const asked = async (path: string) => {
      const response = await caching(`/rest/v1/${path}`)
      const isKept = response.headers.get('cache-status')?.includes('hit') ?? false
      return [isKept, await response.json()]
    }
    const send = async (method: string, path: string, body: unknown) => {
      const headers = { apikey: secretKey, 'Content-Type': 'application/json' }
      const sent = { method, headers, ...(body === null ? {} : { body: JSON.stringify(body) }) }
      expect((await caching(`/rest/v1/${path}`, sent)).status).toBeLessThan(300)
    }
    const peers = 'cr_designers?select=id,peers(id)&id=eq.1'
    const latest = 'cr_designers?select=id,latest(id)&id=eq.1'
    for (const isKept of [false, true]) {
      expect(await asked(peers)).toEqual([isKept, [{ id: 1, peers: [{ id: 2 }] }]])
      expect(await asked(latest)).toEqual([isKept, [{ id: 1, latest: { id: 2 } }]])
    }
    // A row of neither table.
    await send('DELETE', 'cr_fans?id=eq.2', null)
    expect(await asked(peers)).toEqual([false, [{ id: 1, peers: [] }]])
    await send('PATCH', 'cr_videogames?id=eq.1', { year: 2001 })
    expect(await asked(latest)).toEqual([false, [{ id: 1, latest: { id: 1 } }]])
    await send('POST', 'cr_fans', { id: 2, who: 'bea', designer_id: 2 })
    expect(await asked(peers)).toEqual([false, [{ id: 1, peers: [{ id: 2 }] }]])
  })
})
