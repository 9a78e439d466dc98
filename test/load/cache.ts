/**
 * `npm run load -- cache`: answers from the cache beside a constant one, a bare call to the store, and the same read without
 * a cache; then readers and writers together.
 * @module
 */
import { FirstLevel } from '../../functions/cache/first-level.ts'
import { startTestServer } from '../support/local-server.ts'
import { startRedisProcess } from '../support/redis-process.ts'
import { compare, type Scenario, type Settings, secret } from './compare.ts'
import { zipfSequence } from './tool/draw.ts'

const tracks = 2400
const customers = 60

/** Ids that are asked, by Zipf's law. */
const trackAt = zipfSequence(tracks, 20_261_122)
/** One request in twenty writes the row that it asked for. */
const priceAt = (i: number) => (i % 20 === 0 ? JSON.stringify({ unit_price: 0.99 + (i % 7) / 10 }) : null)

/** Pages of 50, the first ones most often. */
const pageAt = zipfSequence(tracks / 50, 20_261_201)
const pageOf = (name: string) => ({
  path: (i: number) =>
    `/${name}/rest/v1/tracks?select=id,name,unit_price&order=id&limit=50&offset=${50 * (pageAt(i) - 1)}`,
  writePath: (i: number) => `/${name}/rest/v1/tracks?id=eq.${trackAt(i)}`,
})

const scenarios: readonly Scenario[] = [
  {
    name: 'hit in the isolate',
    differ: true,
    contenders: [
      { name: 'not asked for a second', path: () => '/cached/rest/v1/genres?id=eq.1' },
      { name: 'constant answer', path: () => '/constant' },
    ],
  },
  {
    name: 'hit in the store',
    differ: true,
    contenders: [
      { name: 'generations asked', path: (i) => `/cached/rest/v1/customers?id=eq.${1 + (i % customers)}` },
      { name: 'entry asked', path: (i) => `/store-only/rest/v1/customers?id=eq.${1 + (i % customers)}` },
      { name: 'bare call to it', path: () => '/bare' },
    ],
  },
  {
    name: 'one customer by id',
    contenders: [
      { name: 'cached', path: (i) => `/cached/rest/v1/customers?id=eq.${1 + (i % customers)}` },
      { name: 'uncached', path: (i) => `/uncached/rest/v1/customers?id=eq.${1 + (i % customers)}` },
    ],
  },
  {
    name: 'order with items and tracks',
    contenders: ['cached', 'uncached'].map((name) => ({
      name,
      path: (i: number) =>
        `/${name}/rest/v1/customers?id=eq.${1 + (i % customers)}&select=*,invoices(*,invoice_items(*,tracks(name)))`,
    })),
  },
  {
    name: '95 % reads, Zipf 0.99',
    contenders: ['cached', 'uncached'].map((name) => ({
      name,
      path: (i: number) => `/${name}/rest/v1/tracks?id=eq.${trackAt(i)}`,
      write: priceAt,
    })),
  },
]

const mixes: readonly Scenario[] = [
  {
    name: 'pages of 50, 5 % prices set',
    contenders: ['memory', 'strict', 'leased', 'uncached'].map((name) => ({
      name,
      ...pageOf(name),
      write: priceAt,
    })),
  },
  {
    name: 'warm pages of 50',
    contenders: ['strict', 'leased', 'memory'].map((name) => ({ name, path: pageOf(name).path })),
  },
]

export async function runCache(settings: Settings): Promise<void> {
  const redis = await startRedisProcess()
  const server = await startTestServer({
    entry: new URL('cache-worker.ts', import.meta.url).pathname,
    databases: ['DB'],
    isWhole: true,
    // What is measured is neither counted nor handed over.
    variables: { ...redis.variables, ATOLL_METRICS: 'off' },
    isBare: true,
  })
  try {
    const address = (await server.addressOf()).origin
    await compare(address, [...scenarios, ...mixes], settings)
    await tellMemory(address)
  } finally {
    await server.stop()
    await redis.stop()
  }
}

/** What the first level would hold of every track, by its own count. */
async function tellMemory(address: string): Promise<void> {
  const first = new FirstLevel(1_000_000_000)
  const bookmarks = new Map([['DB', '00000000-00000041-00000000-00000000000000000000000000000000']])
  let bodies = 0
  for (let id = 1; id <= tracks; id += 24) {
    const response = await fetch(`${address}/cached/rest/v1/tracks?id=eq.${id}`, { headers: secret })
    const body = await response.text()
    bodies += body.length
    const answer = { rows: 1, total: null, body, tag: response.headers.get('etag') }
    const key = JSON.stringify(['space', 'service_role', `GET tracks id=eq.?`, [String(id)], []])
    const generations = [crypto.randomUUID(), crypto.randomUUID()]
    first.put(key, { answer, generations, bookmarks, at: 0, until: 0, tookMs: 0 }, 0)
  }
  const held = Math.ceil(tracks / 24)
  console.log(
    `\nfirst level: ${Math.round(first.bytes / held)} bytes for a track whose answer has ${Math.round(bodies / held)} characters`,
  )
}
