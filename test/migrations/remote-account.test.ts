import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { openDatabases } from '../../db/doors/open-databases.ts'
import { wranglerEnv } from '../support/cloudflare/run-wrangler.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'

const folder = mkdtempSync(join(tmpdir(), 'atoll-account-'))
const config = join(folder, 'wrangler.toml')
const accounts = [
  { id: 'a'.repeat(32), name: 'Work' },
  { id: 'b'.repeat(32), name: 'Home' },
]
let cloudflare: Cloudflare

beforeAll(async () => {
  const databases = ['atoll-old', 'my-atoll', 'atoll', 'atoll-shard-1', 'atoll-staging', 'app-shard-2']
  cloudflare = await startCloudflare({ databases, accounts, longestPage: 2 })
  for (const name of databases) {
    await cloudflare
      .database(name)
      .batch([cloudflare.database(name).prepare(`CREATE TABLE me AS SELECT '${name}' AS name`)])
  }
})
afterEach(() => vi.unstubAllEnvs())
afterAll(async () => {
  await cloudflare.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Sets what wrangler and our commands read, and nothing of what this machine has set. */
function environment(variables: Record<string, string | undefined>): void {
  const all = {
    ...wranglerEnv(folder),
    ...cloudflare.env,
    CLOUDFLARE_API_KEY: undefined,
    CLOUDFLARE_EMAIL: undefined,
    ...variables,
  }
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value)
}

function database(binding: string, name: string | null, id?: string, env = ''): string {
  const table = env === '' ? 'd1_databases' : `env.${env}.d1_databases`
  const lines = [`[[${table}]]`, `binding = "${binding}"`]
  if (name !== null) lines.push(`database_name = "${name}"`)
  if (id !== undefined) lines.push(`database_id = "${id}"`)
  return `${lines.join('\n')}\n`
}

/** Opens the databases of a wrangler.toml, and asks each for its name. */
async function open(toml: string, env?: string): Promise<Record<string, unknown>> {
  writeFileSync(config, `name = "app"\ncompatibility_date = "2026-11-01"\n${toml}`)
  const { databases, names, close } = await openDatabases({ remote: true, config, env })
  const found: Record<string, unknown> = {}
  for (const [binding, database] of databases) {
    const { results } = await database.prepare('SELECT name FROM me').all<{ name: string }>()
    found[binding] = [names.get(binding), results[0]?.name]
  }
  await close()
  return found
}

const placeholder = '00000000-0000-0000-0000-000000000001'

describe('the databases of wrangler.toml, where they are deployed', () => {
  it('are found by their ids, and by their names when those are placeholders or missing', async () => {
    environment({})
    const id = cloudflare.idOf('my-atoll')
    const toml = [
      database('SHARD_2', null),
      database('SHARD_1', 'atoll-shard-1', placeholder),
      database('DB', 'other', id),
    ]
    expect(Object.entries(await open(toml.join('')))).toEqual([
      ['DB', ['other', 'my-atoll']],
      ['SHARD_1', ['atoll-shard-1', 'atoll-shard-1']],
      ['SHARD_2', ['SHARD_2', 'app-shard-2']],
    ])
  })

  it('are those of the account whose name is theirs to the letter, on whatever page', async () => {
    environment({})
    expect(await open(database('DB', 'atoll'))).toEqual({ DB: ['atoll', 'atoll'] })
  })

  it('are named with the commands that make them when they are not there', async () => {
    environment({})
    await expect(open(database('DB', 'atoll-ol') + database('SHARD_1', 'none'))).rejects.toThrow(
      /no database of the name atoll-ol, none\. Make them with:\n {2}npx wrangler d1 create atoll-ol\n {2}npx wrangler d1 create none$/,
    )
  })

  it('are two for two bindings', async () => {
    environment({})
    const id = cloudflare.idOf('atoll')
    await expect(open(database('DB', 'atoll', id) + database('SHARD_1', 'atoll'))).rejects.toThrow(
      `DB and SHARD_1 of wrangler.toml are the same database: ${id}`,
    )
  })

  it('are those of an environment that is asked for', async () => {
    environment({})
    const toml = database('DB', 'atoll') + database('DB', 'atoll-staging', undefined, 'staging')
    expect(await open(toml, 'staging')).toEqual({ DB: ['atoll-staging', 'atoll-staging'] })
    await expect(open(toml, 'nope')).rejects.toThrow('wrangler.toml has no environment nope: it has staging.')
    await expect(open(database('DB', 'atoll'), 'nope')).rejects.toThrow('no environment nope: it has none')
    await expect(open(`${toml}[env.empty]\n`, 'empty')).rejects.toThrow('[[env.empty.d1_databases]]')
  })

  it('are in the account that is said, and both are told when none is', async () => {
    environment({ CLOUDFLARE_ACCOUNT_ID: undefined })
    await expect(open(database('DB', 'atoll'))).rejects.toThrow(
      /There are 2 accounts .*Set CLOUDFLARE_ACCOUNT_ID.*:\n {2}a{32} {2}Work\n {2}b{32} {2}Home$/,
    )
    cloudflare.requests.length = 0
    await open(`account_id = "${'b'.repeat(32)}"\n${database('DB', 'atoll')}`)
    expect(cloudflare.requests[0]?.path).toContain(`/accounts/${'b'.repeat(32)}/`)
    environment({ CLOUDFLARE_ACCOUNT_ID: 'c'.repeat(32) })
    await expect(open(database('DB', 'atoll'))).rejects.toThrow(
      /not valid or is not authorized.*7403[\s\S]*wrangler login/,
    )
  })
})

describe('the databases of wrangler.toml on this machine', () => {
  it('are those of an environment that is asked for, too', async () => {
    const top = database('DB', 'atoll', placeholder)
    const staging = database('DB', 'atoll-staging', '00000000-0000-0000-0000-000000000002', 'staging')
    writeFileSync(config, `name = "app"\ncompatibility_date = "2026-11-01"\n${top}${staging}`)
    const tables = async (env?: string, sql?: string) => {
      const options = { remote: false, config, persistTo: join(folder, 'state'), ...(env ? { env } : {}) }
      const { databases, names, close } = await openDatabases(options)
      const local = databases.get('DB')
      if (sql) await local?.prepare(sql).all()
      const found = await local?.prepare("SELECT name FROM sqlite_schema WHERE name NOT GLOB '_cf*'").all()
      await close()
      return [names.get('DB'), found?.results]
    }
    expect(await tables('staging', 'CREATE TABLE here (a)')).toEqual(['atoll-staging', [{ name: 'here' }]])
    expect(await tables()).toEqual(['atoll', []])
  })
})

describe('signing in to Cloudflare', () => {
  it('takes a key with its address, and says which credentials were refused', async () => {
    environment({
      CLOUDFLARE_API_TOKEN: undefined,
      CLOUDFLARE_API_KEY: 'a-made-up-key',
      CLOUDFLARE_EMAIL: 'somebody@example.com',
    })
    expect(await open(database('DB', 'atoll'))).toEqual({ DB: ['atoll', 'atoll'] })
    environment({ CLOUDFLARE_API_TOKEN: 'wrong' })
    await expect(open(database('DB', 'atoll'))).rejects.toThrow(
      /Authentication error \[code: 10000\]\nIt was asked with the token in CLOUDFLARE_API_TOKEN\./,
    )
  })

  it('takes what `wrangler login` has left', async () => {
    environment({ CLOUDFLARE_API_TOKEN: undefined })
    const kept = join(folder, '.wrangler', 'config')
    mkdirSync(kept, { recursive: true })
    const { CLOUDFLARE_API_TOKEN: token } = cloudflare.env
    const until = new Date(Date.now() + 3_600_000).toISOString()
    writeFileSync(
      join(kept, 'default.toml'),
      `oauth_token = "${token}"\nrefresh_token = "none"\nexpiration_time = "${until}"\nscopes = []\n`,
    )
    expect(await open(database('DB', 'atoll'))).toEqual({ DB: ['atoll', 'atoll'] })
    rmSync(kept, { recursive: true })
  })

  it('is asked for, with the command, when nobody is signed in', async () => {
    environment({ CLOUDFLARE_API_TOKEN: undefined })
    await expect(open(database('DB', 'atoll'))).rejects.toThrow(
      'You are not signed in to Cloudflare.\nSign in with: npx wrangler login\nor set CLOUDFLARE_API_TOKEN',
    )
  })
})
