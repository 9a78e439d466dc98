import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defaultConfig } from '../../functions/areas.ts'
import { Batcher } from '../../functions/jobs/batcher.ts'
import { changes, defaultRetry, defineJob, type RowChange } from '../../functions/jobs/define-job.ts'
import { createJobRegistry } from '../../functions/jobs/job-registry.ts'
import { whyNotPublic } from '../../functions/jobs/public-address.ts'
import { retryDelayMs } from '../../functions/jobs/retry-delay.ts'
import { readWebhookSecret, signWebhook } from '../../functions/jobs/sign-webhook.ts'
import { webhookJob } from '../../functions/jobs/webhook-job.ts'
import tables from '../fixture-app/db/app/tables.ts'

const run = async () => undefined

describe('the delay of a retry', () => {
  it('grows by the factor up to its bound, and varies between half of itself and all', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, random) => {
          const whole = Math.min(3600, 2 * 4 ** (attempt - 1)) * 1000
          const delay = retryDelayMs(defaultRetry, attempt, random)
          return delay >= Math.floor(whole / 2) && delay <= whole
        },
      ),
    )
    expect(retryDelayMs(defaultRetry, 1, 1)).toBe(2000)
    expect(retryDelayMs(defaultRetry, 2, 0)).toBe(4000)
  })
})

describe('the registry', () => {
  const catalog = buildCatalog(tables)

  it('says all that is wrong with the jobs at once', () => {
    const jobs = [
      defineJob({ name: 'no name', input: z.object({}), run }),
      defineJob({ name: 'twice', input: z.object({}), run }),
      defineJob({ name: 'twice', input: z.object({}), run }),
      defineJob({ name: 'a', on: changes('inovices', 'insert'), run }),
      defineJob({ name: 'b', on: changes('invoices', 'update', { columns: ['totl'] }), run }),
      defineJob({ name: 'c', cron: '61 * * * *', run }),
      defineJob({ name: 'd', cron: '0 3 * * *', timeZone: 'Europe/Atlantis', run }),
      defineJob({
        name: 'e',
        input: z.object({}),
        retry: { maxAttempts: 0, factor: 0.5 },
        timeoutSeconds: 901,
        run,
      }),
      defineJob({ name: 'f', input: z.object({}), concurrency: 0, queue: 'A B', run }),
      { name: 'g', run },
    ]
    let message = ''
    try {
      createJobRegistry(jobs as never, catalog)
    } catch (error) {
      message = (error as Error).message
    }
    const lines = message.split('\n').slice(1)
    expect(lines).toHaveLength(12)
    for (const part of [
      'no name',
      'two of this name',
      'no table inovices',
      'no column totl',
      '"61 * * * *"',
      'Europe/Atlantis',
      'maxAttempts',
      'factor',
      '900',
      'concurrency',
      '"A B"',
      'one of input, on and cron',
    ]) {
      expect(message).toContain(part)
    }
  })
})

describe('a batcher', () => {
  it('puts together what comes while a call is under way, and tells each of its own call', async () => {
    const calls: number[][] = []
    const ends: (() => void)[] = []
    const batcher = new Batcher<number, number>(async (items) => {
      calls.push([...items])
      await new Promise<void>((end) => ends.push(end))
      if (items.includes(3)) throw new Error('no')
      return items.map((item) => item * 10)
    })
    const first = batcher.add([1])
    await new Promise((wake) => setTimeout(wake))
    const second = batcher.add([2])
    const third = batcher.add([3, 4])
    ends.shift()?.()
    expect(await first).toEqual([10])
    await new Promise((wake) => setTimeout(wake))
    const fourth = batcher.add([5])
    ends.shift()?.()
    await expect(second).rejects.toThrow('no')
    await expect(third).rejects.toThrow('no')
    await new Promise((wake) => setTimeout(wake))
    ends.shift()?.()
    await fourth
    expect(calls).toEqual([[1], [2, 3, 4], [5]])
  })
})

describe('the address of a webhook', () => {
  const isPublic = (url: string) => whyNotPublic(new URL(url)) === null

  it('may be one of the public internet', () => {
    for (const url of [
      'https://example.com/hook',
      'http://8.8.8.8:8080/',
      'https://[2606:4700::1111]/',
      'https://a.b.example.org',
    ]) {
      expect([url, isPublic(url)]).toEqual([url, true])
    }
  })

  it('may not be one that only the Worker can reach, however it is written', () => {
    for (const url of [
      'http://127.0.0.1/',
      'http://127.1/',
      'http://2130706433/',
      'http://0x7f.0.0.1/',
      'http://0177.0.0.1/',
      'http://0/',
      'http://10.0.0.1/',
      'http://172.16.9.9/',
      'http://192.168.1.1/',
      'http://169.254.169.254/latest/meta-data',
      'http://100.64.0.1/',
      'http://[::1]/',
      'http://[::7f00:1]/',
      'http://db.localdomain/',
      'http://[::]/',
      'http://[fe80::1]/',
      'http://[fd00::1]/',
      'http://[::ffff:10.0.0.1]/',
      'http://[::ffff:7f00:1]/',
      'http://[64:ff9b::10.0.0.1]/',
      'http://[2002:7f00:1::]/',
      'http://224.0.0.1/',
      'http://255.255.255.255/',
      'http://0.0.0.0/',
      'http://localhost/',
      'http://LOCALHOST./',
      'http://api.localhost/',
      'http://printer.local/',
      'http://db.internal/',
      'http://intranet/',
      'http://metadata.google.internal/',
      'ftp://example.com/',
      'file:///etc/passwd',
      'https://user:pass@example.com/',
    ]) {
      expect([url, isPublic(url)]).toEqual([url, false])
    }
  })
})

describe('the signature of a webhook', () => {
  const secret = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`

  it('is what the reference library makes of it', async () => {
    const now = new Date('2026-01-01T00:00:00Z')
    const key = readWebhookSecret(secret)
    if (key === null) throw new Error('it is a secret')
    const signed = await signWebhook(key, 'DB.1', now.getTime() / 1000, '{"a":"é"}')
    expect(signed['webhook-signature']).toBe(new Webhook(secret).sign('DB.1', now, '{"a":"é"}'))
  })

  it('needs a secret of 24 to 64 bytes', () => {
    for (const text of ['', 'whsec_', 'whsec_c2hvcnQ=', '!', `whsec_${'A'.repeat(120)}`]) {
      expect(readWebhookSecret(text)).toBeNull()
    }
    expect(readWebhookSecret(secret.slice(6))).not.toBeNull()
  })
})

describe('a webhook', () => {
  let server: Server
  let hits: string[] = []
  let addresses: Record<string, string> = {}
  let origin = ''
  beforeAll(async () => {
    server = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://localhost')
      const name = url.searchParams.get('name')
      if (name === null) {
        hits.push(url.pathname)
        response.end()
        return
      }
      const type = Number(url.searchParams.get('type'))
      const data = addresses[name]
      const isOfType = data !== undefined && (type === 28) === data.includes(':')
      response.end(
        JSON.stringify({
          Status: 0,
          Answer: isOfType
            ? [
                { type: 5, data: 'alias.' },
                { type, data },
              ]
            : [],
        }),
      )
    })
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => void server.close())

  const secret = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`
  const deliver = (url: string, config = {}) => {
    const hook = { name: 'h', on: changes('genres', 'insert'), url, secret: 'SECRET' }
    const job = webhookJob(hook, { ...defaultConfig, webhookResolver: `${origin}/dns`, ...config })
    const input = { table: 'genres', operation: 'insert', key: { id: 1 } } as unknown as RowChange
    return job.run(
      { id: 'DB.1', input, signal: AbortSignal.timeout(5000) } as never,
      {
        setting: (name: string) => (name === 'SECRET' ? secret : undefined),
      } as never,
    )
  }

  it('is not delivered to addresses that are not public, unless the app allows it', async () => {
    hits = []
    await expect(deliver(`${origin}/hook`)).rejects.toThrow('not a public address')
    expect(hits).toEqual([])
    await deliver(`${origin}/hook`, { webhooksToPrivateAddresses: true })
    expect(hits).toEqual(['/hook'])
  })

  it('is not delivered to names that lead to such addresses', async () => {
    addresses = { 'rebound.example.com': '10.1.2.3', 'six.example.com': 'fd00::1' }
    await expect(deliver('http://rebound.example.com/')).rejects.toThrow('at 10.1.2.3')
    await expect(deliver('http://six.example.com/')).rejects.toThrow('at fd00::1')
    await expect(deliver('http://nowhere.example.com/')).rejects.toThrow('has no address')
  })
})
