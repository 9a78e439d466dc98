import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { defaultConfig } from '../../functions/areas.ts'
import { readAccount } from '../../functions/local/cloudflare/account-state.ts'
import { readDetails, switchReplication } from '../../functions/local/cloudflare/replication.ts'
import type { Wanted } from '../../functions/local/cloudflare/wanted.ts'
import { makeResources } from '../../functions/local/deploy/make-resources.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'

let cloudflare: Cloudflare
beforeAll(async () => {
  cloudflare = await startCloudflare()
})
beforeEach(() => {
  cloudflare.mend()
  cloudflare.isR2On = true
})
afterAll(() => cloudflare.stop())

const account = () => ({
  id: cloudflare.env.CLOUDFLARE_ACCOUNT_ID,
  api: {
    baseUrl: cloudflare.url,
    headers: { Authorization: `Bearer ${cloudflare.env.CLOUDFLARE_API_TOKEN}` },
    credentials: 'the token in CLOUDFLARE_API_TOKEN',
  },
})

const wantedBy = (name: string): Wanted => ({
  worker: name,
  env: null,
  accountId: undefined,
  databases: [
    { binding: 'DB', name, id: null },
    { binding: 'SHARD_1', name: `${name}-1`, id: null },
  ],
  queues: [`${name}-jobs`],
  buckets: [name],
  routes: [],
  isOnWorkersDev: true,
})

const make = async (wanted: Wanted) =>
  makeResources(account(), wanted, await readAccount(account(), wanted), {
    ...defaultConfig,
    databaseLocation: { DB: 'apac' },
  })

describe('what an account has', () => {
  it('is nothing at first, and is made once, where it is to lie', async () => {
    const wanted = wantedBy('one')
    expect(await readAccount(account(), wanted)).toEqual({
      worker: null,
      databases: [
        { binding: 'DB', name: 'one', id: null },
        { binding: 'SHARD_1', name: 'one-1', id: null },
      ],
      queues: new Map([['one-jobs', null]]),
      buckets: new Map([['one', false]]),
    })
    const made = await make(wanted)
    expect(made.map(({ id }) => id)).toEqual(['one', 'one-1'].map(cloudflare.idOf))
    expect(await make(wanted)).toEqual(made)
    expect(await readDetails(account(), made[0] as (typeof made)[0])).toMatchObject({
      replication: 'disabled',
      region: 'APAC',
    })
    expect(await switchReplication(account(), made[0] as (typeof made)[0], 'auto')).toBe('auto')
  })

  it('is made whatever becomes of the answers', async () => {
    cloudflare.fail({ match: /^POST/, how: 'drop-after', times: 3 })
    const made = await make(wantedBy('two'))
    expect(made.map(({ id }) => id)).toEqual(['two', 'two-1'].map(cloudflare.idOf))
    expect(cloudflare.queues.filter(({ queue_name: name }) => name === 'two-jobs')).toHaveLength(1)
    expect(cloudflare.buckets.filter(({ name }) => name === 'two')).toHaveLength(1)
  })

  it('is told with every permission that is missing, and where to add it', async () => {
    cloudflare.fail({ match: /GET .*\/queues/, how: 'status', status: 403, times: 9 })
    cloudflare.fail({ match: /GET .*\/d1\//, how: 'status', status: 403, times: 9 })
    await expect(readAccount(account(), wantedBy('three'))).rejects.toThrow(
      /the token in CLOUDFLARE_API_TOKEN what a deployment needs\. What is missing:\n {2}D1: Edit\n {2}Queues: Edit\n.*api-tokens/,
    )
  })

  it('is told when R2 is not switched on', async () => {
    cloudflare.isR2On = false
    await expect(readAccount(account(), wantedBy('four'))).rejects.toThrow('R2 is not switched on')
  })
})
