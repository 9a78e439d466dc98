/**
 * `npm run load -- costs`: what the cache costs where it saves little. Reads and writes in many shares, of few keys and of many, from memory and
 * through Redis, beside the same without a cache; and whether hits are back soon after more requests than an isolate bears.
 * @module
 */
import { startTestServer } from '../support/local-server.ts'
import { startRedisProcess } from '../support/redis-process.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type Contender, compare, type Scenario, type Settings, shoot } from './compare.ts'
import type { Target } from './tool/ask.ts'
import { table } from './tool/report.ts'

const tracks = 2400
/** Tracks of a page. */
const pageRows = 50
/** Questions are drawn once, for all contenders. */
const drawn = 1 << 20

/** Requests of a hundred that write, and keys that are asked. */
const shares = [0, 5, 20, 50, 100]
const keyCounts = [10, 1000, 100_000, 1_000_000]

/** A track by its id; keys beyond the number of tracks ask for the same rows in other words. */
const byId = (key: number) => `tracks?id=eq.${1 + (key % tracks)}&milliseconds=gt.${Math.floor(key / tracks)}`
const page = (key: number) =>
  `tracks?order=id&limit=${pageRows}&offset=${pageRows * (key % 40)}&milliseconds=gt.${Math.floor(key / 40)}`

function mix(kind: string, pathOf: (key: number) => string, keys: number, share: number): Scenario {
  const random = seededRandom(20_261_201)
  const numbers = Int32Array.from({ length: drawn }, () => Math.floor(random() * keys))
  const writes = Uint8Array.from({ length: drawn }, () => (random() * 100 < share ? 1 : 0))
  const keyAt = (i: number) => numbers[i % drawn] as number
  return {
    name: `${kind}, ${keys} keys, ${share} % writes`,
    // What is in the memory of one gateway does not hear of another's writes.
    differ: true,
    contenders: ['memory', 'usual', 'uncached'].map(
      (name): Contender => ({
        name: name === 'usual' ? 'Redis' : name,
        path: (i) => `/${name}/rest/v1/${pathOf(keyAt(i))}`,
        write: (i) => (writes[i % drawn] === 1 ? JSON.stringify({ unit_price: 0.99 + (i % 7) / 10 }) : null),
        writePath: (i) => `/${name}/rest/v1/tracks?id=eq.${1 + (keyAt(i) % tracks)}`,
      }),
    ),
  }
}

const scenarios = [
  ...keyCounts.flatMap((keys) => shares.map((share) => mix('by id', byId, keys, share))),
  ...[40, 100_000].flatMap((keys) => [0, 5, 50].map((share) => mix('page of 50', page, keys, share))),
]

export async function runCosts(settings: Settings): Promise<void> {
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
    await compare(address, scenarios, settings)
    if ('overload'.includes(settings.only ?? '')) await tellOverload(address, settings)
  } finally {
    await server.stop()
    await redis.stop()
  }
}

/** Hits of one contender while it is asked by more than it bears, and after that. */
async function tellOverload(address: string, settings: Settings): Promise<void> {
  const contender: Contender = {
    name: 'Redis',
    path: (i) => `/usual/rest/v1/customers?id=eq.${1 + (i % 60)}`,
  }
  const target: Target = { url: new URL(address), keys: {} }
  const rows: string[][] = []
  const phases: [name: string, connections: number, seconds: number][] = [
    ['before', 64, 3],
    ['more', 128, 3],
    ['too many', 256, 5],
    ['the two seconds after', 64, 2],
    ['after them', 64, 3],
  ]
  for (const [name, connections, seconds] of phases) {
    const { result } = await shoot(contender, target, { ...settings, connections, seconds }, 1)
    const { requests, cacheHits, failed, latency } = result.all
    rows.push([
      name,
      String(connections),
      (requests / result.elapsedSeconds).toFixed(0),
      `${((100 * cacheHits) / requests).toFixed(0)} %`,
      latency.p99.toFixed(0),
      String(failed),
    ])
  }
  console.log(`\n${table(['overload', 'connections', 'req/s', 'hits', 'p99 ms', 'failed'], rows).join('\n')}`)
}
