import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readRawConfig } from '../../db/doors/open-databases.ts'
import { readWanted } from '../../functions/local/cloudflare/wanted.ts'
import { differencesOf } from '../../functions/local/environments/environment.ts'
import { withEnvironment } from '../../functions/local/environments/write-environment.ts'
import { fixture } from '../fixture-app/paths.ts'

const folder = mkdtempSync(join(tmpdir(), 'atoll-environments-'))
const file = join(folder, 'wrangler.toml')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function rawOf(toml: string) {
  writeFileSync(file, toml)
  return readRawConfig(file)
}
const added = (toml: string, env: string) => withEnvironment(toml, rawOf(toml), env)
const shipped = readFileSync(fixture.config, 'utf8')
const both = added(added(shipped, 'staging'), 'production')

describe('environments of wrangler.toml', () => {
  it('are written with all that wrangler does not take over, under names of their own', () => {
    expect(both.startsWith(shipped.trimEnd())).toBe(true)
    expect(differencesOf(rawOf(both))).toEqual([])
    const staging = readWanted(file, 'staging')
    expect(staging).toMatchObject({
      worker: 'atoll-staging',
      queues: ['atoll-jobs-staging', 'atoll-jobs-high-staging'],
      buckets: ['atoll-staging'],
    })
    expect(staging.databases.map(({ binding, name }) => `${binding} ${name}`)).toContain(
      'SHARD_3 atoll-shard-3-staging',
    )
    const namespaces = [...both.matchAll(/namespace_id = "(\d+)"/g)].map(([, id]) => id)
    expect(new Set(namespaces).size).toBe(6)
    expect(added(both, 'staging')).toBe(both)
  })

  it('are told what they lack, and completed', () => {
    const shard = '\n[[d1_databases]]\nbinding = "SHARD_4"\ndatabase_name = "atoll-shard-4"\n'
    const grown = both
      .replace('\n[assets]', `${shard}\n[assets]`)
      .replace('[vars]\n', '[vars]\nCOLOUR = "red"\n')
    expect(differencesOf(rawOf(grown))).toEqual(
      ['staging', 'production'].flatMap((env) => [
        `[[env.${env}.d1_databases]] lacks SHARD_4, which stands outside of it`,
        `[env.${env}.vars] lacks COLOUR, which stands outside of it`,
      ]),
    )
    const completed = added(added(grown, 'staging'), 'production')
    expect(differencesOf(rawOf(completed))).toEqual([])
    expect(completed).toContain('[env.staging.vars]\nCOLOUR = "red"\n')
    expect(completed).toContain('database_name = "atoll-shard-4-production"')
  })

  it('are told what they share with others, and what differs', () => {
    const shared = both.replace('namespace_id = "2003"', 'namespace_id = "2001"')
    expect(differencesOf(rawOf(shared))).toEqual([
      'what stands outside of all and env.staging share namespace_id "2001"',
    ])
    const differing = both.replace(
      /(env\.staging\.queues\.consumers\]\]\n.*\n)max_batch_size = 20/,
      '$1max_batch_size = 7',
    )
    expect(differencesOf(rawOf(differing))).toEqual([
      '[[env.staging.queues.consumers]] has atoll-jobs other than it stands outside of it',
    ])
  })
})
