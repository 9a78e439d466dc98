import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import tables from '../../db/app/tables.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { makeOwnObjects } from '../../db/migrate/settle-cluster.ts'
import { reconcileSearch } from '../../db/system/search-objects.ts'
import { get, rows } from '../support/worker-client.ts'

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
    const withSearch = (columns: readonly string[]) => ({
      ...catalog,
      tables: new Map([
        [
          'tracks',
          { ...tracks, search: columns.length ? { ...tracks.search, columns } : null } as typeof tracks,
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
    expect(await reconcileSearch(database, withSearch([]))).toEqual(['dropped _atoll_search_tracks'])
    await expect(found()).rejects.toThrow('no such table')
    expect(await reconcileSearch(database, catalog)).toEqual(['made _atoll_search_tracks'])
  })
})

describe('a database behind its schema', () => {
  it('is refused by name, with what to do', async () => {
    await database.batch(['ALTER TABLE genres RENAME TO genres_away'].map((text) => database.prepare(text)))
    const response = await get('/rest/v1/genres')
    await database.prepare('ALTER TABLE genres_away RENAME TO genres').run()
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      code: 'SHARD001',
      message: 'The database DB is behind the schema',
    })
    expect((await get('/rest/v1/genres')).status).toBe(200)
  })
})
