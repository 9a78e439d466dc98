/**
 * The table of contents: middleware in order, then every area, one per line.
 * @module
 */
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { AtollError } from '../db/errors/atoll-error.ts'
import { callerKey, limitRate } from './access/rate-limit.ts'
import { type App, areas, type Env, engineOf, gauges, type Services, servicesFor } from './areas.ts'
import { createBalancer } from './balancer/balancer.ts'
import type { Area, Mount } from './core/area.ts'
import { anonymousCaller, type Caller } from './core/caller.ts'
import type { CoreConfig } from './core/config.ts'
import type { AtollEnv as AtollEnvOf } from './core/context.ts'
import { errorResponse, isToldBriefly } from './core/error-response.ts'
import { errors } from './core/errors.ts'
import { readTimeTravel } from './core/time-travel.ts'
import { runBatch } from './jobs/run-batch.ts'
import type { JobMessage } from './jobs/services.ts'
import { createMeasure, writeHeaders } from './meter/measure.ts'
import { PlacedApps } from './placed-app.ts'

/** Headers that browser code may read. */
const exposedHeaders =
  'Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit'
/** And those of a session, or of an answer without some shards. */
const exposedOfSessions = `${exposedHeaders}, Atoll-Session, Atoll-Missing-Shards`
/** And those of a write that is answered again. */
const exposedOfReplays = `${exposedOfSessions}, Idempotency-Replayed`
/** And those of the cache. */
const exposedOfCached = `${exposedOfSessions}, Age, Cache-Status, ETag`
/** And those that say why something was refused. */
const exposedOfRefusals = `${exposedHeaders}, Proxy-Status, Retry-After, WWW-Authenticate`

type AtollEnv = AtollEnvOf<Services, Env>

/** What answers requests: Hono's, as far as the Worker needs it. */
export type Gateway = Pick<Hono<AtollEnv>, 'fetch'>

export function createGateway(app: App): Gateway {
  const engine = engineOf(app)
  const { config, catalog } = engine

  const woken = new WeakSet<Services>()
  const servicesOf = servicesFor(engine)
  const setServices: MiddlewareHandler<AtollEnv> = async (c, next) => {
    c.set('services', servicesOf(c.env))
    await next()
  }
  const setCallerOf =
    (isOpen: boolean): MiddlewareHandler<AtollEnv> =>
    async (c, next) => {
      const services = c.get('services')
      if (services.timeTravel?.isClosed && firstSegment(c.req.url) !== 'backups')
        throw errors.closedForTimeTravel()
      if (services.relay && !woken.has(services)) {
        woken.add(services)
        c.executionCtx.waitUntil(services.relay.repair())
      }
      const { raw } = c.req
      const admitted = await admit(headersWithKey(raw), services, isOpen)
      const caller = await withValues(raw, admitted, c.env)
      c.set('caller', caller)
      engine.pending.sentBy(raw, callerKey(caller, raw.headers.get('cf-connecting-ip')))
      await next()
    }
  /** What the app wants to know before. @throws what it refuses with */
  const withValues = async (raw: Request, caller: Caller, env: Env): Promise<Caller> => {
    if (config.before === null || !asksBefore.has(firstSegment(raw.url))) return caller
    const { url, method, headers } = raw
    const values = await config.before({ request: new Request(url, { method, headers }), caller, env })
    return values === undefined ? caller : { ...caller, values }
  }
  const measure = createMeasure(config, {
    tables: [...catalog.tables.values()].flatMap(({ name, shownName }) => [name, shownName]),
    functions: Object.keys(app.functions ?? {}),
    routes: Object.keys(app.routes ?? {}),
  })
  // Before all that is said of our own API: origins speak for themselves.
  const balance = engine.origins.routes.length > 0 ? [createBalancer(engine.origins, config, admit)] : []
  /** An area with all that stands before it. Each has a router of its own, so that none makes another's slower. */
  const area = (
    { exposes, tellsErrors, isOpen = false }: Pick<Area, 'exposes' | 'tellsErrors' | 'isOpen'>,
    [path, routes]: Mount,
  ) => {
    const hono = new Hono<AtollEnv>({ strict: false })
    // Of who could not be told, there is no caller.
    const told = (error: unknown, c: Context<AtollEnv>) =>
      tellsErrors?.(error, c.req.raw) ??
      errorResponse(error, c.req.raw, isToldBriefly(config, c.get('caller') as Caller | undefined))
    hono.onError(told)
    hono.notFound((c) => told(errors.invalidPath(), c))
    for (const handler of [setServices, measure, ...balance, corsFor(config, exposes), setCallerOf(isOpen)]) {
      // Each knows the services that it needs.
      hono.use(handler as MiddlewareHandler<AtollEnv>)
    }
    return hono.route(path, routes)
  }

  const fetch: Gateway['fetch'] = (request, env, context) =>
    (byFirst.get(firstSegment(request.url)) ?? others).fetch(request, env, context)
  const byFirst = new Map(
    (areas as readonly Area[]).flatMap((one) =>
      (one.routes?.(engine as never, app as never, { ask: fetch, gauges }) ?? []).map((mount) => [
        mount[0].split('/')[1] as string,
        area(one, mount),
      ]),
    ),
  )
  const others = area({}, ['/', new Hono<AtollEnv>().get('/', (c) => c.redirect('/docs'))])
  return { fetch }
}

/** Browsers cannot give a WebSocket headers: its key is in the address. */
function headersWithKey({ url, headers }: Request): Headers {
  const key = firstSegment(url) === 'realtime' ? new URL(url).searchParams.get('apikey') : null
  if (key === null || headers.has('apikey')) return headers
  const own = new Headers(headers)
  own.set('apikey', key)
  return own
}

/** First segments of what `before` is asked for. */
const asksBefore: ReadonlySet<string> = new Set(['rest', 'storage', 'functions'])

/** `rest` of `https://example.com/rest/v1/albums`. */
function firstSegment(url: string): string {
  const start = url.indexOf('/', url.indexOf('//') + 2) + 1
  const end = url.slice(start).search(/[/?#]/)
  return end < 0 ? url.slice(start) : url.slice(start, start + end)
}

const withoutKey: Caller = { ...anonymousCaller, key: 'none' }

/** Who is calling, when they may: 401 for a key or token that is none of ours, 429 for too many requests. */
async function admit(
  headers: Headers,
  { identify: identifySent, limits }: Pick<Services, 'identify' | 'limits'>,
  isOpen = false,
): Promise<Caller> {
  const hasNone = isOpen && !headers.has('apikey') && !headers.has('authorization')
  const identify = hasNone ? async () => withoutKey : identifySent
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

/**
 * Preflights are answered here; other OPTIONS requests go on to their area. What other answers say is written once they are there:
 * a context that is given headers before it has an answer copies the answer to add them.
 */
function corsFor(config: CoreConfig, exposes: Area['exposes']): MiddlewareHandler<AtollEnv> {
  const always = exposes && `${exposedHeaders}, ${exposes.join(', ')}`
  const { corsOrigins } = config
  const origin = corsOrigins === '*' ? '*' : [...corsOrigins]
  const preflight = cors({
    origin,
    exposeHeaders: [exposedHeaders],
    maxAge: 86_400,
    allowMethods: allMethods,
    // Of named origins, browsers may send what they keep for this one.
    credentials: corsOrigins !== '*',
  })
  return async (c, next) => {
    if (c.req.method === 'OPTIONS' && c.req.header('access-control-request-method')) return preflight(c, next)
    await next()
    // A WebSocket is no answer that may be copied.
    if (c.res.status === 101) return
    const sent = corsOrigins === '*' ? '*' : (c.req.raw.headers.get('origin') ?? '')
    writeHeaders(c, (headers) => {
      const isAllowed = corsOrigins === '*' || corsOrigins.includes(sent)
      if (isAllowed) headers.set('Access-Control-Allow-Origin', sent)
      if (isAllowed && corsOrigins !== '*') headers.set('Access-Control-Allow-Credentials', 'true')
      if (corsOrigins !== '*') headers.append('Vary', 'Origin')
      headers.set('Access-Control-Expose-Headers', always ?? exposedBy(c.res.status, headers))
    })
  }
}

function exposedBy(status: number, headers: Headers): string {
  if (status >= 400) return exposedOfRefusals
  if (headers.has('cache-status')) return exposedOfCached
  if (headers.has('idempotency-replayed')) return exposedOfReplays
  return headers.has('atoll-session') || headers.has('atoll-missing-shards')
    ? exposedOfSessions
    : exposedHeaders
}

const allMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** What the platform calls: requests, batches of a queue, and the schedule that keeps the relays awake. */
export function createWorker(app: App) {
  const placed = new PlacedApps(app)
  const gateways = new WeakMap([[app, createGateway(app)]])
  const gatewayOf = (used: App) => {
    const gateway = gateways.get(used) ?? createGateway(used)
    gateways.set(used, gateway)
    return gateway
  }
  return {
    async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
      return placed.answer(request, env, async (used, asked) => gatewayOf(used).fetch(asked, env, context))
    },
    async queue(
      { messages }: Pick<MessageBatch<JobMessage>, 'messages'>,
      env: Env,
      context: ExecutionContext,
    ) {
      const isClosed = readTimeTravel(env)?.isClosed === true
      const used = isClosed ? null : await placed.settled(env)
      if (used === null) {
        for (const message of messages) message.retry({ delaySeconds: isClosed ? 60 : 1 })
        return
      }
      const engine = engineOf(used)
      const services = servicesFor(engine)(env)
      try {
        await runBatch(messages, engine, services, (work) => context.waitUntil(work))
      } finally {
        services.handOver?.(context)
      }
    },
    // A deployment that nobody asks has schedules and retries as well.
    scheduled: async (_: ScheduledController, env: Env) => servicesFor(engineOf(app))(env).relay?.repair(),
  } satisfies ExportedHandler<Env, JobMessage>
}
