/** The Worker of the runs about files: Atoll, and R2's binding behind nothing. */

import { Hono } from 'hono'
import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import tables from '../fixture-app/db/app/tables.ts'

export { JobLimits } from '../../functions/jobs/job-limit.ts'
export { Metrics } from '../../functions/meter/metrics-store.ts'
export { Advisor } from '../../functions/monitor/advise/advisor.ts'

const app = { tables, config: { cache: false, storageMaxObjectBytes: 3_000_000_000 } }
export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
const worker = createWorker(app)

const bare = new Hono<{ Bindings: { BUCKET: R2Bucket } }>()
bare.put('/bare/:key', async (c) => {
  const stored = await c.env.BUCKET.put(`bare/${c.req.param('key')}`, c.req.raw.body)
  return c.json({ etag: stored?.etag })
})
bare.get('/bare/:key', async (c) => {
  const found = await c.env.BUCKET.get(`bare/${c.req.param('key')}`)
  return found ? new Response(found.body) : c.notFound()
})

export default {
  ...worker,
  fetch: (request: Request, env: never, context: ExecutionContext) =>
    new URL(request.url).pathname.startsWith('/bare/')
      ? bare.fetch(request, env, context)
      : worker.fetch(request, env, context),
}
