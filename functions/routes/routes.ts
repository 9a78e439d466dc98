/**
 * `/functions/v1/<name>`: the app's own Hono handlers, where `supabase.functions.invoke` calls them.
 * @module
 */
import { Hono } from 'hono'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { AtollError } from '../../db/errors/atoll-error.ts'
import { visitOf } from '../core/context.ts'
import { errorResponse, isToldBriefly } from '../core/error-response.ts'
import { accountOf, writeInnerSession } from '../databases/area.ts'
import { createJobs } from '../jobs/area.ts'
import { writeHeaders } from '../meter/area.ts'
import { createChannelSender, openApi, openAppDatabases, tellFailure, watched } from '../own-code/area.ts'
import { openBudgets } from '../rest/area.ts'
import type { RouteEnv, RouteManifest } from './define-route.ts'
import { boundBody } from './route-body.ts'
import type { Engine } from './services.ts'

export function createRoutes(routes: RouteManifest, catalog: Catalog, config: Engine['config']) {
  const budgetOf = openBudgets(config.budgets)
  const area = new Hono<RouteEnv>({ strict: false })
  const refusalsOf = new WeakMap<Request, readonly AtollError[]>()
  // After the handlers' own, where they have one.
  area.onError((error, c) => {
    const told = tellFailure(error, catalog, refusalsOf.get(c.req.raw) ?? [])
    return errorResponse(told, c.req.raw, isToldBriefly(config, c.var.caller))
  })
  area.use(async (c, next) => {
    const { services } = c.var
    const visit = visitOf(c)
    const runsFor = { account: accountOf(visit), name: `functions/${routeOf(visit.raw, routes)}` }
    const databases = openAppDatabases(services, catalog, visit.later, null, runsFor)
    const { api, session, refusals } = await openApi(visit, databases)
    refusalsOf.set(visit.raw, refusals)
    c.set('database', databases.database)
    c.set('shards', databases.shards)
    c.set('jobs', createJobs(services, databases))
    c.set('api', api)
    c.set('realtime', createChannelSender(services, databases, visit.later))
    const { pending } = services
    boundBody(visit.raw, { budget: budgetOf(visit.caller.role), maxBytes: config.maxBodyBytes, pending })
    try {
      await watched(runsFor, services, next)
    } finally {
      pending.done(visit.raw)
      await databases.settle()
    }
    if (c.res.status !== 101) await writeInnerSession(visit, (write) => writeHeaders(c, write), session)
  })
  for (const [name, handlers] of Object.entries(routes)) area.route(`/${name}`, handlers)
  return area
}

/** The name in the manifest that a request's path begins with; callers can write one in several ways. */
function routeOf({ url }: Request, routes: RouteManifest): string {
  const path = new URL(url).pathname.split('/').slice(3).map(tryDecode).join('/')
  return Object.keys(routes).find((name) => path === name || path.startsWith(`${name}/`)) ?? ''
}

function tryDecode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
