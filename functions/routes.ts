/**
 * `/functions/v1/<name>`: the app's own Hono handlers, where `supabase.functions.invoke` calls them.
 * @module
 */
import { Hono } from 'hono'
import type { Catalog } from '../db/catalog/catalog.ts'
import { openAppDatabases } from './app-databases.ts'
import type { RouteEnv, RouteManifest } from './define.ts'

export function createRoutes(routes: RouteManifest, catalog: Catalog) {
  const area = new Hono<RouteEnv>({ strict: false })
  area.use(async (c, next) => {
    const { database, shards, settle } = openAppDatabases(c.var.services, catalog)
    c.set('database', database)
    c.set('shards', shards)
    await next()
    await settle()
  })
  for (const [name, handlers] of Object.entries(routes)) area.route(`/${name}`, handlers)
  return area
}
