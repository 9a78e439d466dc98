/**
 * The table of contents: middleware in order, then every area, one per line.
 * @module
 */
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import type { Caller } from './access/caller.ts'
import { limitRate } from './access/rate-limit.ts'
import { createBalancer } from './balancer/balancer.ts'
import { createBalancerApi } from './balancer/balancer-api.ts'
import type { AtollConfig } from './config.ts'
import { type AtollEnv, type Services, servicesFor } from './context.ts'
import { createDocs } from './docs/docs.ts'
import { type App, engineOf } from './engine.ts'
import { AtollError, errors } from './errors.ts'
import { emit } from './events.ts'
import { createJobsApi } from './jobs/jobs-api.ts'
import { createMeasure } from './monitor/measure.ts'
import { createDashboard, createMetricsRoute } from './monitor/monitor.ts'
import { createRest } from './rest/rest.ts'
import { createRoutes } from './routes.ts'
import { createStorage } from './storage/storage.ts'

/** Headers that browser code may read. */
const exposedHeaders =
  'Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit'
/** And those of a session, or of an answer without some shards. */
const exposedOfSessions = `${exposedHeaders}, Atoll-Session, Atoll-Missing-Shards`
/** And those of the cache. */
const exposedOfCached = `${exposedOfSessions}, Age, Cache-Status, ETag`
/** And those of files and uploads in parts. */
const exposedOfFiles = `${exposedHeaders}, Accept-Ranges, ETag, Last-Modified, Upload-Offset, Upload-Length, Upload-Expires, Upload-Defer-Length, Upload-Metadata, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm`
/** And those that say why something was refused. */
const exposedOfRefusals = `${exposedHeaders}, Proxy-Status, Retry-After, WWW-Authenticate`

export function createGateway(app: App): Hono<AtollEnv> {
  const engine = engineOf(app)
  const { config, catalog } = engine

  const woken = new WeakSet<Services>()
  const servicesOf = servicesFor(engine)
  const gateway = new Hono<AtollEnv>({ strict: false })
  gateway.onError((error, c) => errorResponse(error, c.req.raw))
  gateway.notFound((c) => errorResponse(errors.invalidPath(), c.req.raw))
  gateway.use(async (c, next) => {
    c.set('services', servicesOf(c.env))
    await next()
  })
  gateway.use(createMeasure(engine, app))
  // Before all that is said of our own API: origins speak for themselves.
  gateway.use(createBalancer(engine.origins, config, admit))
  gateway.use(corsFor(config))
  gateway.use(async (c, next) => {
    const { services } = c.var
    if (services.relay && !woken.has(services)) {
      woken.add(services)
      c.executionCtx.waitUntil(services.relay.repair())
    }
    c.set('caller', await admit(c.req.raw.headers, services))
    await next()
  })

  gateway.route('/rest/v1', createRest(catalog, app.functions ?? {}, config, app.migrations ?? []))
  gateway.route('/functions/v1', createRoutes(app.routes ?? {}, catalog))
  gateway.route('/storage/v1', createStorage(app.storage ?? {}, config))
  gateway.route('/jobs/v1', createJobsApi(config))
  gateway.route('/balancer/v1', createBalancerApi(engine.origins))
  gateway.route('/metrics', createMetricsRoute(engine))
  gateway.route(
    '/_atoll',
    createDashboard(engine, (request, env, context) => gateway.fetch(request, env, context)),
  )
  gateway.route('/docs', createDocs())
  gateway.get('/', (c) => c.redirect('/docs'))
  return gateway
}

/** Who is calling, when they may: 401 for a key or token that is none of ours, 429 for too many requests. */
async function admit(headers: Headers, { identify, limits }: Services): Promise<Caller> {
  if (limits === null) return identify(headers)
  const address = headers.get('cf-connecting-ip')
  try {
    const caller = await identify(headers)
    await limitRate(limits, caller, address)
    return caller
  } catch (error) {
    if (error instanceof AtollError && error.status === 401) await limitRate(limits, null, address)
    throw error
  }
}

/** Preflights are answered here; other OPTIONS requests go on to their area. */
function corsFor(config: AtollConfig) {
  const origin = config.corsOrigins === '*' ? '*' : [...config.corsOrigins]
  const handler = cors({ origin, exposeHeaders: [exposedHeaders], maxAge: 86_400, allowMethods: allMethods })
  const simple = cors({ origin, exposeHeaders: [exposedHeaders] })
  return ((c, next) => {
    if (c.req.method !== 'OPTIONS') {
      return simple(c, async () => {
        await next()
        if (c.req.path.startsWith('/storage/v1')) c.header('Access-Control-Expose-Headers', exposedOfFiles)
        else if (c.res.status >= 400) c.header('Access-Control-Expose-Headers', exposedOfRefusals)
        else if (c.res.headers.has('cache-status')) {
          c.header('Access-Control-Expose-Headers', exposedOfCached)
        } else if (c.res.headers.has('atoll-session') || c.res.headers.has('atoll-missing-shards')) {
          c.header('Access-Control-Expose-Headers', exposedOfSessions)
        }
      })
    }
    return c.req.header('access-control-request-method') ? handler(c, next) : next()
  }) satisfies ReturnType<typeof cors>
}

const allMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Errors that the caller is told go out as they are; all others as a plain 500, and as an event inside. */
function errorResponse(error: unknown, request: Request): Response {
  const told = error instanceof AtollError ? error : errors.internal(error)
  if (told.status === 500) {
    emit({
      kind: 'internal-error',
      method: request.method,
      path: new URL(request.url).pathname,
      error: told.cause,
    })
  }
  const headers = new Headers(told.headers)
  headers.set('Content-Type', 'application/json; charset=utf-8')
  if (!headers.has('Proxy-Status')) headers.set('Proxy-Status', `PostgREST; error=${told.body.code}`)
  const body = request.method === 'HEAD' ? null : JSON.stringify(told.body)
  return new Response(body, { status: told.status, headers })
}
