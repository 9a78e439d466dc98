import { afterEach, describe, expect, it } from 'vitest'
import { json, rows } from '../support/worker-client.ts'
import { clean, errorOf, first, send } from '../support/write-client.ts'

afterEach(clean)

const show = 'return=representation'

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
    const large = [0, 1].map((i) => ({ id: first + 10 + i, name: 'x'.repeat(1_000_000) }))
    const two = await send('POST', 'genres', large, show, { Accept: 'application/vnd.pgrst.object+json' })
    expect(await errorOf(two)).toMatchObject({ status: 406, details: 'The result contains 2 rows' })
    expect(await rows(`SELECT count(*) AS n FROM genres WHERE id >= ${first + 10}`)).toEqual([{ n: 0 }])
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
      await rows("SELECT name FROM sqlite_schema WHERE name LIKE '_atoll_undone_%' AND type = 'trigger'"),
    ).toEqual([])
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
