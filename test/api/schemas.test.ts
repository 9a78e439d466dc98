/** Several schemas over one database: which tables and functions a request means, and that it learns of no others. */
import { env } from 'cloudflare:workers'
import { PostgrestClient } from '@supabase/postgrest-js'
import { eq, lte } from 'drizzle-orm'
import { integer, primaryKey, sqliteTable, sqliteView, text } from 'drizzle-orm/sqlite-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, local, view } from '../../db/define.ts'
import { defineFunction, type FunctionManifest, rows, scalar } from '../../functions/define.ts'
import { gatewayOver, tokenFor } from '../support/clinic.ts'
import { migrateInWorker } from '../support/migrate-in-worker.ts'

const { DB } = env as unknown as { DB: D1Database }

const parents = sqliteTable('sch_parents', { id: integer('id').primaryKey(), name: text('name') })
const children = sqliteTable('sch_children', {
  id: integer('id').primaryKey(),
  name: text('name'),
  parentId: integer('parent_id').references(() => parents.id),
})
const oldParents = sqliteTable('old_parents', { id: integer('id').primaryKey(), name: text('name') })
const oldChildren = sqliteTable('old_children', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  parentId: integer('parent_id').references(() => oldParents.id),
})
/** Only in the archive, and refers to both. */
const notes = sqliteTable('sch_notes', {
  id: integer('id').primaryKey(),
  body: text('body'),
  parentId: integer('parent_id').references(() => parents.id),
  oldParentId: integer('old_parent_id').references(() => oldParents.id),
})
/** In both. */
const tags = sqliteTable('sch_tags', { id: integer('id').primaryKey(), word: text('word') })
/** Joins what both know, and is known to the archive alone. */
const links = sqliteTable(
  'sch_links',
  {
    tagId: integer('tag_id').references(() => tags.id),
    parentId: integer('parent_id').references(() => parents.id),
    oldParentId: integer('old_parent_id').references(() => oldParents.id),
  },
  (table) => [primaryKey({ columns: [table.tagId, table.parentId, table.oldParentId] })],
)
const inside = sqliteTable('sch_inside', {
  id: integer('id').primaryKey(),
  childId: integer('child_id').references(() => children.id),
})
/** The archive sees the living parents by a view alone. */
const seen = sqliteView('sch_seen').as((query) =>
  query.select({ id: parents.id, name: parents.name }).from(parents).where(lte(parents.id, 100)),
)

const all = { select: true, insert: true, update: true, delete: true } as const
const forAll = { access: { anon: all, clerk: { select: true } } } as const
const archive = ['archive']
const tables = defineTables({
  parents: local(parents, {
    as: 'parents',
    access: {
      anon: all,
      clerk: { select: ({ row }) => eq(row.id, 1) },
    },
    relations: {
      old: { to: () => oldParents, on: { name: 'name' } },
    },
  }),
  children: local(children, { as: 'children', ...forAll }),
  oldParents: local(oldParents, { schemas: archive, as: 'parents', ...forAll }),
  oldChildren: local(oldChildren, { schemas: archive, as: 'children', ...forAll }),
  notes: local(notes, {
    schemas: archive,
    as: 'notes',
    access: { anon: all, clerk: { insert: true }, other: { insert: true } },
  }),
  tags: local(tags, { schemas: ['public', 'archive'], as: 'tags', access: { anon: all } }),
  links: local(links, { schemas: archive, as: 'links', ...forAll }),
  inside: local(inside, { schemas: [], as: 'inside', ...forAll }),
  seen: view(seen, { schemas: archive, as: 'living', access: { anon: all } }),
})

const below = z.object({ id: z.int() })
const functions: FunctionManifest = {
  parents_below: [
    defineFunction({
      input: below,
      returns: rows(parents),
      stable: true,
      roles: ['anon'],
      run: async ({ input, database }) => database.select().from(parents).where(lte(parents.id, input.id)),
    }),
    defineFunction({
      input: below,
      returns: rows(oldParents),
      stable: true,
      schemas: archive,
      roles: ['anon'],
      run: async ({ input, database }) =>
        database.select().from(oldParents).where(lte(oldParents.id, input.id)),
    }),
  ],
  count_notes: defineFunction({
    input: z.object({}),
    returns: scalar,
    stable: true,
    schemas: archive,
    roles: ['anon'],
    run: async ({ database }) => (await database.select().from(notes)).length,
  }),
  first_old_parent: defineFunction({
    input: z.object({}),
    returns: scalar,
    stable: true,
    roles: ['anon'],
    run: async ({ api }) => {
      const client = api.asCaller as unknown as PostgrestClient
      const [here, there] = await Promise.all([
        client.from('parents').select('id').order('id').limit(1),
        client.schema('archive').from('parents').select('id').order('id').limit(1),
      ])
      return [here.data, there.data]
    },
  }),
}
const odd = 'SPECIAL "@/\\#~_-'
const ask = gatewayOver(tables, { schemas: ['public', 'archive', odd] }, functions)
const alone = gatewayOver(defineTables({ tags: local(tags, { as: 'tags', access: { anon: all } }) }))
const cached = gatewayOver(tables, { schemas: ['public', 'archive'], cache: true }, functions)
const secret = { apikey: 'sb_secret_test' }

type Row = Readonly<Record<string, unknown>>
async function told(response: Response) {
  const body = await response.text()
  return {
    status: response.status,
    profile: response.headers.get('content-profile'),
    body: (body === '' ? null : JSON.parse(body)) as Row[] & Row,
  }
}
const get = async (path: string, schema: string | null = null, token: string | null = null) =>
  told(await ask(`/rest/v1/${path}`, schema === null ? {} : { headers: { 'Accept-Profile': schema } }, token))
const send = async (
  method: string,
  path: string,
  body: unknown,
  schema: string | null = null,
  more: Record<string, string> = {},
  token: string | null = null,
) =>
  told(
    await ask(
      `/rest/v1/${path}`,
      {
        method,
        body: JSON.stringify(body),
        headers: {
          'Content-Type': 'application/json',
          Prefer: 'return=representation',
          ...(schema === null ? {} : { 'Content-Profile': schema }),
          ...more,
        },
      },
      token,
    ),
  )

const tableNames = 'inside links tags notes old_children old_parents children parents'.split(' ')
beforeAll(async () => {
  const statements = [
    'CREATE TABLE sch_parents (id INTEGER PRIMARY KEY, name TEXT)',
    'CREATE TABLE sch_children (id INTEGER PRIMARY KEY, name TEXT, parent_id INTEGER REFERENCES sch_parents (id))',
    'CREATE TABLE old_parents (id INTEGER PRIMARY KEY, name TEXT)',
    'CREATE TABLE old_children (id INTEGER PRIMARY KEY, name TEXT NOT NULL, parent_id INTEGER REFERENCES old_parents (id))',
    'CREATE TABLE sch_notes (id INTEGER PRIMARY KEY, body TEXT, parent_id INTEGER REFERENCES sch_parents (id), old_parent_id INTEGER REFERENCES old_parents (id))',
    'CREATE TABLE sch_tags (id INTEGER PRIMARY KEY, word TEXT)',
    'CREATE TABLE sch_links (tag_id INTEGER REFERENCES sch_tags (id), parent_id INTEGER REFERENCES sch_parents (id), old_parent_id INTEGER REFERENCES old_parents (id), PRIMARY KEY (tag_id, parent_id, old_parent_id))',
    'CREATE TABLE sch_inside (id INTEGER PRIMARY KEY, child_id INTEGER REFERENCES sch_children (id))',
    'CREATE VIEW sch_seen AS SELECT id, name FROM sch_parents WHERE id <= 100',
  ]
  await DB.batch(statements.map((text) => DB.prepare(text)))
  await migrateInWorker(new Map([['DB', DB]]), buildCatalog(tables), [])
})

beforeEach(async () => {
  const named = (name: string) => (name.startsWith('old_') ? name : `sch_${name}`)
  await DB.batch(
    [
      ...tableNames.map((name) => `DELETE FROM ${named(name)}`),
      "INSERT INTO sch_parents VALUES (1, 'one'), (2, 'two')",
      "INSERT INTO sch_children VALUES (1, 'child of one', 1), (2, 'child of two', 2)",
      "INSERT INTO old_parents VALUES (3, 'three'), (4, 'one')",
      "INSERT INTO old_children VALUES (1, 'child of three', 3)",
      "INSERT INTO sch_notes VALUES (1, 'a note', 1, 3)",
      "INSERT INTO sch_tags VALUES (1, 'red')",
      'INSERT INTO sch_links VALUES (1, 1, 3)',
      'INSERT INTO sch_inside VALUES (1, 1)',
    ].map((text) => DB.prepare(text)),
  )
})

describe('a read', () => {
  it('is of the schema that it names, or of the first, and says which', async () => {
    const first = [
      { id: 1, name: 'one' },
      { id: 2, name: 'two' },
    ]
    expect(await get('parents?order=id')).toEqual({ status: 200, profile: 'public', body: first })
    expect(await get('parents?order=id', 'public')).toEqual({ status: 200, profile: 'public', body: first })
    expect(await get('parents?order=id', 'archive')).toEqual({
      status: 200,
      profile: 'archive',
      body: [
        { id: 3, name: 'three' },
        { id: 4, name: 'one' },
      ],
    })
    expect(await get('tags', 'archive')).toMatchObject({ profile: 'archive', body: [{ id: 1 }] })
    const head = await ask('/rest/v1/parents', { method: 'HEAD', headers: { 'Accept-Profile': 'archive' } })
    expect([head.status, head.headers.get('content-profile')]).toEqual([200, 'archive'])
    expect(head.headers.get('vary')).toContain('Accept-Profile')
    // What says how a body is read says nothing of what is asked for.
    const other = await ask('/rest/v1/parents?id=eq.1', { headers: { 'Content-Profile': 'archive' } })
    expect((await told(other)).body).toHaveLength(1)
  })

  it('says nothing of schemas where there is one, unless it was named', async () => {
    const silent = await alone('/rest/v1/tags')
    expect([silent.headers.has('content-profile'), silent.headers.get('vary')]).toEqual([
      false,
      'Accept, Prefer, Range',
    ])
    const named = await alone('/rest/v1/tags', { headers: { 'Accept-Profile': 'public' } })
    expect(named.headers.get('content-profile')).toBe('public')
  })

  it('takes any name that a header carries', async () => {
    expect(await get('parents', odd)).toMatchObject({
      status: 404,
      body: {
        code: 'PGRST205',
        message: `Could not find the table '${odd}.parents' in the schema cache`,
      },
    })
    const described = await ask('/rest/v1/', { headers: { 'Accept-Profile': odd } })
    expect([described.status, described.headers.get('content-profile')]).toEqual([200, odd])
  })

  it('is refused for a schema that is not there, whatever it asks', async () => {
    const refusal = {
      status: 406,
      profile: null,
      body: {
        code: 'PGRST106',
        message: 'Invalid schema: unknown',
        details: null,
        hint: `Only the following schemas are exposed: public, archive, ${odd}`,
      },
    }
    for (const path of ['parents', 'nothing', '', 'rpc/parents_below?id=3', 'rpc/nothing'])
      expect(await get(path, 'unknown')).toEqual(refusal)
    for (const method of ['POST', 'PATCH', 'PUT', 'DELETE'])
      expect(await send(method, 'parents?id=eq.1', {}, 'unknown')).toEqual(refusal)
    expect(await send('POST', 'rpc/parents_below', { id: 3 }, 'unknown')).toEqual(refusal)
    for (const path of ['parents', 'rpc/parents_below']) {
      const options = await ask(`/rest/v1/${path}`, {
        method: 'OPTIONS',
        headers: { 'Accept-Profile': 'unknown' },
      })
      expect(options.status).toBe(406)
    }
    // A header that is not the request's says nothing.
    expect((await send('POST', 'tags', { id: 5 }, null, { 'Accept-Profile': 'unknown' })).status).toBe(201)
  })
})

describe('tables of another schema', () => {
  const missing = (schema: string, name: string, hint: string | null = null) => ({
    status: 404,
    body: {
      code: 'PGRST205',
      message: `Could not find the table '${schema}.${name}' in the schema cache`,
      details: null,
      hint,
    },
  })

  it('are not there, by no name and for no method', async () => {
    expect(await get('notes')).toMatchObject(missing('public', 'notes'))
    expect(await get('sch_notes')).toMatchObject(missing('public', 'sch_notes'))
    expect(await get('old_parents', 'archive')).toMatchObject(missing('archive', 'old_parents'))
    expect(await get('sch_parents')).toMatchObject(missing('public', 'sch_parents'))
    expect(await get('inside')).toMatchObject(missing('public', 'inside'))
    for (const method of ['POST', 'PATCH', 'PUT', 'DELETE'])
      expect(await send(method, 'notes?id=eq.1', { id: 1 })).toMatchObject(missing('public', 'notes'))
    const options = async (schema: string) =>
      ask('/rest/v1/notes', { method: 'OPTIONS', headers: { 'Accept-Profile': schema } })
    expect(await told(await options('public'))).toMatchObject(missing('public', 'notes'))
    expect((await options('archive')).headers.get('allow')).toContain('DELETE')
  })

  it('are not there for the secret key', async () => {
    for (const schema of ['public', 'archive'])
      expect(
        (await ask('/rest/v1/inside', { headers: { ...secret, 'Accept-Profile': schema } })).status,
      ).toBe(404)
    expect((await ask('/rest/v1/notes', { headers: secret })).status).toBe(404)
    expect(
      (await ask('/rest/v1/notes', { headers: { ...secret, 'Accept-Profile': 'archive' } })).status,
    ).toBe(200)
  })

  it('are not what hints are made of', async () => {
    expect(await get('note')).toMatchObject(missing('public', 'note'))
    expect(await get('note', 'archive')).toMatchObject(
      missing('archive', 'note', "Perhaps you meant the table 'archive.notes'"),
    )
  })

  it('are not embedded, by name, key, column or relation, nor joined through', async () => {
    const none = { status: 400, body: { code: 'PGRST200' } }
    const within = (schema: string) => ({
      status: 400,
      body: { code: 'PGRST200', details: expect.stringContaining(`in the schema '${schema}'`) },
    })
    for (const target of [
      'notes(*)',
      'sch_notes(*)',
      'sch_notes_parent_id_fkey(*)',
      'parent_id(*)',
      'parents!sch_notes_parent_id_fkey(*)',
      'old(*)',
      'links(*)',
      'tags(*)',
      'tags!sch_links(*)',
      'tags!links(*)',
    ])
      expect(await get(`parents?select=id,${target}`)).toMatchObject(within('public'))
    expect(await get('children?select=id,inside(*)')).toMatchObject(none)
    expect(await get('tags?select=id,parents(*)')).toMatchObject(none)
    expect(await get('notes?select=id,sch_notes_parent_id_fkey(*)', 'archive')).toMatchObject(
      within('archive'),
    )
    expect(await get('notes?select=id,parent_id(*)', 'archive')).toMatchObject(none)
    expect(await get('rpc/parents_below?id=9&select=id,notes(*)')).toMatchObject(none)
    // They are for whom names the schema.
    expect(await get('notes?select=id,parents(name),living(name)', 'archive')).toMatchObject({
      status: 200,
      body: [{ id: 1, parents: { name: 'three' }, living: { name: 'one' } }],
    })
    expect(await get('parents?select=id,tags(word),notes(body)&id=eq.3', 'archive')).toMatchObject({
      body: [{ id: 3, tags: [{ word: 'red' }], notes: [{ body: 'a note' }] }],
    })
  })

  it('are called as callers call them in what is refused', async () => {
    expect((await get('parents?select=id,nothing', 'archive')).body.message).toBe(
      'column parents.nothing does not exist',
    )
    expect((await send('POST', 'children', { nothing: 1 }, 'archive')).body.message).toBe(
      "Could not find the 'nothing' column of 'children' in the schema cache",
    )
    expect((await get('parents?select=nothing(*)', 'archive')).body.message).toBe(
      "Could not find a relationship between 'parents' and 'nothing' in the schema cache",
    )
    expect((await send('POST', 'children', { id: 9 }, 'archive')).body.message).toContain(
      'of relation "children"',
    )
    expect(
      (await send('POST', 'children', { id: 9, name: 'x', parent_id: 1 }, 'archive')).body,
    ).toMatchObject({ code: '23503', details: 'Key (parent_id)=(1) is not present in table "parents".' })
    expect((await send('DELETE', 'parents?id=eq.3', {}, 'archive')).body).toMatchObject({ code: '23503' })
    const clerk = await tokenFor({ role: 'clerk' })
    expect((await get('notes', 'archive', clerk)).body).toMatchObject({
      code: '42501',
      message: 'permission denied for table notes',
    })
    expect((await get('notes', null, clerk)).body.code).toBe('PGRST205')
  })

  it('guard the rows that others refer to, all the same', async () => {
    const clerk = await tokenFor({ role: 'clerk' })
    const other = await tokenFor({ role: 'other' })
    const note = (token: string, id: number, parent: number) =>
      send('POST', 'notes', { id, parent_id: parent }, 'archive', { Prefer: 'return=minimal' }, token)
    expect((await note(clerk, 7, 1)).status).toBe(201)
    expect(await note(clerk, 8, 2)).toMatchObject({ body: { code: '23503' } })
    expect(await note(other, 9, 1)).toMatchObject({ body: { code: '23503' } })
  })
})

describe('a write', () => {
  it('is of the schema that Content-Profile names, and shows what embeds there', async () => {
    expect(await send('POST', 'children?select=id,parents(*)', { id: 8, name: 'x', parent_id: 2 })).toEqual({
      status: 201,
      profile: 'public',
      body: [{ id: 8, parents: { id: 2, name: 'two' } }],
    })
    expect(
      await send('POST', 'children?select=id,parents(*)', { id: 8, name: 'x', parent_id: 4 }, 'archive'),
    ).toEqual({
      status: 201,
      profile: 'archive',
      body: [{ id: 8, parents: { id: 4, name: 'one' } }],
    })
    expect(
      await send('PATCH', 'children?id=eq.1&select=name,parents(name)', { name: 'changed' }, 'archive'),
    ).toEqual({
      status: 200,
      profile: 'archive',
      body: [{ name: 'changed', parents: { name: 'three' } }],
    })
    expect(
      await send('PUT', 'children?id=eq.11', { id: 11, name: 'put', parent_id: null }, 'archive'),
    ).toEqual({ status: 201, profile: 'archive', body: [{ id: 11, name: 'put', parent_id: null }] })
    expect(await send('DELETE', 'children?id=eq.11', undefined, 'archive')).toMatchObject({
      status: 200,
      profile: 'archive',
      body: [{ id: 11 }],
    })
    const quiet = await send('DELETE', 'children?id=eq.8', undefined, 'archive', { Prefer: 'return=minimal' })
    expect(quiet).toEqual({ status: 204, profile: null, body: null })
    expect((await get('children?id=eq.8')).body).toHaveLength(1)
    expect((await get('children?id=eq.1')).body).toMatchObject([{ name: 'child of one' }])
  })

  it('goes through a view whose table is in another schema', async () => {
    expect(await send('PATCH', 'living?id=eq.2&select=id,name', { name: 'seen' }, 'archive')).toMatchObject({
      status: 200,
      body: [{ id: 2, name: 'seen' }],
    })
    expect(await send('POST', 'living?select=*', { id: 50, name: 'fifty' }, 'archive')).toMatchObject({
      status: 201,
      body: [{ id: 50, name: 'fifty' }],
    })
    // What its table is related to in its own schema is not the archive's.
    expect(
      await send('PATCH', 'living?id=eq.2&select=id,children(*)', { name: 'x' }, 'archive'),
    ).toMatchObject({ body: { code: 'PGRST200' } })
    expect(
      await send('PATCH', 'living?id=eq.1&select=id,notes(body)', { name: 'x' }, 'archive'),
    ).toMatchObject({ body: [{ id: 1, notes: [{ body: 'a note' }] }] })
    expect((await get('living')).status).toBe(404)
  })
})

describe('functions', () => {
  it('are those of the schema, also where others have their name', async () => {
    const ids = ({ body }: { body: Row[] }) => body.map(({ id }) => id)
    expect(ids(await get('rpc/parents_below?id=9&order=id'))).toEqual([1, 2])
    const embedded = await get('rpc/parents_below?id=9&select=id,children(name)&order=id', 'archive')
    expect(embedded).toEqual({
      status: 200,
      profile: 'archive',
      body: [
        { id: 3, children: [{ name: 'child of three' }] },
        { id: 4, children: [] },
      ],
    })
    const posted = await send('POST', 'rpc/parents_below?select=id&order=id', { id: 9 }, 'archive')
    expect(posted).toEqual({ status: 200, profile: 'archive', body: [{ id: 3 }, { id: 4 }] })
    expect(await get('rpc/count_notes', 'archive')).toEqual({ status: 200, profile: 'archive', body: 1 })
  })

  it('of other schemas are not there, and no hint names them', async () => {
    expect(await get('rpc/count_notes')).toMatchObject({
      status: 404,
      body: {
        code: 'PGRST202',
        message: 'Could not find the function public.count_notes without parameters in the schema cache',
        hint: null,
      },
    })
    expect((await get('rpc/count_note')).body.hint).toBeNull()
    expect((await get('rpc/count_note', 'archive')).body.hint).toBe(
      'Perhaps you meant to call the function archive.count_notes',
    )
    const options = await ask('/rest/v1/rpc/count_notes', { method: 'OPTIONS' })
    expect(options.status).toBe(404)
  })

  it('ask the data API in any schema', async () => {
    expect((await get('rpc/first_old_parent')).body).toEqual([[{ id: 1 }], [{ id: 3 }]])
  })
})

describe('the description', () => {
  it('is of one schema, and names nothing of the others', async () => {
    const described = async (schema: string | null) => {
      const headers = schema === null ? secret : { ...secret, 'Accept-Profile': schema }
      const response = await ask('/rest/v1/', { headers })
      const text = await response.text()
      const { paths, definitions } = JSON.parse(text) as { paths: Row; definitions: Row }
      return {
        profile: response.headers.get('content-profile'),
        paths: Object.keys(paths).sort(),
        definitions,
        text,
      }
    }
    const first = await described(null)
    expect([first.profile, first.paths]).toEqual([
      'public',
      ['/children', '/parents', '/rpc/first_old_parent', '/rpc/parents_below', '/tags'],
    ])
    expect(first.text).not.toMatch(/notes|links|inside|old_parents|old_children|sch_|living|archive/)
    expect(first.text).toContain("<fk table='parents' column='id'/>")
    const other = await described('archive')
    expect([other.profile, other.paths]).toEqual([
      'archive',
      [
        '/children',
        '/links',
        '/living',
        '/notes',
        '/parents',
        '/rpc/count_notes',
        '/rpc/parents_below',
        '/tags',
      ],
    ])
    expect(other.text).not.toMatch(/inside|old_parents|old_children|sch_/)
    // The same word, another table.
    expect(JSON.stringify(other.definitions.notes)).toContain("<fk table='parents' column='id'/>")
  })
})

describe('the cache', () => {
  it('keeps answers of schemas apart, and hears of writes by any of them', async () => {
    const read = async (path: string, schema: string) => {
      const response = await cached(`/rest/v1/${path}`, { headers: { 'Accept-Profile': schema } })
      return { ...(await told(response)), isHit: response.headers.get('cache-status')?.includes('hit') }
    }
    const path = 'parents?select=id&order=id'
    expect((await read(path, 'public')).body).toEqual([{ id: 1 }, { id: 2 }])
    expect((await read(path, 'archive')).body).toEqual([{ id: 3 }, { id: 4 }])
    expect(await read(path, 'public')).toMatchObject({ profile: 'public', body: [{ id: 1 }, { id: 2 }] })
    for (const schema of ['public', 'archive']) {
      await read('tags', schema)
      expect(await read('tags', schema)).toMatchObject({ profile: schema, isHit: true })
    }
    const written = await cached('/rest/v1/tags?id=eq.1', {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json', 'Content-Profile': 'archive' },
      body: JSON.stringify({ word: 'blue' }),
    })
    expect(written.status).toBe(204)
    for (const schema of ['public', 'archive'])
      expect((await read('tags', schema)).body).toEqual([{ id: 1, word: 'blue' }])
  })
})

it('works with the client', async () => {
  const client = new PostgrestClient('http://clinic.test/rest/v1', {
    fetch: ((input: RequestInfo | URL, init?: RequestInit) => {
      const { pathname, search } = new URL(String(input))
      return ask(`${pathname}${search}`, init)
    }) as typeof fetch,
  })
  const old = client.schema('archive')
  expect((await old.from('parents').select('id, children(name)').eq('id', 3).single()).data).toEqual({
    id: 3,
    children: [{ name: 'child of three' }],
  })
  expect((await old.from('children').insert({ id: 20, name: 'new' }).select('id').single()).data).toEqual({
    id: 20,
  })
  expect((await old.from('children').upsert({ id: 20, name: 'newer' }).select('name')).data).toEqual([
    { name: 'newer' },
  ])
  expect((await old.from('children').delete().eq('id', 20)).status).toBe(204)
  expect((await old.rpc('parents_below', { id: 3 }).select('name')).data).toEqual([{ name: 'three' }])
  expect((await old.rpc('parents_below', { id: 3 }, { get: true })).data).toHaveLength(1)
  expect((await old.rpc('parents_below', { id: 3 }, { head: true, count: 'exact' })).count).toBe(1)
  expect((await client.from('notes').select()).error?.code).toBe('PGRST205')
  expect((await client.schema('nothing').from('notes').select()).error?.code).toBe('PGRST106')
})

it('a preflight lets browsers name a schema', async () => {
  const preflight = await ask('/rest/v1/parents', {
    method: 'OPTIONS',
    headers: {
      Origin: 'https://app.test',
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'accept-profile,content-profile',
    },
  })
  expect(preflight.headers.get('access-control-allow-headers')).toBe('accept-profile,content-profile')
})
