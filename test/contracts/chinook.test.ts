import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../functions/local/serve.ts'
import { secretKey, startTestServer, type TestServer } from '../support/local-server.ts'
import { routed } from '../support/routed.ts'

/** A real record store as CSV, which is not part of this project; where it lies beside it, it is loaded. */
const folder = join(root, '..', 'shared', 'chinook')
const present = existsSync(join(folder, 'tracks.csv'))

/** Parents before their children. */
const tables = [
  'artists',
  'genres',
  'media_types',
  'albums',
  'tracks',
  'playlists',
  'playlist_tracks',
  'employees',
  'customers',
  'invoices',
  'invoice_items',
]

/** Without the files, a few rows of the same form take the same way. */
const samples: Readonly<Record<string, string>> = {
  artists: 'id,name\n1,"AC/DC"\n',
  genres: 'id,name\n1,Rock\n',
  media_types: 'id,name\n1,MPEG audio file\n',
  albums: 'id,title,artist_id\n1,For Those About To Rock We Salute You,1\n',
  tracks:
    'id,name,album_id,media_type_id,genre_id,composer,milliseconds,bytes,unit_price\n1,"Rock (We Salute You), live",1,1,1,"Young, Johnson",343719,11170334,0.99\n',
  playlists: 'id,name\n1,Music\n',
  playlist_tracks: 'playlist_id,track_id\n1,1\n',
}

let server: TestServer
beforeAll(async () => {
  // Hundreds of receipts and sums would follow all these rows; they are other tests' business.
  server = await startTestServer({ entry: join(import.meta.dirname, '..', 'support', 'plain-worker.ts') })
})
afterAll(() => server.stop())

const call = (path: string, init: RequestInit = {}) =>
  fetch(`${server.address}/rest/v1/${path}`, { ...init, headers: { apikey: secretKey, ...init.headers } })

/** The store's own ids of invoices say nothing of where they lie: they become the numbers that routed ids are made with. */
function withRoutedIds(table: string, csv: string): string {
  if (table === 'invoices')
    return csv.replace(/^(\d+),(\d+)/gm, (_, id, by) => `${routed(Number(id), by)},${by}`)
  if (table !== 'invoice_items') return csv
  return csv.replace(
    /^(\d+),(\d+),(.*),(\d+)\r?$/gm,
    (_, id, invoice, rest, by) => `${routed(Number(id), by)},${routed(Number(invoice), by)},${rest},${by}`,
  )
}

/** Customers and what is theirs lie on several shards. */
const perShard = { Prefer: 'atomicity=shard' }

describe('a real record store', () => {
  it('is posted as the CSV files that it came in, and reads back whole', async () => {
    for (const table of tables.toReversed())
      expect(
        (
          await call(`${table}?${table === 'playlist_tracks' ? 'playlist_id' : 'id'}=gte.0`, {
            method: 'DELETE',
            headers: perShard,
          })
        ).status,
        table,
      ).toBe(204)
    const counts: Record<string, number> = {}
    for (const table of tables) {
      const text = present ? readFileSync(join(folder, `${table}.csv`), 'utf8') : samples[table]
      if (text === undefined) continue
      const csv = withRoutedIds(table, text)
      const response = await call(table, {
        method: 'POST',
        body: csv,
        headers: { 'Content-Type': 'text/csv', Prefer: `count=exact,${perShard.Prefer}` },
      })
      expect([table, response.status, await response.text()]).toEqual([table, 201, ''])
      counts[table] = Number(response.headers.get('content-range')?.split('/')[1])
      const again = await call(`${table}?order=${csv.slice(0, csv.search(/[,\n]/))}`, {
        headers: { Accept: 'text/csv', Prefer: 'count=exact' },
      })
      expect(Number(again.headers.get('content-range')?.split('/')[1])).toBe(counts[table])
    }
    if (present)
      expect(counts).toMatchObject({
        tracks: 3503,
        playlist_tracks: 8715,
        invoices: 412,
        invoice_items: 2240,
      })
    const [track] = (await (
      await call('tracks?select=name,albums(title,artists(name)),playlists(name)&order=id&limit=1')
    ).json()) as unknown[]
    expect(track).toMatchObject({
      albums: { title: 'For Those About To Rock We Salute You', artists: { name: 'AC/DC' } },
    })
  })

  it.runIf(present)('answers what its owner would ask', async () => {
    const genres = (await (
      await call(
        'invoice_items?select=quantity.sum(),...tracks(...genres(genre:name))&order=tracks(genre_id)&limit=2',
      )
    ).json()) as unknown[]
    expect(genres).toEqual([
      { sum: 835, genre: 'Rock' },
      { sum: 80, genre: 'Jazz' },
    ])
    const countries = (await (
      await call('invoices?select=billing_country,total.sum()&order=billing_country&limit=3')
    ).json()) as { billing_country: string; sum: number }[]
    expect(countries[0]).toEqual({ billing_country: 'Argentina', sum: 37.62 })
    const cold = await call(
      'tracks?select=name&name=fts.(rock%20%26%20roll)&composer=not.is.null&order=id&limit=1',
    )
    expect(await cold.json()).toHaveLength(1)
    const [manager] = (await (
      await call('employees?select=last_name,employees(last_name,customers(count))&reports_to=is.null')
    ).json()) as { employees: unknown[] }[]
    expect(manager?.employees).toHaveLength(2)
  })
})
