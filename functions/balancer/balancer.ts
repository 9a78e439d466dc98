/**
 * The reverse proxy: requests that fit a route of `functions/app/origins.ts` go to an origin of its pool; all others go on.
 * @module
 */
import type { Context, MiddlewareHandler } from 'hono'
import { type AccessServices, callerKey, callerNetwork } from '../access/area.ts'
import type { Caller } from '../core/caller.ts'
import type { CoreConfig } from '../core/config.ts'
import { writeTrace } from '../core/request-trace.ts'
import { isTimed } from '../core/timing.ts'
import { type Answered, defaultTimeouts, type Job } from './attempt.ts'
import { passOn, receiveBody } from './body.ts'
import { readCookies } from './cookies.ts'
import type { OriginDeclarations, RouteDeclaration } from './declarations.ts'
import { errors } from './errors.ts'
import { type Chosen, forward } from './forward.ts'
import { isLoop, requestHeaders, responseHeaders } from './forward-headers.ts'
import type { ProxyVisit } from './proxy-visit.ts'
import { createResponseCache } from './response-cache.ts'
import { createRouteTable } from './routes.ts'
import type { AtollEnv, Services } from './services.ts'
import { stickyCookieName } from './sticky.ts'
import { hashOf } from './strategies/maglev.ts'

/** RFC 9110, 9.2.2. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
const defaultMaxOutstanding = 1000

export type Admit = (headers: Headers, services: AccessServices) => Promise<Caller>

export function createBalancer(
  declarations: OriginDeclarations,
  config: CoreConfig,
  admit: Admit,
): MiddlewareHandler<AtollEnv> {
  const table = createRouteTable(declarations.routes)
  const cache = createResponseCache()
  return async (c, next) => {
    if (declarations.routes.length === 0) return next()
    const asked = new URL(c.req.url)
    const route = table.find(asked, c.req.method)
    if (route === null) return next()
    Object.assign(c.var.measured, { area: 'proxy', route: route.path })
    const visit = await enter(c, route, asked, admit)
    const send = (headers: Headers) => proxy(visit, headers, config)
    return route.cache ? cache.answer(visit, send) : send(visit.headers)
  }
}

/** Sees to it that the request may go, before anything is asked of an origin. */
async function enter(
  c: Context<AtollEnv>,
  route: RouteDeclaration,
  asked: URL,
  admit: Admit,
): Promise<ProxyVisit> {
  const request = c.req.raw
  const { services } = c.var
  const later = (work: Promise<unknown>) => c.executionCtx.waitUntil(work)
  if (isLoop(request.headers)) throw errors.proxyLoop()
  await limit(route, request.headers, services)
  const caller = route.roles ? await admit(request.headers, services) : null
  if (caller && caller.role !== 'service_role' && !route.roles?.includes(caller.role))
    throw errors.routeDenied(caller.role !== 'anon')
  services.pending.sentBy(request, callerKey(caller, request.headers.get('cf-connecting-ip')))
  const link = services.pool(route.pool)
  const { pool } = link
  await link.refresh(later)
  const { keys } = services
  const headers = requestHeaders(
    request.headers,
    {
      address: request.headers.get('cf-connecting-ip'),
      url: asked,
      role: caller?.role ?? null,
      subject: caller?.sub ?? null,
    },
    {
      route,
      receives: pool.declared.receives ?? [],
      ownCookies: [stickyCookieName(pool.name, pool.declared)],
      isKey: (text) => text !== '' && (text === keys.publishable || text === keys.secret),
    },
  )
  writeTrace(headers, c.var.trace)
  return { request, asked, route, services, link, headers, isPersonal: caller !== null, later }
}

async function limit(
  { rateLimit: rule }: RouteDeclaration,
  headers: Headers,
  services: Services,
): Promise<void> {
  if (!rule) return
  const binding = services.rateLimit(rule.binding)
  if (binding === null) return
  const by = rule.by ?? 'address'
  const who =
    by === 'address' ? callerNetwork(headers.get('cf-connecting-ip')) : (headers.get(by.header) ?? '')
  const { success } = await binding.limit({ key: `route:${who}` })
  if (!success) throw errors.proxiedTooOften(services.rateLimitSeconds)
}

/** Sends it to an origin, and passes on what that answers. */
async function proxy(visit: ProxyVisit, headers: Headers, config: CoreConfig): Promise<Response> {
  const { request, asked, route, link, services, later } = visit
  const { pool } = link
  const { pending } = services
  const start = performance.now()
  const pause = pool.breaker.ask(Date.now())
  if (pause > 0) {
    pool.countRefused()
    throw errors.poolBroken(pool.name, Math.ceil(pause / 1000))
  }
  if (pool.outstanding >= (pool.declared.maxOutstanding ?? defaultMaxOutstanding)) {
    pool.countRefused()
    throw errors.poolFull(pool.name, 1)
  }
  // A WebSocket that was opened twice would be two.
  const isIdempotent = idempotent.has(request.method) && !headers.has('upgrade')
  const job: Job = {
    pool,
    route,
    timeouts: { ...defaultTimeouts, ...pool.declared.timeouts, ...route.timeouts },
    method: request.method,
    asked,
    headers,
    body: await receiveBody(request, route.maxRequestBytes ?? Number.POSITIVE_INFINITY, pending),
    isIdempotent,
    signal: request.signal,
  }
  const chosen: Chosen = { hash: hashFor(visit), sticky: await stickyFor(visit) }
  const work = forward(job, chosen).finally(() => pending.done(request))
  // What is under way is counted, and must come to an end even when the client has gone.
  later(work.catch(() => undefined))
  const { answered, tries } = await work
  const response = answer(visit, answered)
  if (pool.declared.sticky && chosen.sticky !== answered.origin.name) {
    const isSecure = asked.protocol === 'https:'
    const cookie = services.stickyCookies.write(pool.name, pool.declared, answered.origin.name, isSecure)
    response.headers.append('Set-Cookie', await cookie)
  }
  if (isTimed(config, request.headers, request.headers.get('apikey') === services.keys.secret)) {
    const ms = performance.now() - start
    response.headers.append(
      'Server-Timing',
      `origin;desc="${answered.origin.name}";dur=${answered.ms.toFixed(1)}, balancer;desc="tries=${tries}";dur=${ms.toFixed(1)}`,
    )
  }
  return response
}

function answer({ route, asked, later }: ProxyVisit, { answer, origin, at, ended }: Answered): Response {
  const headers = responseHeaders(answer, { route, asked, origin: origin.target.url, at })
  const { status, statusText } = answer
  if (answer.webSocket) {
    ended(null)
    return new Response(null, { status: 101, webSocket: answer.webSocket, headers })
  }
  const maxBytes = route.maxResponseBytes ?? Number.POSITIVE_INFINITY
  if (Number(answer.headers.get('content-length') ?? 0) > maxBytes) {
    ended(null)
    later(Promise.resolve(answer.body?.cancel()))
    throw errors.answerTooLarge(maxBytes)
  }
  if (answer.body === null) {
    ended(null)
    return new Response(null, { status, statusText, headers })
  }
  const { body, done } = passOn(answer, maxBytes, ended)
  later(done)
  return new Response(body, { status, statusText, headers })
}

function hashFor({ link, request, asked }: ProxyVisit): number | null {
  const { strategy } = link.pool.declared
  if (typeof strategy !== 'object') return null
  const { hash } = strategy
  if (hash === 'path') return hashOf(asked.pathname)
  const value =
    'header' in hash
      ? request.headers.get(hash.header)
      : readCookies(request.headers.get('cookie') ?? '').get(hash.cookie)
  return value === null || value === undefined ? null : hashOf(value)
}

async function stickyFor({ link, request, services }: ProxyVisit): Promise<string | null> {
  const { name, declared } = link.pool
  if (!declared.sticky) return null
  const cookie = readCookies(request.headers.get('cookie') ?? '').get(stickyCookieName(name, declared))
  return cookie === undefined ? null : services.stickyCookies.read(name, cookie)
}
