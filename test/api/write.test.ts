import { afterEach, describe, expect, it } from 'vitest'
import { call, get, json, publishableKey, rows, secretKey } from '../support/worker-client.ts'

const first = 900_000

/** Everything that these tests write has an id from `first` on. */
afterEach(async () => {
  for (const table of [
    'invoice_items',
    'invoices',
    'playlist_tracks',
    'tracks',
    'albums',
    'genres',
    'artists',
  ]) {
    const column = table === 'playlist_tracks' ? 'track_id' : 'id'
    const response = await send('DELETE', `${table}?${column}=gte.${first}`)
    expect(response.status).toBe(204)
  }
})

function send(
  method: string,
  path: string,
  body?: unknown,
  prefer = '',
  headers: Record<string, string> = {},
) {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return call(`/rest/v1/${path}`, {
    method,
    headers: { ...(prefer ? { Prefer: prefer } : {}), 'Content-Type': 'application/json', ...headers },
    ...(text === undefined ? {} : { body: text }),
  })
}

const show = 'return=representation'
const errorOf = async (response: Response) => {
  const body = await response.json<{ code: string; message: string; details: string }>()
  return { status: response.status, ...body }
}

describe('POST', () => {
  it('says little, the address, or everything, as asked', async () => {
    const little = await send('POST', 'genres', { id: first, name: 'Ska' })
    expect([little.status, await little.text(), little.headers.get('location')]).toEqual([201, '', null])
    const address = await send('POST', 'genres', { id: first + 1, name: 'Dub' }, 'return=headers-only')
    expect(address.headers.get('location')).toBe(`/rest/v1/genres?id=eq.${first + 1}`)
    const all = await send(
      'POST',
      'albums?select=title,artists(name)',
      { id: first, title: 'T', artist_id: 1 },
      `${show},count=exact`,
    )
    expect([all.status, all.headers.get('content-range'), all.headers.get('preference-applied')]).toEqual([
      201,
      '*/1',
      'return=representation, count=exact',
    ])
    expect(await all.json()).toEqual([{ title: 'T', artists: { name: expect.any(String) } }])
  })

  it('numbers rows that bring no id', async () => {
    const [row] = await (await send('POST', 'genres?select=id', { name: 'Numbered' }, show)).json<
      { id: number }[]
    >()
    expect(row?.id).toBeGreaterThan(0)
    expect((await send('DELETE', `genres?id=eq.${row?.id}`)).status).toBe(204)
  })

  it('takes ten thousand rows as one, or none of them', async () => {
    const many = Array.from({ length: 10_000 }, (_, i) => ({ id: first + i, name: `g${i}` }))
    expect((await send('POST', 'genres', many)).status).toBe(201)
    expect(await rows(`SELECT count(*) AS n FROM genres WHERE id >= ${first}`)).toEqual([{ n: 10_000 }])
    expect((await send('DELETE', `genres?id=gte.${first}`)).status).toBe(204)
    const broken = [...many, { id: first, name: 'again' }]
    expect(await errorOf(await send('POST', 'genres', broken))).toMatchObject({ status: 409, code: '23505' })
    expect(await rows(`SELECT count(*) AS n FROM genres WHERE id >= ${first}`)).toEqual([{ n: 0 }])
  })

  it('takes more rows than one parameter holds, still all or none', async () => {
    const long = 'x'.repeat(3000)
    const many = Array.from({ length: 1000 }, (_, i) => ({ id: first + i, name: `${long}${i}` }))
    expect((await send('POST', 'genres', many)).status).toBe(201)
    const broken = many.map((row) => ({ ...row, id: row.id + 1000 })).concat({ id: first, name: 'again' })
    expect((await send('POST', 'genres', broken)).status).toBe(409)
    expect(await rows(`SELECT count(*) AS n FROM genres WHERE id >= ${first}`)).toEqual([{ n: 1000 }])
  })

  it('takes CSV and forms', async () => {
    const csv = `id,name\n${first},"a, ""b"""\n${first + 1},NULL\n`
    expect((await send('POST', 'genres', csv, '', { 'Content-Type': 'text/csv' })).status).toBe(201)
    const form = `id=${first + 2}&name=from+a+form`
    expect(
      (await send('POST', 'genres', form, '', { 'Content-Type': 'application/x-www-form-urlencoded' }))
        .status,
    ).toBe(201)
    expect(await json(`/rest/v1/genres?select=name&id=gte.${first}`)).toEqual([
      { name: 'a, "b"' },
      { name: null },
      { name: 'from a form' },
    ])
  })

  it('keeps every digit of a 64-bit integer', async () => {
    const track = `{"id":${first},"name":"t","media_type_id":1,"milliseconds":9007199254740993,"bytes":9223372036854775807,"unit_price":1}`
    const response = await send('POST', 'tracks?select=milliseconds,bytes', track, show)
    expect(await response.text()).toBe('[{"milliseconds":9007199254740993,"bytes":9223372036854775807}]')
  })

  it('merges, ignores or refuses what is there already', async () => {
    await send('POST', 'genres', { id: first, name: 'old' })
    const both = [
      { id: first, name: 'new' },
      { id: first + 1, name: 'other' },
    ]
    const merged = await send('POST', 'genres', both, `${show},resolution=merge-duplicates`)
    expect([merged.status, await merged.json()]).toEqual([201, both])
    const again = await send('POST', 'genres', both, 'resolution=merge-duplicates')
    expect(again.status).toBe(200)
    const ignored = await send(
      'POST',
      'genres',
      [
        { id: first, name: 'x' },
        { id: first + 2, name: 'y' },
      ],
      `${show},resolution=ignore-duplicates`,
    )
    expect(await ignored.json()).toEqual([{ id: first + 2, name: 'y' }])
    expect(await errorOf(await send('POST', 'genres', { id: first, name: 'x' }))).toMatchObject({
      status: 409,
      message: 'duplicate key value violates unique constraint "genres_pkey"',
      details: `Key (id)=(${first}) already exists.`,
    })
    expect(
      await errorOf(await send('POST', 'genres?on_conflict=name', both, 'resolution=merge-duplicates')),
    ).toMatchObject({ code: '42P10' })
  })
})

describe('PATCH', () => {
  it('changes what the filters choose and shows it in order', async () => {
    await send('POST', 'genres', [
      { id: first, name: 'a' },
      { id: first + 1, name: 'b' },
    ])
    const response = await send(
      'PATCH',
      `genres?id=gte.${first}&order=id.desc&select=id,name`,
      { name: 'c' },
      show,
    )
    expect([response.status, response.headers.get('content-range')]).toEqual([200, '0-1/*'])
    expect(await response.json()).toEqual([
      { id: first + 1, name: 'c' },
      { id: first, name: 'c' },
    ])
  })

  it('and DELETE stop at a limit', async () => {
    await send(
      'POST',
      'genres',
      [0, 1, 2, 3].map((i) => ({ id: first + i, name: 'a' })),
    )
    await send('PATCH', `genres?id=gte.${first}&order=id.desc&limit=2`, { name: 'last' })
    expect(await json(`/rest/v1/genres?select=id&name=eq.last&order=id`)).toEqual([
      { id: first + 2 },
      { id: first + 3 },
    ])
    const gone = await send(
      'DELETE',
      `genres?id=gte.${first}&order=id&limit=1&offset=1&select=id`,
      undefined,
      show,
    )
    expect(await gone.json()).toEqual([{ id: first + 1 }])
    expect(await errorOf(await send('DELETE', `genres?id=gte.${first}&limit=1`))).toMatchObject({
      status: 400,
      code: 'PGRST109',
    })
  })

  it('is undone when it goes too far', async () => {
    await send(
      'POST',
      'genres',
      [0, 1, 2].map((i) => ({ id: first + i, name: 'a' })),
    )
    const far = await send('PATCH', `genres?id=gte.${first}`, { name: 'z' }, 'handling=strict,max-affected=2')
    expect(await errorOf(far)).toMatchObject({
      status: 400,
      code: 'PGRST124',
      details: 'The query affects 3 rows',
    })
    const many = await send('PATCH', `genres?id=gte.${first}`, { name: 'z' }, show, {
      Accept: 'application/vnd.pgrst.object+json',
    })
    expect(await errorOf(many)).toMatchObject({ status: 406, code: 'PGRST116' })
    expect(await json(`/rest/v1/genres?name=eq.z`)).toEqual([])
  })
})

describe('PUT', () => {
  it('makes or replaces the row that its address names', async () => {
    const path = `genres?id=eq.${first}`
    expect((await send('PUT', path, { id: first, name: 'a' })).status).toBe(201)
    expect((await send('PUT', path, { id: first, name: 'b' })).status).toBe(204)
    expect(await errorOf(await send('PUT', path, { id: first + 1, name: 'b' }))).toMatchObject({
      status: 400,
      code: 'PGRST115',
    })
    expect(await errorOf(await send('PUT', 'genres?name=eq.a', { id: first }))).toMatchObject({
      status: 405,
      code: 'PGRST105',
    })
  })
})

describe('Prefer: tx=rollback', () => {
  it('shows what would be and leaves what is', async () => {
    await send('POST', 'artists', { id: first, name: 'A' })
    const undo = `${show},tx=rollback`
    const added = await send(
      'POST',
      'albums?select=title,artists(name)',
      { title: 'it\'s; "new"', artist_id: first },
      undo,
    )
    expect([added.status, await added.json()]).toEqual([
      201,
      [{ title: 'it\'s; "new"', artists: { name: 'A' } }],
    ])
    const changed = await send('PATCH', `artists?id=eq.${first}`, { name: 'B' }, undo)
    expect(await changed.json()).toEqual([{ id: first, name: 'B' }])
    const merged = await send(
      'POST',
      'artists',
      [
        { id: first, name: 'C' },
        { id: first + 1, name: 'D' },
      ],
      `${undo},resolution=merge-duplicates`,
    )
    expect([merged.status, await merged.json()]).toEqual([
      201,
      [
        { id: first, name: 'C' },
        { id: first + 1, name: 'D' },
      ],
    ])
    const gone = await send('DELETE', `artists?id=eq.${first}`, undefined, undo)
    expect([gone.status, await gone.json()]).toEqual([200, [{ id: first, name: 'A' }]])
    expect(await json(`/rest/v1/artists?id=gte.${first}`)).toEqual([{ id: first, name: 'A' }])
    expect(
      await rows("SELECT name FROM sqlite_schema WHERE name LIKE '_atoll_dry_%' AND type = 'trigger'"),
    ).toEqual([])
  })
})

describe('what the schema forbids', () => {
  it.each([
    [
      'POST',
      'albums',
      { title: null, artist_id: 1 },
      400,
      '23502',
      'null value in column "title" of relation "albums" violates not-null constraint',
    ],
    [
      'POST',
      'albums',
      { title: 'x', artist_id: 9_999_999 },
      409,
      '23503',
      'insert or update on table "albums" violates foreign key constraint "albums_artist_id_fkey"',
    ],
    [
      'PATCH',
      'albums?id=eq.1',
      { artist_id: 9_999_999 },
      409,
      '23503',
      'insert or update on table "albums" violates foreign key constraint "albums_artist_id_fkey"',
    ],
    [
      'DELETE',
      'artists?id=lt.10',
      undefined,
      409,
      '23503',
      'update or delete on table "artists" violates foreign key constraint "albums_artist_id_fkey" on table "albums"',
    ],
    [
      'POST',
      'albums',
      { title: 'x', artist_id: 'abc' },
      400,
      '22P02',
      'invalid input syntax for type integer: "abc"',
    ],
    [
      'POST',
      'albums',
      { title: 'x', artist: 1 },
      400,
      'PGRST204',
      "Could not find the 'artist' column of 'albums' in the schema cache",
    ],
    ['POST', 'albums', [{ title: 'x' }, { artist_id: 1 }], 400, 'PGRST102', 'All object keys must match'],
    ['POST', 'albums', '{', 400, 'PGRST102', 'Empty or invalid json'],
    [
      'POST',
      'tracks',
      { minutes: 1 },
      400,
      '428C9',
      'cannot insert a non-DEFAULT value into column "minutes"',
    ],
    ['POST', 'albums', 'a,"b', 400, 'PGRST102', 'Empty or invalid json'],
  ] as const)('%s %s %j', async (method, path, body, status, code, message) => {
    expect(await errorOf(await send(method, path, body))).toMatchObject({ status, code, message })
  })

  it('names the value that has no parent, among many', async () => {
    const many = Array.from({ length: 50 }, (_, i) => ({
      id: first + i,
      title: 'x',
      artist_id: i === 33 ? 8_888_888 : 1,
    }))
    expect(await errorOf(await send('POST', 'albums', many))).toMatchObject({
      details: 'Key (artist_id)=(8888888) is not present in table "artists".',
    })
  })

  it('refuses a body over the limit before reading it whole', async () => {
    const response = await send('POST', 'genres', `[${' '.repeat(10_000_001)}]`)
    expect(await errorOf(response)).toMatchObject({ status: 413, code: 'PGRST102' })
  })

  it('refuses types of content that are none of its own', async () => {
    expect((await send('POST', 'genres', '<a/>', '', { 'Content-Type': 'text/xml' })).status).toBe(415)
  })

  it('lets nobody write who may only read', async () => {
    const response = await call('/rest/v1/genres', { method: 'POST', body: 'unread' }, publishableKey)
    expect(await errorOf(response)).toMatchObject({ status: 401, code: '42501' })
    expect((await call('/rest/v1/genres?id=eq.1', { method: 'DELETE' }, publishableKey)).status).toBe(401)
  })
})

describe('search', () => {
  it('follows the rows as they are written', async () => {
    const find = (words: string) => json(`/rest/v1/tracks?select=id&name=plfts.${words}`)
    const track = { id: first, name: 'Zanzibarian nights', media_type_id: 1, milliseconds: 1, unit_price: 1 }
    await send('POST', 'tracks', track)
    expect(await find('zanzibarian')).toEqual([{ id: first }])
    await send('PATCH', `tracks?id=eq.${first}`, { name: 'Quixotical days' })
    expect(await find('zanzibarian')).toEqual([])
    expect(await find('quixotical%20day')).toEqual([{ id: first }])
    await send('DELETE', `tracks?id=eq.${first}`)
    expect(await find('quixotical')).toEqual([])
  })
})

describe('functions and routes', () => {
  it('answer values, and rows that can be shaped like a table', async () => {
    expect(await json('/rest/v1/rpc/playing_time?playlist_id=3')).toEqual(expect.any(Number))
    const best = await get(
      '/rest/v1/rpc/best_sellers?count=20&select=name,albums(title)&order=name&limit=5&unit_price=lt.1',
      { Prefer: 'count=exact' },
    )
    const names = (await best.json<{ name: string; albums: { title: string } }[]>()).map((row) => row.name)
    expect(names).toEqual([...names].sort())
    expect(best.headers.get('content-range')).toMatch(/^0-4\/\d+$/)
    const posted = await call('/rest/v1/rpc/best_sellers?select=id', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"count":2}',
    })
    expect(await posted.json()).toHaveLength(2)
  })

  it('refuse what is not theirs', async () => {
    const missing = await errorOf(await get('/rest/v1/rpc/best_seller'))
    expect(missing).toMatchObject({
      status: 404,
      code: 'PGRST202',
      hint: 'Perhaps you meant to call the function public.best_sellers',
    })
    expect((await get('/rest/v1/rpc/playing_time')).status).toBe(404)
    expect((await get('/rest/v1/rpc/playing_time?playlist_id=x')).status).toBe(400)
    expect((await call('/rest/v1/rpc/playing_time', { method: 'DELETE' })).status).toBe(405)
  })

  it('serve plain handlers with the caller and the database', async () => {
    const response = await call('/functions/v1/label', { method: 'POST', body: '{"album_id":1}' }, secretKey)
    expect(await response.json()).toEqual({ label: expect.stringContaining(': '), for: 'service_role' })
    expect((await call('/functions/v1/label', { method: 'POST', body: '{"album_id":0}' })).status).toBe(404)
  })
})
