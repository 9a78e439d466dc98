/**
 * The Worker of the load runs: Atoll, Atoll without its cache of compiled statements, and the same queries written
 * by hand. None of them has answers cached; `cache-worker.ts` is about those.
 */
import { Hono } from 'hono'
import tables from '../../db/app/tables.ts'
import { createGateway } from '../../functions/gateway.ts'
import { createHandWritten } from './hand-written.ts'

const worker = new Hono<{ Bindings: { DB: D1Database } }>()
worker.route('/hand', createHandWritten())
const atoll = createGateway({ tables, config: { cache: false } })
const forgetful = createGateway({ tables, config: { cache: false, compiledShapes: 0 } })
worker.all('/forgetful/*', (c) => {
  const url = new URL(c.req.url)
  url.pathname = url.pathname.replace('/forgetful', '')
  return forgetful.fetch(new Request(url, c.req.raw), c.env as never, c.executionCtx)
})
worker.all('*', (c) => atoll.fetch(c.req.raw, c.env as never, c.executionCtx))

export default worker
