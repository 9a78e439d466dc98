/**
 * `/metrics` for scrapers, and `/_atoll`: the dashboard and what it asks.
 * @module
 */
import { Hono } from 'hono'
import type { GatewayParts } from '../core/area.ts'
import { nothing, writeHeaders } from '../meter/area.ts'
import { caughtMailPage } from './caught-mail.ts'
import { createDashboardApi } from './dashboard-api.ts'
import { checkOwnPage, signIn, signOut, whoIsSignedIn } from './dashboard-session.ts'
import { errors } from './errors.ts'
import { readGauges } from './gauges.ts'
import { openMetricsType, prometheusType, writeMetrics } from './open-metrics.ts'
import type { AtollEnv, Engine } from './services.ts'

export function createMetricsRoute(engine: Engine, sources: GatewayParts['gauges']) {
  return new Hono<AtollEnv>({ strict: false }).get('/', async (c) => {
    const { caller, services } = c.var
    if (caller.role !== 'service_role') throw errors.monitorDenied(caller.signedIn)
    const isOpenMetrics = (c.req.header('accept') ?? '').includes('application/openmetrics-text')
    const [measures, gauges] = await Promise.all([
      services.metrics?.().totals() ?? nothing(),
      readGauges(sources, services as never, engine as never),
    ])
    return c.body(writeMetrics(measures, gauges, isOpenMetrics), 200, {
      'Content-Type': isOpenMetrics ? openMetricsType : prometheusType,
      'Cache-Control': 'no-store',
    })
  })
}

/** Nothing from elsewhere, no frames, no scripts but the page's own. */
const pageHeaders = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
}

/** @param ask sends a request through the whole gateway again */
export function createDashboard(engine: Engine, ask: GatewayParts['ask']) {
  const area = new Hono<AtollEnv>({ strict: false })
  area.use(async (c, next) => {
    await next()
    writeHeaders(c, (headers) => {
      for (const [name, value] of Object.entries(pageHeaders)) headers.set(name, value)
    })
  })
  area.get('/', (c) => c.html(page))
  area.get('/:file{dashboard\\.(?:js|css)}', async (c) => {
    if (!c.var.services.assets) throw errors.invalidPath()
    return c.var.services.assets.fetch(c.req.raw)
  })
  area.route('/mail', caughtMailPage)
  area.post('/session', async (c) => {
    checkOwnPage(c.req.raw)
    return signIn(c)
  })
  area.delete('/session', (c) => {
    checkOwnPage(c.req.raw)
    return signOut(c)
  })
  area.use('/api/*', async (c, next) => {
    if (c.var.caller.role !== 'service_role' && !(await whoIsSignedIn(c))) throw errors.monitorDenied(false)
    if (c.req.method !== 'GET' && c.var.caller.role !== 'service_role') checkOwnPage(c.req.raw)
    await next()
  })
  area.route('/api', createDashboardApi(engine))
  // What anybody with the secret key may ask, for who is signed in here: the page never has the key.
  area.all('/api/as-secret/*', (c) => {
    const url = new URL(c.req.url)
    const path = url.pathname.slice('/_atoll/api/as-secret'.length)
    if (!/^\/(?:rest|jobs|balancer|storage|auth|shards|backups)\/v1\//.test(path)) throw errors.invalidPath()
    url.pathname = path
    const headers = new Headers(c.req.raw.headers)
    for (const name of ['cookie', 'authorization']) headers.delete(name)
    headers.set('apikey', c.var.services.keys.secret)
    const request = new Request(url, { method: c.req.method, headers, body: c.req.raw.body })
    return ask(request, c.env as never, c.executionCtx as ExecutionContext)
  })
  return area
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Atoll</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/_atoll/dashboard.css">
</head>
<body>
<div id="app"><p class="quiet">Loading…</p></div>
<script type="module" src="/_atoll/dashboard.js"></script>
</body>
</html>
`
