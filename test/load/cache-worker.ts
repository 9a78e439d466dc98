/**
 * The Worker of the cache's load run: Atoll with and without its cache, and next to them a constant answer and a bare call
 * to the store.
 */
import { Hono } from 'hono'
import type { TableDeclarations } from '../../db/catalog/declarations.ts'
import { createGateway } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import tables from '../fixture-app/db/app/tables.ts'

export { JobLimits } from '../../functions/jobs/job-limit.ts'
export { Metrics } from '../../functions/meter/metrics-store.ts'
export { Advisor } from '../../functions/monitor/advise/advisor.ts'

interface Bindings {
  readonly UPSTASH_REDIS_REST_URL: string
  readonly UPSTASH_REDIS_REST_TOKEN: string
}

/** How long readers of the leased tables may serve without asking, in milliseconds. */
const leaseMs = 300
const leasedTables = Object.fromEntries(
  Object.entries(tables as TableDeclarations).map(([name, declared]) => {
    const { options } = declared
    return [name, { ...declared, options: { ...options, cache: { ttlSeconds: 300, leaseMs } } }]
  }),
)
/** What of the catalogue may be a second old is asked for each time here, as most tables are. */
const strictTables = Object.fromEntries(
  Object.entries(tables as TableDeclarations).map(([name, declared]) => {
    return [name, { ...declared, options: { ...declared.options, cache: { ttlSeconds: 300 } } }]
  }),
)

/** Without the keeper of its trust, which a relay is, the store is not believed. */
const app = { tables, config: { cacheTimeoutMs: 5000 } }
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export const PoolWatch = createPoolWatch(app)

const worker = new Hono<{ Bindings: Bindings }>()
const cached = createGateway(app)
const uncached = createGateway({ tables, config: { cache: false } })
/** Its first level holds nothing, so that each hit is the store's. */
const storeOnly = createGateway({ tables, config: { cacheTimeoutMs: 5000, cacheFirstLevelBytes: 0 } })

const strict = createGateway({ tables: strictTables, config: { cacheTimeoutMs: 5000 } })
const leased = createGateway({ tables: leasedTables, config: { cacheTimeoutMs: 5000 } })
const inMemory = createGateway({ tables: strictTables, config: {} })
let envWithoutRedis: object | null = null

worker.all('/memory/*', (c) => {
  const url = new URL(c.req.url)
  url.pathname = url.pathname.slice('/memory'.length)
  envWithoutRedis ??= { ...c.env, UPSTASH_REDIS_REST_URL: '', UPSTASH_REDIS_REST_TOKEN: '' }
  return inMemory.fetch(new Request(url, c.req.raw), envWithoutRedis as never, c.executionCtx)
})
/** As it is when nothing is said. */
const usual = createGateway({ tables, config: {} })

const gateways = { cached, uncached, strict, leased, 'store-only': storeOnly, usual }
for (const [name, gateway] of Object.entries(gateways)) {
  worker.all(`/${name}/*`, (c) => {
    const url = new URL(c.req.url)
    url.pathname = url.pathname.slice(name.length + 1)
    const { UPSTASH_REDIS_REST_URL: _, ...without } = c.env
    const env = name === 'memory' ? without : c.env
    return gateway.fetch(new Request(url, c.req.raw), env as never, c.executionCtx)
  })
}
const constant = [
  {
    id: 1,
    name: 'For Those About To Rock',
    album_id: 1,
    media_type_id: 1,
    genre_id: 1,
    milliseconds: 343_719,
  },
]
worker.get('/constant', (c) => c.json(constant))
worker.get('/bare', async (c) => {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = c.env
  const response = await fetch(url, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: JSON.stringify(['MGET', 'a', 'b', 'c']),
  })
  return c.json(await response.json())
})

export default worker
