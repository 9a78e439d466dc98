/**
 * `/functions/v1/<name>`: the app's own Hono handlers, where `supabase.functions.invoke` calls them.
 * @module
 */
import { Hono } from 'hono'
import type { Catalog } from '../db/catalog/catalog.ts'
import { openAppDatabases } from './app-databases.ts'
import type { RouteEnv, RouteManifest } from './define.ts'
import { createJobs } from './jobs/send-jobs.ts'

export function createRoutes(routes: RouteManifest, catalog: Catalog) {
  const area = new Hono<RouteEnv>({ strict: false })
  area.use(async (c, next) => {
    const { services } = c.var
    const databases = openAppDatabases(services, catalog, (work) => c.executionCtx.waitUntil(work))
    c.set('database', databases.database)
    c.set('shards', databases.shards)
    c.set('jobs', createJobs(services, databases))
    await next()
    await databases.settle()
  })
  for (const [name, handlers] of Object.entries(routes)) area.route(`/${name}`, handlers)
  return area
}
