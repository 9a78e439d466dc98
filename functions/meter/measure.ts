/**
 * Around every request: its id and trace, and what is counted of it.
 * @module
 */
import type { Context, MiddlewareHandler } from 'hono'
import type { AtollEnv, CoreServices, Measured } from '../core/context.ts'
import { openTrace, runTraced } from '../core/request-trace.ts'
import type { MeterConfig } from './config.ts'
import type { MeterServices } from './services.ts'

/** Names that are counted apart; all others are `unknown`. */
export interface KnownNames {
  readonly tables: Iterable<string>
  readonly functions: Iterable<string>
  readonly routes: Iterable<string>
}

export function createMeasure(
  config: MeterConfig,
  { tables, functions, routes }: KnownNames,
): MiddlewareHandler<AtollEnv<CoreServices & MeterServices>> {
  const known = { rest: new Set(tables), rpc: new Set(functions), functions: new Set(routes) }
  return async (c, next) => {
    const start = performance.now()
    const startedAt = Date.now()
    const trace = openTrace(c.req.raw.headers)
    const measured = measuredAs(c.req.path, known)
    c.set('trace', trace)
    c.set('measured', measured)
    await runTraced(trace, next)
    const services = c.get('services')
    const { meter } = services
    const { area, route } = measured
    // A WebSocket's answer cannot be written to.
    if (c.res.status !== 101) writeHeaders(c, (headers) => headers.set('X-Request-Id', trace.requestId))
    const { res, req } = c
    const method = knownMethods.has(req.method) ? req.method : 'OTHER'
    meter.count('requests', { area, route, method, status: res.status })
    meter.time('request_seconds', { area, route }, performance.now() - start)
    const [came, went] = [bytesOf(req.raw.headers), bytesOf(res.headers)]
    if (came > 0) meter.count('request_bytes', { area }, came)
    if (went > 0) meter.count('response_bytes', { area }, went)
    if (config.logRequests) {
      const ms = Math.round(performance.now() - start)
      const { requestId, traceId } = trace
      console.log(
        JSON.stringify({ kind: 'request', requestId, traceId, method, area, route, status: res.status, ms }),
      )
    }
    services.handOver?.(c.executionCtx)
    services.spans?.request(
      trace,
      `${method} ${area}${route === '' ? '' : ` ${route}`}`,
      startedAt,
      startedAt + performance.now() - start,
      { 'http.request.method': method, 'http.response.status_code': res.status, 'url.path': req.path },
      res.status >= 500,
    )
    services.spans?.send(c.executionCtx)
  }
}

/** Writes to an answer's headers, also of one that others have made: what `fetch` gives cannot be written to. */
export function writeHeaders(c: Context, write: (headers: Headers) => void): void {
  try {
    write(c.res.headers)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const { res } = c
    c.res = undefined
    c.res = new Response(res.body, res)
    write(c.res.headers)
  }
}

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

function bytesOf(headers: Headers): number {
  const length = Number(headers.get('content-length') ?? 0)
  return Number.isSafeInteger(length) ? length : 0
}

function measuredAs(
  path: string,
  known: {
    readonly rest: ReadonlySet<string>
    readonly rpc: ReadonlySet<string>
    readonly functions: ReadonlySet<string>
  },
): Measured {
  const [, area = '', version = '', first = '', second = ''] = path.split('/', 5)
  if (version !== 'v1') {
    return { area: ['docs', 'metrics', '_atoll'].includes(area) ? area : 'other', route: '' }
  }
  if (area === 'rest') {
    if (first === 'rpc') return { area: 'rpc', route: known.rpc.has(second) ? second : 'unknown' }
    return { area, route: first === '' ? '/' : known.rest.has(first) ? first : 'unknown' }
  }
  if (area === 'functions') return { area, route: known.functions.has(first) ? first : 'unknown' }
  if (area === 'storage') {
    return { area, route: ['object', 'bucket', 'upload'].includes(first) ? first : 'unknown' }
  }
  return { area: ['jobs', 'balancer'].includes(area) ? area : 'other', route: '' }
}
