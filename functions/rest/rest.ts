/**
 * `/rest/v1`: the data API. The whole pipeline is `answer`, below; `README.md` tells how it works.
 * @module
 */
import { Hono } from 'hono'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { Cluster } from '../../db/cluster/cluster.ts'
import type { Caller } from '../access/caller.ts'
import type { AtollConfig } from '../config.ts'
import type { AtollEnv } from '../context.ts'
import { errors } from '../errors.ts'
import { CompileCache } from './compile-cache.ts'
import { type CompiledRead, compilePlan } from './compile-plan.ts'
import { execute } from './execute.ts'
import { ranked } from './media.ts'
import { describeApi } from './openapi.ts'
import { parseRequest } from './parse-request.ts'
import type { ReadPlan } from './plan.ts'
import { planRequest } from './plan-request.ts'
import { respond } from './respond.ts'
import { type ShapeHeaders, shapeOf } from './shape.ts'
import { Timing } from './timing.ts'

/** What is done once per shape. */
interface Compiled {
  readonly plan: ReadPlan
  readonly statements: CompiledRead
}

export function createRest(catalog: Catalog, config: AtollConfig) {
  const cache = new CompileCache<Compiled>(config.compiledShapes)

  /** The pipeline: request, plan, statements, rows, response. */
  async function answer(raw: Request, table: string, caller: Caller, cluster: Cluster): Promise<Response> {
    const timing = new Timing(config.serverTiming)
    const url = new URL(raw.url)
    const headers = headersOf(raw)
    const shape = shapeOf(table, url.searchParams, headers)
    const { plan, statements } = cache.getOrMake(`${caller.role}\n${shape.key}`, () => {
      const request = parseRequest(table, shape.parameters, headers, config)
      if (request.schema !== null && request.schema !== config.schema)
        throw errors.unknownSchema(request.schema)
      timing.mark('parse')
      const plan = planRequest(request, catalog, caller, config)
      return { plan, statements: compilePlan(plan) }
    })
    timing.mark('plan')
    const result = await execute(statements, shape.operands, cluster)
    timing.mark('transaction')
    const offset = plan.root.offset
    const response = await respond(result, plan, {
      location: canonicalLocation(url),
      offset: offset?.kind === 'operand' ? Math.max(0, Number(shape.operands[offset.index])) : 0,
      ifNoneMatch: raw.headers.get('if-none-match'),
      columns: statements.columns,
    })
    timing.mark('response')
    timing.write(response.headers)
    return response
  }

  const description = Promise.resolve().then(() => JSON.stringify(describeApi(catalog, config)))

  return new Hono<AtollEnv>({ strict: false })
    .on(['GET', 'HEAD'], '/', async (c) => {
      if (!config.openapi) throw errors.noRoot()
      const accept = c.req.header('accept') ?? '*/*'
      if (!ranked(accept).some(isOpenApi)) throw errors.mediaType(accept)
      return c.body(await description, 200, { 'Content-Type': 'application/openapi+json; charset=utf-8' })
    })
    .all('/', (c) => {
      if (c.req.method === 'OPTIONS') return c.body(null, 200, { Allow: 'OPTIONS,GET,HEAD' })
      throw errors.method(c.req.method)
    })
    .all('/:table', (c) => {
      const table = c.req.param('table')
      if (c.req.method === 'OPTIONS') return allow(catalog, config, table)
      return answer(c.req.raw, table, c.var.caller, c.var.services.cluster)
    })
    .all('*', () => {
      throw errors.invalidPath()
    })
}

/** OPTIONS without CORS: which methods a table answers. */
function allow(catalog: Catalog, config: AtollConfig, name: string): Response {
  if (!catalog.tables.has(name)) throw errors.noTable(config.schema, name, null)
  return new Response(null, { status: 200, headers: { Allow: 'OPTIONS,GET,HEAD' } })
}

function isOpenApi(range: string): boolean {
  const [type] = range.split(';')
  return ['*/*', 'application/*', 'application/json', 'application/openapi+json'].includes(type as string)
}

function headersOf(raw: Request): ShapeHeaders {
  return {
    method: raw.method,
    accept: raw.headers.get('accept') ?? '',
    prefer: raw.headers.get('prefer') ?? '',
    profile: raw.headers.get('accept-profile') ?? '',
    range: rangeOf(raw.headers.get('range')),
  }
}

/** `Range: 0-9` counts rows; other units (`bytes=`) are not for us. */
function rangeOf(header: string | null): ShapeHeaders['range'] {
  const found = /^(?:items=)?(\d{1,15})-(\d{0,15})$/.exec(header ?? '')
  if (!found) return null
  const first = Number(found[1])
  if (found[2] === '') return { offset: first, limit: null }
  const last = Number(found[2])
  if (last < first) throw errors.rangeBackwards()
  return { offset: first, limit: last - first + 1 }
}

/** The path with its parameters in order, so that equal requests have equal locations. */
function canonicalLocation(url: URL): string {
  if (url.search === '') return url.pathname
  const sorted = new URLSearchParams(url.searchParams)
  sorted.sort()
  return `${url.pathname}?${sorted}`
}
