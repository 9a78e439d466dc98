import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { remoteDatabase } from '../../db/doors/remote-database.ts'
import { lookAt } from '../../db/migrate/look.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import { migrateFar } from '../../db/migrate/migrate-far.ts'
import { readMigrations } from '../../db/migrate/migration-files.ts'
import { permittedTexts } from '../../db/system/permits.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fixture } from '../fixture-app/paths.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'

const catalog = buildCatalog(tables)
const migrations = readMigrations(fixture.migrations)
let cloudflare: Cloudflare

beforeAll(async () => {
  cloudflare = await startCloudflare({ databases: ['far', 'far-shard', 'step', 'step-shard'] })
})
afterAll(() => cloudflare.stop())

function opened(...names: readonly string[]) {
  const api = {
    baseUrl: cloudflare.url,
    headers: { Authorization: `Bearer ${cloudflare.env.CLOUDFLARE_API_TOKEN}` },
    credentials: 'CLOUDFLARE_API_TOKEN',
  }
  const accountId = cloudflare.env.CLOUDFLARE_ACCOUNT_ID
  return new Map(
    names.map((name, i) => [
      i === 0 ? 'DB' : `SHARD_${i}`,
      remoteDatabase({ api, accountId, id: cloudflare.idOf(name), name }),
    ]),
  )
}

/** All that databases hold after they were migrated, but for what is random or the time. */
async function contentOf(name: string) {
  const database = cloudflare.database(name)
  const { schema, applied, settled, placements } = await lookAt(database)
  const rows = async (text: string) => (await database.prepare(text).all()).results
  return {
    schema: schema.map(({ name: of, sql }) => [of, sql]),
    applied,
    settled,
    placements,
    slots: await rows('SELECT * FROM _atoll_slots'),
    state: await rows("SELECT key FROM _atoll_state WHERE key NOT GLOB 'incarnation*' ORDER BY key"),
  }
}

describe('new databases that are far away', () => {
  it('come to the same at once as step by step, in few requests, and need nothing afterwards', async () => {
    cloudflare.requests.length = 0
    const reports = await migrateFar(opened('far', 'far-shard'), catalog, migrations)
    expect(cloudflare.requests).toHaveLength(4)
    const stepped = await migrateCluster(opened('step', 'step-shard'), catalog, migrations)
    expect(reports.map(({ applied }) => applied)).toEqual(stepped.map(({ applied }) => applied))
    expect(await contentOf('far')).toEqual(await contentOf('step'))
    expect(await contentOf('far-shard')).toEqual(await contentOf('step-shard'))
    cloudflare.requests.length = 0
    const again = await migrateFar(opened('far', 'far-shard'), catalog, migrations)
    expect(again.map(({ done }) => done)).toEqual([[], []])
    // Whether DB is empty, and a look at each.
    expect(cloudflare.requests).toHaveLength(3)
  })

  it('are gone on with step by step when only some of them were reached', async () => {
    const database = cloudflare.database('step')
    await database.batch([database.prepare("DELETE FROM _atoll_state WHERE key = 'settled'")])
    const reports = await migrateFar(opened('step', 'step-shard'), catalog, migrations)
    expect(reports.map(({ applied }) => applied)).toEqual([[], []])
    expect(await contentOf('step')).toEqual(await contentOf('far'))
  })

  it('copy large reference tables, whatever the letters', async () => {
    const database = cloudflare.database('far')
    const texts = permittedTexts([
      `INSERT INTO artists (id, name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
       SELECT i + 100000, '${'日本語の長い名前'.repeat(20)}' || i FROM n`,
    ])
    await database.batch(texts.map((text) => database.prepare(text)))
    const shard = cloudflare.database('far-shard')
    await shard.batch([shard.prepare("DELETE FROM _atoll_state WHERE key IN ('settled', 'reference')")])
    await migrateFar(opened('far', 'far-shard'), catalog, migrations)
    const { results } = await shard.prepare('SELECT count(*) AS n, min(length(name)) AS l FROM artists').all()
    expect(results).toEqual([{ n: 6000, l: 161 }])
  })
})
