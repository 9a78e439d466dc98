import { describe, expect, it } from 'vitest'
import { get, json, publishableKey, rows } from '../support/worker-client.ts'

describe('rows of a table', () => {
  it('come as JSON with a range, in the order of insertion', async () => {
    const response = await get('/rest/v1/genres?select=id,name&limit=2')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(response.headers.get('content-range')).toBe('0-1/*')
    expect(await response.json()).toEqual([
      { id: 1, name: 'Rock' },
      { id: 2, name: 'Jazz' },
    ])
  })

  it('are what the database holds, column by column', async () => {
    const expected = await rows('SELECT * FROM tracks ORDER BY id LIMIT 200')
    expect(await json('/rest/v1/tracks?limit=200')).toEqual(expected)
  })

  it.each([
    ['id=eq.7', 'id = 7'],
    ['id=neq.7&id=lt.10', 'id <> 7 AND id < 10'],
    ['id=gte.10&id=lte.12', 'id BETWEEN 10 AND 12'],
    ['id=gt.2390', 'id > 2390'],
    ['id=in.(1,5,9,99999)', 'id IN (1,5,9)'],
    ['id=not.in.(1,2)&id=lt.5', 'id IN (3,4)'],
    ['name=like.Silver*', "name GLOB 'Silver*'"],
    ['name=like.silver*', '0'],
    ['name=ilike.silver*tide', "name LIKE 'silver%tide'"],
    ['name=like.*%20%26%20Tide', "name LIKE '% & Tide'"],
    ['genre_id=isdistinct.3&id=lt.30', 'genre_id IS NOT 3 AND id < 30'],
    ['album_id=is.null', 'album_id IS NULL'],
    ['album_id=not.is.null&id=lt.4', 'id < 4'],
    ['or=(id.eq.1,id.eq.3)', 'id IN (1,3)'],
    ['not.or=(id.gt.3,id.eq.1)', 'id IN (2,3)'],
    [
      'and=(id.lt.20,or(genre_id.eq.1,not.and(genre_id.neq.2,unit_price.gt.1)))',
      'id < 20 AND (genre_id = 1 OR NOT (genre_id <> 2 AND unit_price > 1))',
    ],
    ['unit_price=eq.0.99&id=lt.9', 'unit_price = 0.99 AND id < 9'],
  ])('are those that %s asks for', async (filter, where) => {
    const expected = await rows(`SELECT id FROM tracks WHERE ${where} ORDER BY id`)
    expect(await json(`/rest/v1/tracks?select=id&order=id&${filter}`)).toEqual(expected)
  })

  it('come in the order asked for, nulls where PostgreSQL puts them', async () => {
    const boss = async (order: string) =>
      (
        await json<{ reports_to: number | null }[]>(`/rest/v1/employees?select=reports_to&order=${order}`)
      ).map((row) => row.reports_to)
    expect((await boss('reports_to')).at(-1)).toBeNull()
    expect((await boss('reports_to.desc'))[0]).toBeNull()
    expect((await boss('reports_to.nullsfirst'))[0]).toBeNull()
    expect((await boss('reports_to.desc.nullslast')).at(-1)).toBeNull()
    const expected = await rows('SELECT id FROM tracks ORDER BY genre_id DESC, name, id LIMIT 50')
    expect(await json('/rest/v1/tracks?select=id&order=genre_id.desc,name,id&limit=50')).toEqual(expected)
  })

  it('are renamed and cast', async () => {
    expect(await json('/rest/v1/genres?select=key:id::text,name&limit=1')).toEqual([
      { key: '1', name: 'Rock' },
    ])
  })

  it('are compared with every digit of a 64-bit integer', async () => {
    const response = await get('/rest/v1/tracks?select=bytes&id=eq.1&bytes=lt.9223372036854775807')
    expect(response.status).toBe(200)
    const refused = await get('/rest/v1/tracks?bytes=lt.9223372036854775808')
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([400, '22003'])
  })

  it('find ten thousand values in one list', async () => {
    const list = Array.from({ length: 10_000 }, (_, i) => i + 1).join(',')
    const found = await json<unknown[]>(`/rest/v1/tracks?select=id&id=in.(${list})&limit=5000&order=id.desc`)
    expect(found).toHaveLength(1000)
  })

  it('are no more than the configured thousand at once', async () => {
    expect(await json<unknown[]>('/rest/v1/tracks?select=id')).toHaveLength(1000)
    expect(await json<unknown[]>('/rest/v1/tracks?select=id&limit=1500')).toHaveLength(1000)
    expect(await json<unknown[]>('/rest/v1/tracks?select=id&offset=2390')).toHaveLength(10)
  })
})

describe('embedding', () => {
  it('goes to one, to many, through join tables and to the table itself, to any depth', async () => {
    const [artist] = await json<Record<string, unknown>[]>(
      '/rest/v1/artists?id=eq.3&select=name,albums(title,tracks(name,genres(name),playlists(name)))&albums.tracks.order=name',
    )
    const albums = await rows<{ id: number; title: string }>(
      'SELECT id, title FROM albums WHERE artist_id = 3',
    )
    const expected = []
    for (const album of albums) {
      const tracks = await rows<{ id: number; name: string; genre: string }>(
        `SELECT t.id, t.name, g.name AS genre FROM tracks t JOIN genres g ON g.id = t.genre_id WHERE album_id = ${album.id} ORDER BY t.name`,
      )
      const shown = []
      for (const track of tracks) {
        const playlists = await rows(
          `SELECT p.name FROM playlist_tracks JOIN playlists p ON p.id = playlist_id WHERE track_id = ${track.id} ORDER BY p.id`,
        )
        shown.push({ name: track.name, genres: { name: track.genre }, playlists })
      }
      expected.push({ title: album.title, tracks: shown })
    }
    expect(expected.length).toBeGreaterThan(0)
    expect(artist).toEqual({ name: expect.any(String), albums: expected })
  })

  it('finds the boss by column and the team by table', async () => {
    const [lead] = await json<{ boss: { id: number }; employees: { id: number }[] }[]>(
      '/rest/v1/employees?id=eq.2&select=boss:reports_to(id),employees(id)&employees.order=id',
    )
    expect(lead).toEqual({ boss: { id: 1 }, employees: [{ id: 4 }, { id: 6 }, { id: 8 }] })
  })

  it('is null where nothing is there, and an empty list', async () => {
    expect(await json('/rest/v1/employees?id=eq.1&select=boss:reports_to(id)')).toEqual([{ boss: null }])
    expect(await json('/rest/v1/employees?id=eq.8&select=employees(id)')).toEqual([{ employees: [] }])
  })

  it('of wide tables loses no column', async () => {
    const [expected] = await rows('SELECT * FROM customers ORDER BY id LIMIT 1')
    const [customer] = await json<{ customers: object }[]>(
      `/rest/v1/invoices?customer_id=eq.${expected?.id}&limit=1&select=customers(*,invoices(id),employees(*))`,
    )
    expect(customer?.customers).toMatchObject(expected as object)
    expect(Object.keys(customer?.customers ?? {})).toHaveLength(15)
  })

  it('is refused where there is no relation', async () => {
    const none = await get('/rest/v1/genres?select=artists(*)')
    expect([none.status, ((await none.json()) as { code: string }).code]).toEqual([400, 'PGRST200'])
  })
})

describe('ranges and counts', () => {
  it('count what there is', async () => {
    const response = await get('/rest/v1/tracks?select=id&limit=10&offset=20', { Prefer: 'count=exact' })
    expect(response.status).toBe(206)
    expect(response.headers.get('content-range')).toBe('20-29/2400')
    const all = await get('/rest/v1/genres', { Prefer: 'count=exact' })
    expect([all.status, all.headers.get('content-range')]).toEqual([200, '0-9/10'])
  })

  it.each(['planned', 'estimated'])('count with count=%s', async (kind) => {
    const response = await get('/rest/v1/tracks?select=id&limit=1', { Prefer: `count=${kind}` })
    expect(response.headers.get('content-range')).toBe('0-0/2400')
  })

  it('follow the Range header', async () => {
    const response = await get('/rest/v1/tracks?select=id&order=id', { Range: '5-7', 'Range-Unit': 'items' })
    expect(response.headers.get('content-range')).toBe('5-7/*')
    expect(await response.json()).toEqual([{ id: 6 }, { id: 7 }, { id: 8 }])
  })

  it.each([
    ['/rest/v1/genres?offset=50', { Prefer: 'count=exact' }, 416],
    ['/rest/v1/genres?offset=50', {}, 200],
    ['/rest/v1/genres?limit=-1', {}, 416],
    ['/rest/v1/genres?limit=x', {}, 400],
    ['/rest/v1/genres', { Range: '7-3' }, 416],
  ] as const)('answer %s %j with %i', async (path, headers, status) => {
    expect((await get(path, headers)).status).toBe(status)
  })
})

describe('other forms of the answer', () => {
  it('is one object when exactly one row is there', async () => {
    const headers = { Accept: 'application/vnd.pgrst.object+json' }
    const one = await get('/rest/v1/genres?id=eq.1', headers)
    expect(one.headers.get('content-type')).toBe('application/vnd.pgrst.object+json; charset=utf-8')
    expect(await one.json()).toEqual({ id: 1, name: 'Rock' })
    for (const path of ['/rest/v1/genres?id=eq.0', '/rest/v1/genres']) {
      const refused = await get(path, headers)
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([406, 'PGRST116'])
    }
  })

  it('is CSV, quoted where it must be', async () => {
    const response = await get('/rest/v1/employees?select=id,fax,address&id=lte.3', { Accept: 'text/csv' })
    const expected = await rows<{ id: number; address: string }>(
      'SELECT id, address FROM employees WHERE id <= 3',
    )
    const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
    expect(await response.text()).toBe(
      ['id,fax,address', ...expected.map((row) => `${row.id},,${quoted(row.address)}`)].join('\n'),
    )
  })

  it('has no body for HEAD, and the same headers', async () => {
    const head = await get('/rest/v1/genres?limit=3', {}, undefined, 'HEAD')
    const full = await get('/rest/v1/genres?limit=3')
    expect(await head.text()).toBe('')
    for (const name of ['etag', 'content-range', 'content-type'])
      expect(head.headers.get(name)).toBe(full.headers.get(name))
  })

  it('is 304 when the client has it', async () => {
    const tag = (await get('/rest/v1/genres')).headers.get('etag') as string
    const again = await get('/rest/v1/genres', { 'If-None-Match': `"other", ${tag}` })
    expect([again.status, await again.text()]).toEqual([304, ''])
    expect((await get('/rest/v1/genres?id=lt.5', { 'If-None-Match': tag })).status).toBe(200)
  })
})

describe('browsers', () => {
  it('may call from anywhere, and are told so before', async () => {
    const preflight = await get(
      '/rest/v1/genres',
      {
        Origin: 'https://shop.example',
        'Access-Control-Request-Method': 'PATCH',
        'Access-Control-Request-Headers': 'apikey,prefer',
      },
      null,
      'OPTIONS',
    )
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-methods')).toContain('PATCH')
    expect(preflight.headers.get('access-control-allow-headers')).toContain('prefer')
    const response = await get('/rest/v1/genres', { Origin: 'https://shop.example' })
    expect(response.headers.get('access-control-expose-headers')).toContain('Content-Range')
    const refused = await get('/rest/v1/nothing', { Origin: 'https://shop.example' })
    expect(refused.headers.get('access-control-allow-origin')).toBe('*')
  })

  it('find the documentation and its parts', async () => {
    const page = await get('/docs', {}, null)
    expect(await page.text()).toContain('swagger-ui')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
    expect((await get('/docs/swagger-ui-bundle.js', {}, null)).status).toBe(200)
  })
})

describe('the description', () => {
  it('names every served table with its keys', async () => {
    const api = await json<{
      definitions: Record<
        string,
        { properties: Record<string, { description?: string }>; required: string[] }
      >
    }>('/rest/v1/')
    expect(Object.keys(api.definitions)).toContain('playlist_tracks')
    expect(api.definitions.albums?.properties.artist_id?.description).toContain(
      "<fk table='artists' column='id'/>",
    )
    expect(api.definitions.albums?.required).toEqual(['title', 'artist_id'])
  })
})

describe('keys', () => {
  it('open what they are for', async () => {
    expect((await get('/rest/v1/albums?limit=1', {}, publishableKey)).status).toBe(200)
    expect((await get('/rest/v1/invoices?limit=1', {}, publishableKey)).status).toBe(401)
    expect((await get('/rest/v1/invoices?limit=1')).status).toBe(200)
    expect((await get('/rest/v1/albums?limit=1', {}, 'sb_publishable_other')).status).toBe(401)
    expect((await get('/rest/v1/albums?select=tracks(invoice_items(id))', {}, publishableKey)).status).toBe(
      401,
    )
  })
})
