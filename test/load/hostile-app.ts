/** The app of the run `hostile`: the fixture app with a table of JSON, open buckets, a route that reads bodies, and an origin. */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Hono } from 'hono'
import { defineStorage, defineTables, local } from '../../db/define.ts'
import type { App, AtollConfig } from '../../functions/areas.ts'
import { defineOrigins, type RouteEnv } from '../../functions/define.ts'
import { createWorker } from '../../functions/gateway.ts'
import { app } from '../fixture-app/app.ts'

const notes = sqliteTable('notes', { id: integer('id').primaryKey(), data: text('data', { mode: 'json' }) })

/** Reads a body in the way that the path names, and says how much there was. */
const reader = new Hono<RouteEnv>()
  .post('/json', async (c) => c.json(Object.keys(await c.req.json()).length))
  .post('/text', async (c) => c.json((await c.req.text()).length))
  .post('/form', async (c) => c.json(Object.keys(await c.req.parseBody()).length))

const rights = { select: true, insert: true } as const
export const hostileApp = (config: Partial<AtollConfig>): App => ({
  ...app,
  config,
  migrations: [],
  tables: {
    ...app.tables,
    ...defineTables({ notes: local(notes, { access: { anon: rights, authenticated: rights } }) }),
  },
  routes: { ...app.routes, reader },
  storage: {
    ...app.storage,
    ...defineStorage({
      hostile: {
        access: { anon: { insert: true, select: true }, authenticated: { insert: true, select: true } },
      },
    }),
  },
  origins: defineOrigins({
    pools: { behind: { origins: { one: { url: { variable: 'HOSTILE_ORIGIN' } } } } },
    routes: [{ path: '/proxied', pool: 'behind' }],
  }),
})

/** Its Worker. */
export function createHostile(whole: App) {
  const worker = createWorker(whole)
  return {
    ...worker,
    fetch(request: Request, env: never, context: ExecutionContext) {
      // Local servers see one address; these visitors say which they would have.
      const address = request.headers.get('x-address')
      if (address === null) return worker.fetch(request as never, env, context)
      const asked = new Request(request)
      asked.headers.set('cf-connecting-ip', address)
      return worker.fetch(asked as never, env, context)
    },
  }
}
