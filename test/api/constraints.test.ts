import { afterEach, describe, expect, it } from 'vitest'
import { call, publishableKey } from '../support/worker-client.ts'
import { clean, errorOf, first, send } from '../support/write-client.ts'

afterEach(clean)

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
