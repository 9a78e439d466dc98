import { afterEach, describe, expect, it } from 'vitest'
import { get, json, rows } from '../support/worker-client.ts'
import { clean, errorOf, first, send } from '../support/write-client.ts'

afterEach(clean)

const show = 'return=representation'
const genres = (...names: (string | null)[]) => names.map((name, i) => ({ id: first + i, name }))

describe('requests of like shape', () => {
  it('are not taken for each other when a Range header is near', async () => {
    expect((await get('/rest/v1/artists?rangeid=eq.5')).status).toBe(400)
    const ranged = await get('/rest/v1/artists?id=eq.5', { Range: '0-' })
    expect(await ranged.json()).toHaveLength(1)
    expect((await get('/rest/v1/playlist_tracks?track_id=eq.7&limit=1', { Range: '0-' })).status).toBe(200)
    expect((await get('/rest/v1/playlist_tracks?rangetrack_id=eq.7&limit=1')).status).toBe(400)
  })
})

describe('reads at the edges', () => {
  it('keep null out of negated any and all', async () => {
    await send('POST', 'genres', genres(null, 'zz', 'yy'))
    const ids = async (filter: string) =>
      (await json<{ id: number }[]>(`/rest/v1/genres?select=id&id=gte.${first}&${filter}`)).map(
        ({ id }) => id - first,
      )
    expect(await ids('name=not.eq(any).{zz}')).toEqual([2])
    expect(await ids('name=not.like(all).{z*,*z}')).toEqual([2])
    expect(await ids('name=match(any).{^z,^y}')).toEqual([1, 2])
    expect(await ids('name=not.match(all).{^z,z$}')).toEqual([2])
  })

  it('leave out parents whose inner embed is empty for its range', async () => {
    expect(await json('/rest/v1/artists?select=id,albums!inner(id)&albums.offset=50')).toEqual([])
    expect(await json('/rest/v1/artists?select=id,albums!inner(id)&albums.limit=0')).toEqual([])
  })

  it('name the head line of CSV by what is shown', async () => {
    const response = await get(
      '/rest/v1/albums?select=id,...artists(artist:name),tracks()&id=eq.1&artists.name=neq.x',
      { Accept: 'text/csv' },
    )
    expect((await response.text()).split('\n')[0]).toBe('id,artist')
  })

  it('refuse full-text search on the rows of a function', async () => {
    expect(await errorOf(await get('/rest/v1/rpc/best_sellers?name=fts.the'))).toMatchObject({
      status: 400,
      code: 'PGRST127',
    })
  })

  it('refuse numbers that no double holds, and read long ones once', async () => {
    expect(await errorOf(await get('/rest/v1/tracks?unit_price=eq.1e999'))).toMatchObject({
      status: 400,
      code: '22003',
    })
    expect((await get(`/rest/v1/tracks?unit_price=eq.${'1'.repeat(60_000)}x`)).status).toBe(400)
    expect((await get(`/rest/v1/tracks?name=match.[${'\\a'.repeat(60)}`)).status).toBe(400)
  })
})

describe('writes at the edges', () => {
  it('sort by what a spread shows, whatever they return', async () => {
    const order = 'select=id,...albums(title)&id=in.(1,2,3,4)&order=albums(title).desc'
    const expected = (await json<{ id: number }[]>(`/rest/v1/tracks?${order}`)).map(({ id }) => id)
    const written = await send('PATCH', `tracks?${order}`, { composer: 'x' }, show)
    expect((await written.json<{ id: number }[]>()).map(({ id }) => id)).toEqual(expected)
    expect((await send('PATCH', `tracks?${order}&limit=1`, { composer: 'y' })).status).toBe(204)
    expect(await rows(`SELECT id FROM tracks WHERE composer = 'y'`)).toEqual([{ id: expected[0] }])
  })

  it('delete with a filtered embed, and undo it', async () => {
    await send('POST', 'artists', { id: first, name: 'A' })
    await send('POST', 'albums', { id: first, title: 'T', artist_id: first })
    const gone = await send(
      'DELETE',
      'albums?id=gte.0&select=title,artists(name)&artists.name=eq.x',
      undefined,
      `${show},tx=rollback`,
    )
    expect((await errorOf(gone)).code).toBe('23503')
    const one = await send(
      'DELETE',
      `albums?id=eq.${first}&select=title,artists(name)&artists.name=eq.A`,
      undefined,
      `${show},tx=rollback`,
    )
    expect(await one.json()).toEqual([{ title: 'T', artists: { name: 'A' } }])
  })

  it('are sorted when they are undone, too', async () => {
    await send('POST', 'genres', genres('a', 'b', 'c'))
    const response = await send(
      'PATCH',
      `genres?id=gte.${first}&order=id.desc&select=id`,
      { name: 'x' },
      `${show},tx=rollback`,
    )
    expect(await response.json()).toEqual([2, 1, 0].map((i) => ({ id: first + i })))
  })

  it('pay no heed to Range', async () => {
    await send('POST', 'genres', genres('a'))
    expect((await send('PATCH', `genres?id=eq.${first}`, { name: 'b' }, '', { Range: '5-9' })).status).toBe(
      204,
    )
    expect(await json(`/rest/v1/genres?name=eq.b`)).toHaveLength(1)
  })

  it.each([
    ['PATCH', `genres?id=eq.1`, { id: null }, '', 400, '23502'],
    ['PUT', `genres?id=eq.${first}&columns=name`, { id: first, name: 'x' }, '', 400, 'PGRST115'],
    [
      'POST',
      'tracks',
      { name: 'x', media_type_id: 1, milliseconds: 1, unit_price: '1e999' },
      '',
      400,
      '22003',
    ],
    ['POST', 'genres', '{"name":"\\ud800"}', '', 400, '22021'],
    [
      'PATCH',
      `tracks?id=eq.1&select=id,albums!inner(id)&albums.title=eq.zzz`,
      { bytes: 1 },
      show,
      400,
      'PGRST127',
    ],
  ] as const)('%s %s %j is refused', async (method, path, body, prefer, status, code) => {
    const accept: Record<string, string> =
      prefer === '' ? {} : { Accept: 'application/vnd.pgrst.object+json' }
    expect(await errorOf(await send(method, path, body, prefer, accept))).toMatchObject({ status, code })
  })

  it('take an empty object to merge, and PUT minds no on_conflict', async () => {
    const [row] = await (
      await send('POST', 'genres?select=id', {}, `${show},resolution=merge-duplicates`)
    ).json<{ id: number }[]>()
    expect((await send('DELETE', `genres?id=eq.${row?.id}`)).status).toBe(204)
    expect(
      (await send('PUT', `genres?id=eq.${first}&on_conflict=name`, { id: first, name: 'x' })).status,
    ).toBe(201)
  })

  it('name the row that is referred to, not one beside it', async () => {
    await send('POST', 'genres', genres('alone'))
    expect(await errorOf(await send('DELETE', `genres?or=(id.eq.${first},id.eq.1)`))).toMatchObject({
      code: '23503',
      details: 'Key (id)=(1) is still referenced from table "tracks".',
    })
  })
})
