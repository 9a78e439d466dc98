import { createClient } from '@supabase/supabase-js'
import { SignJWT } from 'jose'
import { createClient as createOlderClient } from 'supabase-js-2.39'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../support/database.ts'
import { publishableKey, secretKey, startTestServer, type TestServer } from '../support/local-server.ts'

const jwtSecret = 'a-secret-of-the-tests-that-is-long-enough'
const first = 900_000

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ variables: { ATOLL_JWT_SECRET: jwtSecret } })
})
afterAll(() => server.stop())

const signed = (claims: Record<string, unknown>) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwtSecret))

/** A client whose user has signed in. */
const signedIn = (token: string) =>
  createClient<Database>(server.address, publishableKey, { accessToken: async () => token })

describe('an anonymous key, users and the secret key side by side', () => {
  it('see the same store each in their own way', async () => {
    const customer = signedIn(await signed({ role: 'authenticated', sub: '7' }))
    const support = signedIn(await signed({ role: 'support', sub: '5' }))
    const all = (await client(secretKey).from('invoices').select('id, customer_id').order('id')).data ?? []
    const reps = (await client(secretKey).from('customers').select('id, support_rep_id')).data ?? []
    const theirs = new Set(reps.filter((row) => row.support_rep_id === 5).map((row) => row.id))
    expect([all.length, theirs.size]).toEqual([420, 12])

    const anonymous = await client(publishableKey).from('invoices').select('id')
    expect([anonymous.status, anonymous.error?.code]).toEqual([401, '42501'])
    const own = await customer.from('invoices').select('id, customer_id', { count: 'exact' }).order('id')
    expect(own.data).toEqual(all.filter((row) => row.customer_id === 7))
    expect(own.count).toBe(own.data?.length)
    const handled = await support.from('invoices').select('id, customer_id').order('id')
    expect(handled.data).toEqual(all.filter((row) => theirs.has(row.customer_id)))
    expect((await support.from('customers').select('id').order('id')).data?.map(({ id }) => id)).toEqual(
      [...theirs].sort((a, b) => a - b),
    )

    const whole = await customer
      .from('invoices')
      .select('id, customers(id, employees(last_name)), invoice_items(quantity, tracks(name))')
      .limit(1)
    expect(whole.error).toBeNull()
    expect(whole.data?.[0]).toMatchObject({
      customers: { id: 7, employees: { last_name: expect.any(String) } },
    })
    expect((await customer.from('customers').select('id, employees(birth_date)')).error?.code).toBe('42703')
  })

  it('change what they may, and nothing else', async () => {
    const customer = signedIn(await signed({ role: 'authenticated', sub: '7' }))
    const changed = await customer.from('customers').update({ city: 'Bergen' }).eq('id', 7).select('id, city')
    expect(changed.data).toEqual([{ id: 7, city: 'Bergen' }])
    expect((await customer.from('customers').update({ city: 'Bergen' }).eq('id', 8).select()).data).toEqual(
      [],
    )
    const moved = await customer.from('customers').update({ support_rep_id: 1 }).eq('id', 7)
    expect([moved.status, moved.error?.code]).toEqual([403, '42501'])
    expect((await customer.from('invoices').delete().eq('customer_id', 7)).status).toBe(403)
    expect((await customer.from('genres').insert({ name: 'x' })).status).toBe(403)
  })

  it('are told plainly when a token has expired', async () => {
    const late = await new SignJWT({ role: 'authenticated', sub: '7', exp: 1_600_000_000 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(jwtSecret))
    const { status, error } = await signedIn(late).from('invoices').select()
    expect([status, error?.code, error?.message]).toEqual([401, 'PGRST303', 'JWT expired'])
  })
})

const client = (key = secretKey, headers: Record<string, string> = {}) =>
  createClient<Database>(server.address, key, { auth: { persistSession: false }, global: { headers } })

const tracks = () => client().from('tracks').select('id').order('id')
type Tracks = ReturnType<typeof tracks>

/** Every filter and modifier of the query builder, with the ids of the tracks that it must find. */
const reads: readonly [
  name: string,
  query: (tracks: Tracks) => PromiseLike<{ readonly data: unknown; readonly error: unknown }>,
  where: string,
][] = [
  ['eq', (q) => q.eq('id', 7), 'id = 7'],
  ['neq', (q) => q.neq('id', 7).lt('id', 9), 'id <> 7 AND id < 9'],
  ['gt, gte, lt, lte', (q) => q.gt('id', 3).gte('id', 4).lt('id', 9).lte('id', 8), 'id BETWEEN 4 AND 8'],
  ['like', (q) => q.like('name', 'Silver%'), "name GLOB 'Silver*'"],
  ['ilike', (q) => q.ilike('name', 'silver%TIDE'), "name LIKE 'silver%tide'"],
  ['likeAllOf', (q) => q.likeAllOf('name', ['Silver%', '%Tide']), "name GLOB 'Silver*Tide'"],
  [
    'likeAnyOf',
    (q) => q.likeAnyOf('name', ['Silver & T%', '%& Tide']),
    "name GLOB 'Silver & T*' OR name GLOB '*& Tide'",
  ],
  ['ilikeAllOf', (q) => q.ilikeAllOf('name', ['silver%', '%tide']), "name LIKE 'silver%tide'"],
  [
    'ilikeAnyOf',
    (q) => q.ilikeAnyOf('name', ['silver & t%', '%tide']),
    "name LIKE 'silver & t%' OR name LIKE '%tide'",
  ],
  ['regexMatch', (q) => q.regexMatch('name', '^Salt.*s$'), "name GLOB 'Salt*s'"],
  ['regexIMatch', (q) => q.regexIMatch('name', '^salt'), "name LIKE 'salt%'"],
  ['is', (q) => q.is('album_id', null), 'album_id IS NULL'],
  ['isDistinct', (q) => q.isDistinct('genre_id', 3).lt('id', 30), 'genre_id IS NOT 3 AND id < 30'],
  ['in', (q) => q.in('id', [1, 5, 9]), 'id IN (1,5,9)'],
  ['notIn', (q) => q.notIn('id', [1, 2]).lt('id', 5), 'id IN (3,4)'],
  ['match', (q) => q.match({ id: 3, media_type_id: 2 }), 'id = 3 AND media_type_id = 2'],
  ['not', (q) => q.not('id', 'gt', 3), 'id <= 3'],
  ['or', (q) => q.or('id.eq.1,and(id.gt.3,id.lt.6)'), 'id IN (1,4,5)'],
  ['filter', (q) => q.filter('id', 'in', '(2,4)'), 'id IN (2,4)'],
  [
    'textSearch',
    (q) => q.textSearch('name', 'salt & wolves'),
    "name LIKE '%salt%wol%' OR name LIKE '%wol%salt%'",
  ],
  [
    'textSearch plain',
    (q) => q.textSearch('name', 'salt wolves', { type: 'plain' }),
    "name LIKE '%salt%wol%' OR name LIKE '%wol%salt%'",
  ],
  [
    'textSearch phrase',
    (q) => q.textSearch('name', 'salt wolves', { type: 'phrase' }),
    "name LIKE '%salt & wol%'",
  ],
  [
    'textSearch websearch',
    (q) => q.textSearch('name', 'salt -wolves', { type: 'websearch' }),
    "name LIKE '%salt%' AND name NOT LIKE '%wol%'",
  ],
  ['range', (q) => q.range(10, 12), 'id BETWEEN 11 AND 13'],
]

describe('reading with supabase-js', () => {
  it.each(reads)('%s', async (_, query, where) => {
    const { data, error } = await query(tracks())
    expect(error).toBeNull()
    const database = await server.database('DB')
    await database.prepare('UPDATE tracks SET album_id = NULL WHERE id IN (11, 12)').run()
    const { results } = await database.prepare(`SELECT id FROM tracks WHERE ${where} ORDER BY id`).all()
    expect(results.length).toBeGreaterThan(0)
    expect(results.length).toBeLessThan(1000)
    expect(data).toEqual(results)
  })

  it('select with embedded resources, spreads and aggregates', async () => {
    const { data, error } = await client(publishableKey)
      .from('albums')
      .select('title, artists(name), tracks(count)')
      .order('id')
      .limit(3)
    expect(error).toBeNull()
    expect(data?.[0]).toEqual({
      title: expect.any(String),
      artists: { name: expect.any(String) },
      tracks: [{ count: expect.any(Number) }],
    })
    const spread = await client().from('albums').select('title, ...artists(artist:name)').limit(1)
    expect(spread.data?.[0]).toEqual({ title: expect.any(String), artist: expect.any(String) })
  })

  it('order, limit and filters of embedded resources', async () => {
    const { data } = await client()
      .from('artists')
      .select('id, albums!inner(id, title)')
      .gt('albums.id', 10)
      .order('id', { referencedTable: 'albums', ascending: false })
      .limit(1, { referencedTable: 'albums' })
      .limit(1)
    expect(data?.[0]?.albums).toHaveLength(1)
    const sorted = await client()
      .from('tracks')
      .select('id, genres(name)')
      .order('genres(name)', { ascending: false })
      .order('id')
      .limit(1)
    expect(sorted.data?.[0]).toMatchObject({ genres: { name: 'Soundtrack' } })
  })

  it('count, head, single, maybeSingle, csv', async () => {
    const counted = await client().from('tracks').select('id', { count: 'exact' }).range(10, 19)
    expect([counted.count, counted.data?.length]).toEqual([2400, 10])
    const head = await client().from('tracks').select('*', { count: 'exact', head: true })
    expect([head.count, head.data]).toEqual([2400, null])
    expect((await client().from('genres').select().eq('id', 3).single()).data).toEqual({
      id: 3,
      name: 'Metal',
    })
    expect((await client().from('genres').select().single()).error?.code).toBe('PGRST116')
    expect((await client().from('genres').select().eq('id', 0).maybeSingle()).data).toBeNull()
    const stripped = await client().from('employees').select('id, reports_to').eq('id', 1).stripNulls()
    expect(stripped.data).toEqual([{ id: 1 }])
    await expect(client().from('genres').select('nope').throwOnError()).rejects.toThrow('does not exist')
    expect((await client().from('genres').select().lte('id', 2).csv()).data).toBe('id,name\n1,Rock\n2,Jazz')
  })
})

describe('writing with supabase-js', () => {
  it('insert, upsert, update, delete', async () => {
    const genres = () => client().from('genres')
    const inserted = await genres()
      .insert([
        { id: first, name: 'a' },
        { id: first + 1, name: 'b' },
      ])
      .select()
    expect([inserted.status, inserted.data?.length]).toEqual([201, 2])
    expect((await genres().insert({ id: first }, { count: 'exact' })).error).toMatchObject({ code: '23505' })
    const merged = await genres()
      .upsert([
        { id: first, name: 'c' },
        { id: first + 2, name: 'd' },
      ])
      .select('name')
    expect(merged.data).toEqual([{ name: 'c' }, { name: 'd' }])
    const ignored = await genres()
      .upsert({ id: first, name: 'x' }, { onConflict: 'id', ignoreDuplicates: true })
      .select()
    expect(ignored.data).toEqual([])
    const updated = await genres()
      .update({ name: 'e' }, { count: 'exact' })
      .gte('id', first)
      .select('id')
      .order('id', { ascending: false })
    expect([updated.count, updated.data?.[0]]).toEqual([3, { id: first + 2 }])
    const kept = await genres().update({ name: 'f' }).eq('id', first).select().single()
    expect(kept.data).toEqual({ id: first, name: 'f' })
    const undone = await genres().delete().gte('id', first).select('id').rollback()
    expect(undone.data).toHaveLength(3)
    const many = await genres().delete().gte('id', first).maxAffected(2)
    expect(many.error?.code).toBe('PGRST124')
    const gone = await genres().delete({ count: 'exact' }).gte('id', first)
    expect([gone.status, gone.count]).toEqual([204, 3])
  })
})

describe('functions with supabase-js', () => {
  it('rpc with POST, GET and filters; invoke', async () => {
    expect((await client().rpc('playing_time', { playlist_id: 3 })).data).toEqual(expect.any(Number))
    expect((await client().rpc('playing_time', { playlist_id: 3 }, { get: true })).data).toEqual(
      expect.any(Number),
    )
    const best = await client()
      .rpc('best_sellers', { count: 20 })
      .select('id, albums(title)')
      .order('id')
      .limit(2)
    expect(best.data).toHaveLength(2)
    expect((await client().rpc('nothing_like_it' as 'playing_time', { playlist_id: 1 })).error?.code).toBe(
      'PGRST202',
    )
    const { data } = await client(publishableKey).functions.invoke('label', { body: { album_id: 1 } })
    expect(data).toEqual({ label: expect.any(String), store: expect.any(String), for: 'anon' })
  })
})

describe('the types that `npm run types` writes', () => {
  it('know computed columns, and what functions answer as tables', async () => {
    const { data } = await client().from('tracks').select('name, minutes').eq('id', 1).single()
    const minutes: number | null | undefined = data?.minutes
    expect(minutes).toBeGreaterThan(0)
    const sold = await client()
      .rpc('best_sellers', { count: 2 })
      .select('id, albums(title)')
      .gt('id', 0)
      .order('id')
    const titles: (string | undefined)[] = (sold.data ?? []).map(({ albums }) => albums?.title)
    expect(titles).toHaveLength(2)
  })

  it('know relations that are declared, to one row and to many', async () => {
    const { data } = await client()
      .from('albums')
      .select('id, longest_track(name, milliseconds, same_length(id))')
      .lt('id', 4)
      .order('id')
    const longest: (number | undefined)[] = (data ?? []).map((album) => album.longest_track?.milliseconds)
    const others: number[] = (data ?? []).flatMap((album) =>
      (album.longest_track?.same_length ?? []).map(({ id }) => id),
    )
    expect(others.every(Number.isInteger)).toBe(true)
    const { data: tracks } = await client().from('tracks').select('album_id, milliseconds').lt('album_id', 4)
    const most = (album: number) =>
      Math.max(
        ...(tracks ?? []).filter((track) => track.album_id === album).map((track) => track.milliseconds),
      )
    expect(longest).toEqual([1, 2, 3].map(most))
  })
})

describe('schemas with supabase-js', () => {
  it('have tables and functions of their own, of types of their own', async () => {
    const support = signedIn(await signed({ role: 'support', sub: '5' }))
    const office = support.schema('office')
    const sales = await office.from('artists').select('artist_id, units').order('units').limit(3)
    const units: number[] = (sales.data ?? []).map((row) => row.units)
    expect([sales.error, units.length]).toEqual([null, 3])
    // The same name, another table.
    const names: (string | null)[] = ((await support.from('artists').select('name').limit(2)).data ?? []).map(
      ({ name }) => name,
    )
    expect(names).toHaveLength(2)
    const most = await office.rpc('sold_most', { count: 5 }).gt('units', 0).order('artist_id').limit(2)
    const cents: number | undefined = most.data?.[0]?.cents
    expect([most.error, typeof cents]).toEqual([null, 'number'])
    expect((await office.rpc('sold_most', { count: 1 }, { get: true })).data).toHaveLength(1)
    const led = await client()
      .schema('office')
      .from('employees')
      .select('id, reports_to(last_name)')
      .eq('id', 5)
    expect(led.data).toEqual([{ id: 5, reports_to: { last_name: expect.any(String) } }])

    // By no way from one to the other, and for nobody who may not.
    const embedded = await office.from('artists').select('artist_id, name:artist_id(name)' as 'artist_id')
    expect(embedded.error?.code).toBe('PGRST200')
    expect((await support.from('sold_most' as 'artists').select()).error?.code).toBe('PGRST205')
    expect((await support.rpc('sold_most' as 'best_sellers')).error?.code).toBe('PGRST202')
    const unknown = await support
      .schema('cellar' as 'office')
      .from('artists')
      .select()
    expect([unknown.status, unknown.error?.code]).toEqual([406, 'PGRST106'])
    const anonymous = client(publishableKey).schema('office')
    expect((await anonymous.from('artists').select()).error?.code).toBe('42501')
    expect((await anonymous.rpc('sold_most')).error?.code).toBe('42501')
  })

  it('are written by whoever may', async () => {
    const office = client().schema('office')
    const { data: row } = await office.from('artists').select().limit(1).single()
    const artist = row?.artist_id ?? 0
    const changed = await office.from('artists').update({ cents: 1 }).eq('artist_id', artist).select('cents')
    expect(changed.data).toEqual([{ cents: 1 }])
    expect(
      (
        await office
          .from('artists')
          .upsert({ ...row, units: 1, cents: 2 })
          .select('cents')
      ).data,
    ).toEqual([{ cents: 2 }])
  })
})

describe('callers with supabase-js', () => {
  it('are told what is wrong', async () => {
    const { data, error, status } = await client(publishableKey).from('invoices').select()
    expect([data, error?.code, status]).toEqual([null, '42501', 401])
  })

  it('sign in with tokens of the project', async () => {
    const token = (role: string, secret = jwtSecret) =>
      new SignJWT({ role, sub: '1' })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime('1h')
        .sign(new TextEncoder().encode(secret))
    const as = async (role: string, secret?: string) =>
      client(publishableKey, { Authorization: `Bearer ${await token(role, secret)}` })
        .from('invoices')
        .select('id')
        .limit(1)
    expect((await as('service_role')).data).toHaveLength(1)
    expect(await as('somebody')).toMatchObject({ status: 401, error: { code: '22023' } })
    expect(await as('service_role', 'another-secret-that-is-long-enough')).toMatchObject({
      status: 401,
      error: { code: 'PGRST301' },
    })
  })
})

/** Apps keep their clients for years. */
describe('a client of two years ago', () => {
  const older = () => createOlderClient(server.address, secretKey, { auth: { persistSession: false } })

  it('reads, writes, calls and is told of errors as it knows them', async () => {
    const asked = ['title, artists(name)', { count: 'exact' }] as const
    const old = await older()
      .from('albums')
      .select(...asked)
      .order('id')
      .limit(3)
    const now = await client()
      .from('albums')
      .select(...asked)
      .order('id')
      .limit(3)
    expect([old.data, old.count]).toEqual([now.data, now.count])
    expect(old.data).toHaveLength(3)
    const row = { id: first + 90, name: 'Older' }
    expect((await older().from('genres').insert(row).select().single()).data).toEqual(row)
    expect(
      (
        await older()
          .from('genres')
          .upsert({ ...row, name: 'Changed' })
          .select()
      ).data,
    ).toEqual([{ ...row, name: 'Changed' }])
    expect((await older().from('genres').insert(row)).error?.code).toBe('23505')
    expect((await older().from('genres').delete().eq('id', row.id)).error).toBeNull()
    expect((await older().rpc('best_sellers', { count: 2 }).select('id')).data).toHaveLength(2)
    expect((await older().schema('office').from('artists').select('units').limit(2)).data).toHaveLength(2)
    expect(
      (await older().from('tracks').select('id').textSearch('name', 'salt', { type: 'websearch' })).data,
    ).toEqual(
      (await client().from('tracks').select('id').textSearch('name', 'salt', { type: 'websearch' })).data,
    )
  })

  it('keeps files', async () => {
    expect((await older().storage.createBucket('older')).error).toBeNull()
    const files = older().storage.from('older')
    expect((await files.upload('old/a.txt', 'text', { contentType: 'text/plain' })).data?.path).toBe(
      'old/a.txt',
    )
    expect((await files.upload('old/a.txt', 'other')).error).toMatchObject({
      error: 'Duplicate',
      statusCode: '409',
    })
    expect(await (await files.download('old/a.txt')).data?.text()).toBe('text')
    expect((await files.list('old')).data).toMatchObject([{ name: 'a.txt' }])
    expect((await files.move('old/a.txt', 'old/b.txt')).error).toBeNull()
    const signed = await files.createSignedUrl('old/b.txt', 60)
    expect(await (await fetch(signed.data?.signedUrl ?? '')).text()).toBe('text')
    expect((await files.remove(['old/b.txt'])).data).toHaveLength(1)
  })
})
