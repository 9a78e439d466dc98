import { describe, expect, it } from 'vitest'
import { call, database, get, rows } from '../support/worker-client.ts'

describe('an answer of many rows', () => {
  it('has them in the order that was asked for, as the database sorts them', async () => {
    const expected = await rows<{ id: number }>(
      'SELECT id FROM tracks ORDER BY composer DESC, bytes, id LIMIT 1000',
    )
    const response = await get('/rest/v1/tracks?select=id&order=composer.desc.nullslast,bytes,id&limit=1000')
    expect(await response.json()).toEqual(expected)
    expect(response.headers.get('content-range')).toBe('0-999/*')
  })

  it('has them in the order of the key when none was asked for', async () => {
    const found = await (await get('/rest/v1/tracks?select=id&genre_id=gt.3&limit=500')).json<
      { id: number }[]
    >()
    expect(found.map(({ id }) => id)).toEqual(found.map(({ id }) => id).sort((a, b) => a - b))
    expect(found).toHaveLength(500)
  })

  it('counts rows and none', async () => {
    const counted = await get('/rest/v1/tracks?select=id&limit=7', { Prefer: 'count=exact' })
    const [{ n } = { n: 0 }] = await rows<{ n: number }>('SELECT count(*) AS n FROM tracks')
    expect(counted.headers.get('content-range')).toBe(`0-6/${n}`)
    const none = await get('/rest/v1/tracks?id=eq.-1')
    expect([await none.text(), none.headers.get('content-range')]).toEqual(['[]', '*/*'])
  })

  it('may be longer than a value in the database may be', async () => {
    const list = Array.from({ length: 800 }, (_, i) => ({
      id: 900_000 + i,
      name: `${i} ${'long '.repeat(1000)}`,
    }))
    for (let at = 0; at < list.length; at += 200) {
      const body = JSON.stringify(list.slice(at, at + 200))
      const headers = { 'content-type': 'application/json' }
      expect((await call('/rest/v1/artists', { method: 'POST', body, headers })).status).toBe(201)
    }
    try {
      for (let times = 0; times < 2; times++) {
        const response = await get('/rest/v1/artists?id=gte.900000&order=id', { 'Cache-Control': 'no-cache' })
        expect(response.status).toBe(200)
        expect(await response.json()).toEqual(list)
      }
    } finally {
      await database.prepare('DELETE FROM artists WHERE id >= 900000').run()
    }
  })
})
