/**
 * `/functions/v1/<name>`: the app's own Hono handlers, where `supabase.functions.invoke` calls them.
 * @module
 */
import { Hono } from 'hono'
import type { RouteEnv, RouteManifest } from './define.ts'

export function createRoutes(routes: RouteManifest) {
  const area = new Hono<RouteEnv>({ strict: false })
  area.use(async (c, next) => {
    c.set('database', c.var.services.database)
    c.set('shards', c.var.services.shards)
    await next()
  })
  for (const [name, handlers] of Object.entries(routes)) area.route(`/${name}`, handlers)
  return area
}
