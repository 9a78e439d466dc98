import { env } from 'cloudflare:workers'
import { and, eq, exists, inArray, sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { SignJWT } from 'jose'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { defineTables, local, type ObjectCondition, reference } from '../../db/define.ts'
import { declareBuckets } from '../../db/system/declare-buckets.ts'
import { createGateway } from '../../functions/gateway.ts'
import { fetchFrom } from '../support/later-work.ts'

/** Folders of groups: who is a member, a table says. */
const { DB, BUCKET } = env as unknown as { DB: D1Database; BUCKET: R2Bucket }
const jwtSecret = 'a-secret-of-groups-with-files-that-is-long-enough'
const members = sqliteTable('members', {
  id: integer('id').primaryKey(),
  groupId: text('group_id').notNull(),
  userId: text('user_id').notNull(),
  mayWrite: integer('may_write', { mode: 'boolean' }).notNull(),
})
/** Named as a listing's own steps are. */
const walk = sqliteTable('walk', { name: text('name').primaryKey() })

const ofMembers: ObjectCondition = ({ caller, object, query }) =>
  inArray(
    object.folder(1),
    query.select({ id: members.groupId }).from(members).where(eq(members.userId, caller.sub)),
  )
const ofWriters: ObjectCondition = ({ caller, object, query }) =>
  exists(
    query
      .select({ one: sql`1` })
      .from(members)
      .where(
        and(
          eq(members.groupId, object.folder(1)),
          eq(members.userId, caller.sub),
          eq(members.mayWrite, true),
        ),
      ),
  )
const ofNamed: ObjectCondition = ({ caller, object, query }) =>
  inArray(
    object.folder(1),
    query.select({ id: members.groupId }).from(members).where(eq(members.userId, caller.claims.as.user)),
  )
const ofWalks: ObjectCondition = ({ object, query }) =>
  inArray(object.folder(1), query.select({ name: walk.name }).from(walk))
const storage = {
  groups: {
    access: {
      authenticated: { select: ofMembers, insert: ofWriters, update: ofWriters, delete: ofWriters },
    },
  },
  named: { access: { authenticated: { select: ofNamed, insert: ofNamed } } },
  walks: { access: { authenticated: { insert: true, select: ofWalks } } },
} as const
const gateway = createGateway({
  tables: defineTables({ members: local(members), walk: reference(walk) }),
  storage,
  config: { cache: false },
})
const bindings = { DB, BUCKET, ATOLL_SECRET_KEY: 'sb_secret_test', ATOLL_JWT_SECRET: jwtSecret }

type Who = 'secret' | { readonly sub: string; readonly as?: unknown }
/** The guest is a member who only reads. */
const [ada, bob, guest] = [{ sub: 'ada' }, { sub: 'bob' }, { sub: 'guest' }]

async function headersOf(who: Who): Promise<Record<string, string>> {
  if (who === 'secret') return { apikey: 'sb_secret_test' }
  const token = await new SignJWT({ role: 'authenticated', ...who })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwtSecret))
  return { Authorization: `Bearer ${token}` }
}

async function ask(
  who: Who,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const json = body !== undefined && typeof body !== 'string'
  const request = new Request(`http://atoll.test/storage/v1${path}`, {
    method,
    headers: {
      'Content-Type': json ? 'application/json' : 'text/plain',
      ...(await headersOf(who)),
      ...headers,
    },
    ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : (body as string) }),
  })
  return fetchFrom(gateway, request, bindings)
}
const status = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).status
const upsert = { 'x-upsert': 'true' }
const tus = { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream' }
const begin = (who: Who, name: string) =>
  ask(who, 'POST', '/upload/resumable', undefined, {
    'Tus-Resumable': '1.0.0',
    'Upload-Length': '3',
    'Upload-Metadata': `bucketName ${btoa('groups')},objectName ${btoa(name)},contentType ${btoa('text/plain')}`,
  })
const names = async (who: Who, bucket = 'groups') => {
  const answer = await ask(who, 'POST', `/object/list-v2/${bucket}`, {})
  const { objects } = await answer.json<{ objects: { key: string }[] }>()
  return objects.map(({ key }) => key)
}

beforeAll(async () => {
  await DB.batch(
    [
      'CREATE TABLE members (id INTEGER PRIMARY KEY, group_id TEXT NOT NULL, user_id TEXT NOT NULL, may_write INTEGER NOT NULL)',
      'CREATE TABLE walk (name TEXT PRIMARY KEY)',
      "INSERT INTO walk VALUES ('hills')",
    ].map((text) => DB.prepare(text)),
  )
})

beforeEach(async () => {
  await DB.batch(
    ['_atoll_objects', '_atoll_uploads', '_atoll_buckets', 'members'].map((table) =>
      DB.prepare(`DELETE FROM ${table}`),
    ),
  )
  await DB.prepare(
    `INSERT INTO members (group_id, user_id, may_write) VALUES ('red', 'ada', 1), ('blue', 'ada', 1), ('red', 'guest', 0), ('blue', 'bob', 1)`,
  ).run()
  await declareBuckets(DB, storage)
  for (const name of ['red/a.txt', 'red/deep/b.txt', 'blue/c.txt']) {
    expect(await status('secret', 'POST', `/object/groups/${name}`, name)).toBe(200)
  }
})

describe('folders of groups', () => {
  it('are there for members', async () => {
    expect(await (await ask(ada, 'GET', '/object/groups/red/a.txt')).text()).toBe('red/a.txt')
    expect(await status(guest, 'GET', '/object/groups/red/deep/b.txt')).toBe(200)
    expect([await names(ada), await names(guest), await names(bob), await names({ sub: 'eve' })]).toEqual([
      ['blue/c.txt', 'red/a.txt', 'red/deep/b.txt'],
      ['red/a.txt', 'red/deep/b.txt'],
      ['blue/c.txt'],
      [],
    ])
    const level = { with_delimiter: true }
    const folders = async (who: Who) =>
      (await (await ask(who, 'POST', '/object/list-v2/groups', level)).json<{ folders: unknown }>()).folders
    expect([await folders(guest), await folders({ sub: 'eve' })]).toEqual([
      [{ name: 'red/', key: 'red' }],
      [],
    ])
    const searched = await ask(bob, 'POST', '/object/list/groups', { prefix: '' })
    expect((await searched.json<{ name: string }[]>()).map(({ name }) => name)).toEqual(['blue'])
  })

  it.each<[what: string, method: string, path: (name: string) => string, body?: (name: string) => unknown]>([
    ['a download', 'GET', (name) => `/object/groups/${name}`],
    ['a look', 'HEAD', (name) => `/object/groups/${name}`],
    ['a download of who has signed in', 'GET', (name) => `/object/authenticated/groups/${name}`],
    ['what is told of it', 'GET', (name) => `/object/info/groups/${name}`],
    ['a signed address', 'POST', (name) => `/object/sign/groups/${name}`, () => ({ expiresIn: 60 })],
    ['a deletion', 'DELETE', (name) => `/object/groups/${name}`],
    [
      'several signed addresses',
      'POST',
      () => '/object/sign/groups',
      (name) => ({ expiresIn: 60, paths: [name] }),
    ],
    [
      'a copy into their own folder',
      'POST',
      () => '/object/copy',
      (name) => ({ bucketId: 'groups', sourceKey: name, destinationKey: 'blue/taken.txt' }),
    ],
    [
      'a move into their own folder',
      'POST',
      () => '/object/move',
      (name) => ({ bucketId: 'groups', sourceKey: name, destinationKey: 'blue/taken.txt' }),
    ],
  ])('give to others what a missing object gives: %s', async (_, method, path, body) => {
    const asked = async (name: string) => {
      const answer = await ask(bob, method, path(name), body?.(name))
      return [answer.status, (await answer.text()).replaceAll(name, 'name')]
    }
    expect(await asked('red/a.txt')).toEqual(await asked('red/z.txt'))
    expect(await names('secret')).toEqual(['blue/c.txt', 'red/a.txt', 'red/deep/b.txt'])
  })

  it('take uploads of their writers alone', async () => {
    expect(await status(ada, 'POST', '/object/groups/red/new.txt', 'new')).toBe(200)
    expect(await status(ada, 'PUT', '/object/groups/red/new.txt', 'newer')).toBe(200)
    for (const who of [bob, guest, { sub: 'eve' }]) {
      // Whether the name is taken or free makes no difference.
      for (const name of ['red/a.txt', 'red/free.txt']) {
        expect(await status(who, 'POST', `/object/groups/${name}`, 'theirs')).toBe(403)
        expect(await status(who, 'POST', `/object/groups/${name}`, 'theirs', upsert)).toBe(403)
        expect(await status(who, 'PUT', `/object/groups/${name}`, 'theirs')).toBe(403)
        expect(await status(who, 'POST', `/object/upload/sign/groups/${name}`)).toBe(403)
        expect((await begin(who, name)).status).toBe(403)
      }
    }
    expect(await status(ada, 'POST', '/object/groups/loose.txt', 'in no folder')).toBe(403)
    expect(await (await ask(ada, 'GET', '/object/groups/red/a.txt')).text()).toBe('red/a.txt')
    expect(await names('secret')).toEqual(['blue/c.txt', 'red/a.txt', 'red/deep/b.txt', 'red/new.txt'])
  })

  it('take what is moved or copied from who writes on both sides', async () => {
    const carry = (who: Who, what: 'copy' | 'move', from: string, to: string) =>
      status(who, 'POST', `/object/${what}`, { bucketId: 'groups', sourceKey: from, destinationKey: to })
    expect(await carry(bob, 'copy', 'blue/c.txt', 'red/c.txt')).toBe(403)
    expect(await carry(bob, 'move', 'blue/c.txt', 'red/c.txt')).toBe(403)
    // She sees it, and may not take it away.
    expect(await carry(guest, 'move', 'red/a.txt', 'red/z.txt')).toBe(404)
    expect(await carry(ada, 'copy', 'blue/c.txt', 'red/c.txt')).toBe(200)
    expect(await carry(ada, 'move', 'red/c.txt', 'blue/d.txt')).toBe(200)
    expect(await names(bob)).toEqual(['blue/c.txt', 'blue/d.txt'])
  })

  it('are closed to a member from the moment they are none', async () => {
    const signed = await (await ask(ada, 'POST', '/object/upload/sign/groups/red/late.txt')).json<{
      token: string
    }>()
    const upload = await begin(ada, 'red/resumed.txt')
    expect(upload.status).toBe(201)
    const path = new URL(upload.headers.get('location') ?? '').pathname.slice('/storage/v1'.length)
    await DB.prepare("DELETE FROM members WHERE user_id = 'ada' AND group_id = 'red'").run()
    expect(await status(ada, 'PATCH', path, 'ada', { ...tus, 'Upload-Offset': '0' })).toBe(403)
    expect(
      await status('secret', 'PUT', `/object/upload/sign/groups/red/late.txt?token=${signed.token}`, 'ada'),
    ).toBe(403)
    expect(await status(ada, 'GET', '/object/groups/red/a.txt')).toBe(404)
    expect(await names(ada)).toEqual(['blue/c.txt'])
  })

  it('take a resumable upload of a member', async () => {
    const upload = await begin(ada, 'red/resumed.txt')
    const path = new URL(upload.headers.get('location') ?? '').pathname.slice('/storage/v1'.length)
    expect(await status(ada, 'PATCH', path, 'ada', { ...tus, 'Upload-Offset': '0' })).toBe(204)
    expect(await (await ask(guest, 'GET', '/object/groups/red/resumed.txt')).text()).toBe('ada')
  })
})

describe('claims in subqueries', () => {
  const hostile = [
    "x' OR '1'='1",
    "') OR 1=1 --",
    '") or 1=1 --',
    "ada'; DELETE FROM members; --",
    '?',
    '?1',
    '\u00010\u0001',
    '\u0001\u0001',
    '%',
    '',
    0,
    1,
    true,
    1e308,
    null,
    ['ada'],
    { $ne: 1 },
  ]
  it.each(hostile)('are values and no SQL: %j', async (value) => {
    await ask('secret', 'POST', '/object/named/red/a.txt', 'red')
    const who = { sub: 'eve', as: { user: value } }
    expect(await names(who, 'named')).toEqual([])
    expect(await status(who, 'GET', '/object/named/red/a.txt')).toBe(404)
    expect(await status(who, 'POST', '/object/named/red/b.txt', 'theirs')).toBe(403)
    expect((await DB.prepare('SELECT count(*) AS n FROM members').first())?.n).toBe(4)
  })

  it.each(hostile.filter((value) => typeof value === 'string'))(
    'name who has just that name: %j',
    async (value) => {
      await DB.prepare("INSERT INTO members (group_id, user_id, may_write) VALUES ('own', ?, 1)")
        .bind(value)
        .run()
      const who = { sub: 'eve', as: { user: value } }
      await ask('secret', 'POST', '/object/named/red/a.txt', 'red')
      expect(await status(who, 'POST', '/object/named/own/a.txt', 'theirs')).toBe(200)
      expect(await names(who, 'named')).toEqual(['own/a.txt'])
    },
  )

  it('that are missing deny, one inside of another as well', async () => {
    await ask('secret', 'POST', '/object/named/red/a.txt', 'red')
    expect(await names({ sub: 'eve', as: {} }, 'named')).toEqual([])
  })
})

it('a table that is named as steps of a listing are is read all the same', async () => {
  for (const name of ['hills/1.txt', 'woods/2.txt']) await ask(ada, 'POST', `/object/walks/${name}`, name)
  const listed = await ask(ada, 'POST', '/object/list-v2/walks', { with_delimiter: true })
  expect(await listed.json()).toMatchObject({ folders: [{ key: 'hills', name: 'hills/' }], objects: [] })
  expect(await names(ada, 'walks')).toEqual(['hills/1.txt'])
})
