/** The Worker of the load runs: Atoll, and beside it the same queries written by hand. */
import { Hono } from 'hono'
import atoll from '../../functions/index.ts'
import { createHandWritten } from './hand-written.ts'

const worker = new Hono<{ Bindings: { DB: D1Database } }>()
worker.route('/hand', createHandWritten())
worker.all('*', (c) => atoll.fetch(c.req.raw, c.env as never, c.executionCtx))

export default worker
