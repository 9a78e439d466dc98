import { describe, expect, it } from 'vitest'
import { call, get, json, secretKey } from '../support/worker-client.ts'
import { errorOf } from '../support/write-client.ts'

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
    const bounded = (max: number) =>
      get('/rest/v1/rpc/best_sellers', { Prefer: `tx=rollback, handling=strict, max-affected=${max}` })
    expect(await errorOf(await bounded(1))).toMatchObject({ status: 400, code: 'PGRST124' })
    // It changes nothing, so that nothing has to be undone.
    const undone = await bounded(10)
    expect(undone.headers.get('preference-applied')).toBe('tx=rollback, handling=strict, max-affected=10')
  })

  it('serve plain handlers with the caller and the database', async () => {
    const response = await call('/functions/v1/label', { method: 'POST', body: '{"album_id":1}' }, secretKey)
    expect(await response.json()).toEqual({
      label: expect.stringContaining(': '),
      store: 'the record store',
      for: 'service_role',
    })
    expect((await call('/functions/v1/label', { method: 'POST', body: '{"album_id":0}' })).status).toBe(404)
    for (const body of ['xx', 'null', '{}', '']) {
      expect((await call('/functions/v1/label', { method: 'POST', body })).status).toBe(400)
    }
  })
})
