import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { distributed, reference } from '../../db/define.ts'
import type { App, Env } from '../../functions/areas.ts'
import { engineOf, servicesFor } from '../../functions/areas.ts'
import { createWorker } from '../../functions/gateway.ts'
import { PlacedApps } from '../../functions/placed-app.ts'
import { MoverRounds } from '../../functions/shards/area.ts'
import { app } from '../fixture-app/app.ts'
import * as schema from '../fixture-app/db/app/schema.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases } from '../support/one-and-many.ts'
import { secretKey } from '../support/worker-client.ts'

const quiet = async () => undefined
const relays = (env as unknown as { RELAY: DurableObjectNamespace }).RELAY
const bindings = {
  ...(env as unknown as Env),
  // Moves are this test's own to make.
  RELAY: {
    getByName: (name: string) => (name === 'mover' ? { move: quiet } : relays.getByName(name)),
  },
} as never as Env

const placedElsewhere: App = {
  ...app,
  tables: {
    ...app.tables,
    playlists: distributed(schema.playlists, { by: 'id' }),
    playlistTracks: distributed(schema.playlistTracks, { by: 'playlistId' }),
    dailySales: distributed(schema.dailySales, { by: 'day' }),
    artistSales: reference(schema.artistSales),
  },
}

/** Asks an isolate that was just started. */
function askOf(served: App) {
  const worker = createWorker({ ...served })
  return async (path: string, init: RequestInit = {}) => {
    const headers = {
      apikey: secretKey,
      'content-type': 'application/json',
      // As it comes over the network.
      'content-length': String((init.body as string | undefined)?.length ?? 0),
    }
    const request = new Request(`http://atoll.test${path}`, { ...init, headers })
    return fetchFrom(worker as never, request, bindings)
  }
}

/** Converts all tables that an app declares to lie elsewhere. */
async function convert(served: App): Promise<void> {
  const ask = askOf(served)
  const asked = await ask('/shards/v1/conversion', { method: 'POST', body: '{"waitSeconds":0}' })
  expect([asked.status, await asked.clone().text()]).toEqual([202, expect.any(String)])
  const placed = new PlacedApps(served)
  const rounds = new MoverRounds()
  for (let left: number | null = 0, tries = 0; left !== null && tries < 200; tries++) {
    const engine = engineOf((await placed.settled(bindings)) ?? placed.current(bindings))
    left = await rounds.run(servicesFor(engine)(bindings), engine, quiet)
  }
  const { conversion } = (await (await ask('/shards/v1/conversion')).json()) as {
    conversion: { state: string }
  }
  expect(conversion).toMatchObject({ state: 'done', error: null })
}

const countsOf = async (table: string) =>
  Promise.all(
    Object.values(databases).map((database) =>
      database.prepare(`SELECT count(*) AS n FROM ${table}`).first<number>('n'),
    ),
  )

describe('tables that are declared to lie elsewhere', { timeout: 120_000 }, () => {
  it('are served where their rows are, and are converted', async () => {
    const [before, after] = [askOf(app), askOf(placedElsewhere)]
    const paths = [
      '/rest/v1/playlists?select=id,name,playlist_tracks(track_id)&order=id&playlist_tracks.order=track_id',
      '/rest/v1/playlist_tracks?select=playlist_id,track_id,tracks(name)&order=playlist_id,track_id&limit=50',
      '/rest/v1/daily_sales?order=day',
    ]
    const rowsOf = (ask: typeof before) => Promise.all(paths.map(async (path) => (await ask(path)).json()))
    await before('/rest/v1/daily_sales', {
      method: 'POST',
      body: JSON.stringify([1, 2, 3].map((n) => ({ day: `2026-11-0${n}`, invoices: n, cents: n }))),
    })
    const rows = await rowsOf(before)
    const counts = await countsOf('playlist_tracks')
    expect(new Set(counts).size).toBe(1)
    expect(await rowsOf(after)).toEqual(rows)

    await convert(placedElsewhere)
    expect(await rowsOf(after)).toEqual(rows)
    // The code of before is served as well, where rows are by now.
    expect(await rowsOf(askOf(app))).toEqual(rows)
    const spread = await countsOf('playlist_tracks')
    expect(spread.reduce<number>((sum, n) => sum + (n ?? 0), 0)).toBe(counts[0])
    expect(spread.filter((n) => n !== 0).length).toBeGreaterThan(1)
    expect((await after('/rest/v1/playlists', { method: 'POST', body: '{"name":"Mine"}' })).status).toBe(201)
    expect((await after('/rest/v1/playlists?name=eq.Mine', { method: 'DELETE' })).status).toBe(204)

    const refused = await after('/shards/v1/conversion', { method: 'POST', body: '{}' })
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([409, 'SHARD036'])
  })
})
