import { afterEach, describe, expect, it } from 'vitest'
import { get } from '../support/worker-client.ts'
import { clean, errorOf, first, send } from '../support/write-client.ts'

afterEach(clean)

describe('what is not understood', () => {
  it.each([
    'select=id,milliseconds.foo,name',
    'select=id;name',
    'select=name.foo,id',
    'select=*x',
    'select=count()x',
  ])('is refused where rows are chosen: %s', async (query) => {
    expect((await errorOf(await get(`/rest/v1/tracks?${query}`))).code).toBe('PGRST100')
  })

  it('is passed over behind an embedded resource and a surplus parenthesis, as PostgREST does', async () => {
    for (const query of ["select=name,artists(name)'", 'select=title)what']) {
      expect((await get(`/rest/v1/albums?limit=1&${query.replace('name,', 'title,')}`)).status).toBe(200)
    }
  })
})

describe('an empty list of columns', () => {
  it('is all of them: supabase-js sends it for select()', async () => {
    const whole = await (await get('/rest/v1/genres?limit=2')).json()
    expect(await (await get('/rest/v1/genres?limit=2&select=')).json()).toEqual(whole)
    const row = { id: first, name: 'Ska' }
    const written = await send('POST', 'genres?select=', row, 'return=representation')
    expect(await written.json()).toEqual([row])
  })
})

describe('a range', () => {
  it.each([
    ['0-1', 'limit=3', [0, 2]],
    ['0-9', 'limit=3', [0, 3]],
    ['2-', 'limit=5', [2, 3]],
    ['1-4', 'offset=3', [3, 2]],
    ['0-1', 'offset=4&limit=2', [4, 0]],
  ])('by header, %s, and query, %s, is what is in both', async (range, query, [from = 0, count = 0]) => {
    const path = '/rest/v1/genres?select=id&order=id'
    const all = await (await get(path)).json<{ id: number }[]>()
    const answer = await get(`${path}&${query}`, { range })
    expect(await answer.json()).toEqual(all.slice(from, from + count))
  })

  it('may begin where the rows end, and not after', async () => {
    const path = '/rest/v1/genres?select=id'
    const all = await (await get(path)).json<unknown[]>()
    const end = await get(`${path}&offset=${all.length}`, { prefer: 'count=exact' })
    expect([end.status, end.headers.get('content-range'), await end.json()]).toEqual([
      206,
      `*/${all.length}`,
      [],
    ])
    const beyond = await get(`${path}&offset=${all.length + 1}`, { prefer: 'count=exact' })
    expect(beyond.status).toBe(416)
  })
})

describe('a write without a filter', () => {
  it('is refused, and spares all rows', async () => {
    const before = await (await get('/rest/v1/genres')).json()
    for (const [method, body] of [
      ['DELETE', undefined],
      ['PATCH', { name: 'x' }],
    ] as const) {
      const refused = await send(method, 'genres?select=id&order=id', body)
      expect([refused.status, (await errorOf(refused)).code]).toEqual([400, '21000'])
    }
    expect(await (await get('/rest/v1/genres')).json()).toEqual(before)
  })

  it('is not one that names rows by a filter, or by a limit', async () => {
    for (const query of ['id=gte.0', 'order=id&limit=1', 'or=(id.gte.0,id.is.null)']) {
      const path = `genres?${query}`
      expect((await send('PATCH', path, { name: 'x' }, 'tx=rollback')).status).toBeLessThan(300)
    }
  })

  it('does not show fewer rows than it changes', async () => {
    const path = `albums?id=gte.0&select=title,artists!inner(name)&artists.name=eq.nobody`
    const refused = await send('DELETE', path, undefined, 'return=representation,tx=rollback')
    expect((await errorOf(refused)).code).toBe('PGRST127')
  })
})

describe('headers', () => {
  it('stay within what clients take, whatever was asked', async () => {
    const ids = Array.from({ length: 2500 }, (_, i) => i + 1).join(',')
    const answer = await get(`/rest/v1/tracks?select=id&id=in.(${ids})`)
    expect(answer.status).toBe(200)
    const bytes = [...answer.headers].reduce((sum, [name, value]) => sum + name.length + value.length, 0)
    expect(bytes).toBeLessThan(8000)
  })
})

describe('an aggregate that PostgreSQL does not have of a type', () => {
  it.each(['name.sum()', 'name.avg()'])('is refused: %s', async (select) => {
    expect((await errorOf(await get(`/rest/v1/tracks?select=${select}`))).code).toBe('42883')
  })

  it('is made of what a cast gives', async () => {
    const answer = await get(
      '/rest/v1/tracks?select=milliseconds.max()::text,name.max(),id::text.max()&limit=1',
    )
    expect(answer.status).toBe(200)
  })
})
