/**
 * The Worker of the cache's load run: Atoll with and without its cache, and next to them a constant answer and a bare call
 * to the store.
 */
import { Hono } from 'hono'
import { createGateway } from '../../functions/gateway.ts'
import { createPoolWatch, createRelay } from '../../functions/objects.ts'
import tables from '../fixture-app/db/app/tables.ts'

export { JobLimits } from '../../functions/jobs/job-limit.ts'
export { Metrics } from '../../functions/meter/metrics-store.ts'
export { Advisor } from '../../functions/monitor/advise/advisor.ts'

interface Bindings {
  readonly UPSTASH_REDIS_REST_URL: string
  readonly UPSTASH_REDIS_REST_TOKEN: string
}

/** Without the keeper of its trust, which a relay is, the store is not believed. */
const app = { tables, config: { cacheTimeoutMs: 5000 } }
export const Relay = createRelay(app)
export const PoolWatch = createPoolWatch(app)

const worker = new Hono<{ Bindings: Bindings }>()
const cached = createGateway(app)
const uncached = createGateway({ tables, config: { cache: false } })
/** Its first level holds nothing, so that each hit is the store's. */
const storeOnly = createGateway({ tables, config: { cacheTimeoutMs: 5000, cacheFirstLevelBytes: 0 } })

/** As it is when nothing is said. */
const usual = createGateway({ tables, config: {} })
/** Without Redis. */
const memory = createGateway({ tables, config: {} })

const gateways = { cached, uncached, 'store-only': storeOnly, usual, memory }
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
