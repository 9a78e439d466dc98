import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { SearchConfig } from '../../db/catalog/catalog.ts'
import { reference, type TableDeclarations } from '../../db/define.ts'
import { makeOwnObjects } from '../../db/migrate/settle-cluster.ts'
import { reconcileSearch } from '../../db/system/search-objects.ts'
import { createGateway } from '../../functions/gateway.ts'
import * as schema from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { rows, secretKey } from '../support/worker-client.ts'

const database = (env as unknown as { DB: D1Database }).DB

describe('makeOwnObjects', () => {
  it('gives tables of an older Atoll the columns that they lack', async () => {
    const old = (env as unknown as { ALONE: D1Database }).ALONE
    await old.batch(
      [
        'DROP TABLE IF EXISTS _atoll_changes',
        'CREATE TABLE _atoll_changes (sequence INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, operation TEXT, key TEXT, value TEXT, at INTEGER)',
        "INSERT INTO _atoll_changes (name) VALUES ('kept')",
      ].map((text) => old.prepare(text)),
    )
    await makeOwnObjects(old, true)
    await makeOwnObjects(old, true)
    const { results } = await old.prepare('SELECT name, columns, old, new FROM _atoll_changes').all()
    expect(results).toEqual([{ name: 'kept', columns: null, old: null, new: null }])
  })
})

describe('reconcileSearch', () => {
  it('makes an index anew when its columns change, and drops one that nobody wants', async () => {
    const catalog = buildCatalog(tables)
    const tracks = catalog.tables.get('tracks')
    if (!tracks?.search) throw new Error('tracks are searchable')
    const withSearch = (columns: readonly string[], config: SearchConfig = 'english') => ({
      ...catalog,
      tables: new Map([
        [
          'tracks',
          {
            ...tracks,
            search: columns.length ? { ...tracks.search, columns, config } : null,
          } as typeof tracks,
        ],
      ]),
    })
    const found = () => rows("SELECT rowid FROM _atoll_search_tracks WHERE _atoll_search_tracks MATCH 'salt'")
    expect(await reconcileSearch(database, catalog)).toEqual([])
    expect(await reconcileSearch(database, withSearch(['name']))).toEqual([
      'dropped _atoll_search_tracks',
      'made _atoll_search_tracks',
    ])
    expect((await found()).length).toBeGreaterThan(0)
    const anew = ['dropped _atoll_search_tracks', 'made _atoll_search_tracks']
    expect(await reconcileSearch(database, withSearch(['name'], 'simple'))).toEqual(anew)
    const plurals = () => rows("SELECT doc FROM _atoll_places_tracks WHERE term GLOB '??*[^s]s'")
    expect((await plurals()).length).toBeGreaterThan(0)
    expect(await reconcileSearch(database, withSearch(['name']))).toEqual(anew)
    expect(await plurals()).toEqual([])
    // An index that an earlier version made.
    await rows('DROP TABLE _atoll_places_tracks')
    expect(await reconcileSearch(database, withSearch(['name']))).toEqual(['made _atoll_places_tracks'])
    expect(await reconcileSearch(database, withSearch([]))).toEqual(['dropped _atoll_search_tracks'])
    await expect(found()).rejects.toThrow('no such table')
    expect(await reconcileSearch(database, catalog)).toEqual(['made _atoll_search_tracks'])
  })
})

/** A gateway that has asked nothing yet, over the same database. */
async function askNew(
  declared: TableDeclarations,
  migrations: readonly string[],
  extra: readonly string[] = [],
) {
  const gateway = createGateway({ tables: declared, config: { cache: false }, migrations })
  const bindings = { DB: database, ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off' }
  const shards = Object.fromEntries(
    extra.map((name) => [name, (env as unknown as Record<string, unknown>)[name]]),
  )
  const request = new Request('http://atoll.test/rest/v1/genres?limit=1', { headers: { apikey: secretKey } })
  return fetchFrom(gateway, request, { ...bindings, ...shards })
}

const shards = ['SHARD_1', 'SHARD_2', 'SHARD_3']
const applied = async () =>
  (await rows<{ name: string }>('SELECT name FROM d1_migrations')).map(({ name }) => name)

describe('a Worker and a database that do not belong together', () => {
  it('say that the database is behind, and by what', async () => {
    const response = await askNew(tables, [...(await applied()), '9999_new.sql'], shards)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ code: 'SHARD001', details: 'It lacks 9999_new.sql.' })
  })

  it('work while the database is ahead by what is not in the way, and say so when it is', async () => {
    const known = await applied()
    await database.prepare("INSERT INTO d1_migrations (name) VALUES ('9999_ahead.sql')").run()
    expect((await askNew(tables, known, shards)).status).toBe(200)
    await database.prepare('ALTER TABLE genres RENAME TO genres_away').run()
    const response = await askNew(tables, known, shards)
    await database.prepare('ALTER TABLE genres_away RENAME TO genres').run()
    await database.prepare("DELETE FROM d1_migrations WHERE name = '9999_ahead.sql'").run()
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      code: 'SHARD014',
      details: expect.stringContaining('no such table: genres'),
    })
  })

  it('say that the schema has what no migration made', async () => {
    await database.prepare('ALTER TABLE genres RENAME TO genres_away').run()
    const response = await askNew(tables, await applied(), shards)
    await database.prepare('ALTER TABLE genres_away RENAME TO genres').run()
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      code: 'SHARD013',
      hint: expect.stringContaining('db:generate'),
    })
  })

  it('refuse a table whose rows are noted to lie elsewhere', async () => {
    const elsewhere = { ...tables, dailySales: reference(schema.dailySales) }
    const response = await askNew(elsewhere, await applied(), shards)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      code: 'SHARD015',
      message: expect.stringContaining('daily_sales'),
    })
  })

  it('refuse to do without databases that own slots', async () => {
    const response = await askNew(tables, await applied())
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      code: 'SHARD003',
      message: expect.stringContaining('SHARD_'),
    })
  })
})
