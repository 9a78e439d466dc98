/**
 * `/rest/v1`: the data API. The whole pipeline is `answer`, below; `README.md` tells how it works.
 * @module
 */
import { Hono } from 'hono'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { Schema } from '../../db/catalog/schemas.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import type { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import { Rights } from '../access/area.ts'
import { type Caller, identityOf } from '../core/caller.ts'
import { visitOf } from '../core/context.ts'
import type { PendingWork } from '../core/pending-work.ts'
import { isTimed, Timing } from '../core/timing.ts'
import { openSession, writeSession } from '../databases/area.ts'
import { allow, allowed } from './answer/allow.ts'
import { readDirectives, writeCacheHeaders } from './answer/cache-headers.ts'
import { describeApi } from './answer/openapi.ts'
import { answerOf, respond, responseInput } from './answer/respond.ts'
import { respondExplain } from './answer/respond-explain.ts'
import { respondWrite } from './answer/respond-write.ts'
import { type Budget, openBudgets } from './ask/budget.ts'
import { canonicalRequest } from './ask/canonical-request.ts'
import { checkBodyOf, readBoundedBody } from './ask/check-body.ts'
import { readKeyHeader, replayedHeader, writeKeyFor } from './ask/idempotency-key.ts'
import { canonicalAccept, ranked } from './ask/media.ts'
import { mediaType, type Payload, parsePayload } from './ask/parse-payload.ts'
import { parseRequest } from './ask/parse-request.ts'
import { type PlanMedia, planMediaOf } from './ask/plan-media.ts'
import { headersOf, isOpenApi, namesOf, parametersOf, profileOf, queryWithin } from './ask/raw-request.ts'
import type { RestRequest } from './ask/request.ts'
import { type Shape, shapeOf } from './ask/shape.ts'
import { createCalls } from './calls.ts'
import { carryOnAgain } from './carry-on-again.ts'
import { type CompiledRead, compileRead } from './compile/compile-read.ts'
import { compileWrite } from './compile/compile-write.ts'
import { errors } from './errors.ts'
import type { BoundRead } from './execute/bound-read.ts'
import { executeRead } from './execute/execute.ts'
import { aftermathOf } from './execute/execute-aftermath.ts'
import { cacheKey, executeCached, seeLastWrites } from './execute/execute-cached.ts'
import { executeExplain } from './execute/execute-explain.ts'
import { executeKeyed } from './execute/execute-keyed.ts'
import { executeWrite } from './execute/execute-write.ts'
import { noteCost } from './execute/note-cost.ts'
import type { WriteResult } from './execute/written.ts'
import { cachePlanOf } from './plan/cache-plan.ts'
import { checkCost, checkOperands, costOf } from './plan/check-budget.ts'
import type { ReadPlan, WriteAction, WritePlan } from './plan/plan.ts'
import { planRequest } from './plan/plan-request.ts'
import { checkKeyOfPut, planWrite, requireWrite } from './plan/plan-write.ts'
import { type ServedSchema, type ServedSchemas, schemaFor, writeProfile } from './plan/served-schemas.ts'
import { payloadThrough, requestThrough, throughOf } from './plan/through-view.ts'
import type { AtollEnv, Engine, Visit } from './services.ts'
import { CompileCache } from './shapes/compile-cache.ts'
import { PlanCache } from './shapes/plan-cache.ts'
import { type PreparedRead, type PreparedWrite, sizeOfRead, sizeOfWrite } from './shapes/prepared.ts'
import { ShapeSketch } from './shapes/shape-sketch.ts'

/** One request on its way through the pipeline. */
interface Asked {
  readonly visit: Visit
  readonly raw: Request
  readonly url: URL
  readonly schema: ServedSchema
  readonly shape: Shape
  readonly rights: Rights
  readonly budget: Budget
  readonly session: ClusterSession
  readonly timing: Timing
  /** Not null: how it would be carried out is asked, instead of its rows. */
  readonly explained: PlanMedia | null
}

/** Changes when entries of the cache mean something else. */
const cacheVersion = 2

/** The data API. */
export interface Rest {
  /** For those who ask from outside. */
  readonly routes: Hono<AtollEnv>
  /** For the app's own code: the same pipeline. */
  readonly serve: (visit: Visit) => Promise<Response>
}

export function createRest(
  catalog: Catalog,
  schemas: ServedSchemas,
  config: Engine['config'],
  migrations: readonly string[],
  budget: IsolateBudget,
  pending: PendingWork,
): Rest {
  const terms = { maxEntries: config.compiledShapes, budget }
  const requests = new CompileCache<RestRequest>({ ...terms, name: 'requests' })
  const reads = new PlanCache<PreparedRead>({ ...terms, name: 'read-plans', sizeOf: sizeOfRead(catalog) })
  const writes = new PlanCache<PreparedWrite>({ ...terms, name: 'write-plans', sizeOf: sizeOfWrite(catalog) })
  /** Shapes that were answered before: only those are kept. */
  const answered = new ShapeSketch()

  // Whatever changes what a request means or how it is answered changes the keys of the cache.
  const space = JSON.stringify([
    cacheVersion,
    catalog.fingerprint,
    migrations,
    schemas.map(({ name }) => name),
    config.maxRows,
    config.aggregates,
  ])
  const optionsFor = ({ cluster }: ClusterSession, schema: Schema) => ({
    ...config,
    schema,
    sharded: cluster.sharded,
  })

  /** What the app's own code asks, it has written itself; of others, their role decides. */
  const budgetOf = openBudgets(config.budgets)
  const budgetFor = ({ caller, inner }: Visit) => budgetOf(inner === undefined ? caller.role : 'service_role')

  const calls = createCalls({ catalog, config, pending, budgetFor, optionsFor })

  /** The pipeline: request, plan, statements, rows, response. */
  async function answer(visit: Visit, schema: ServedSchema, table: string): Promise<Response> {
    const { raw, caller } = visit
    const { spans } = visit.services
    const timing = new Timing(
      isTimed(config, raw.headers, caller.role === 'service_role'),
      spans && ((stage, ms) => spans.part(stage, 'internal', Date.now() - ms, Date.now(), {})),
    )
    const budget = budgetFor(visit)
    const url = queryWithin(budget, raw)
    const own = headersOf(raw, schema.name)
    const explained = explainedBy(own.accept, caller)
    const headers = { ...own, accept: canonicalAccept(explained?.accept ?? own.accept) }
    const shape = shapeOf(table, parametersOf(url), headers)
    const rights = new Rights(catalog, caller)
    let isNew = false
    const parse = () => {
      const parsed = parseRequest(table, shape.parameters, headers, config)
      isNew = true
      return parsed
    }
    const request = requests.getOrMake(shape.key, parse, () => answered.has(shape.key))
    timing.mark('parse')
    const session = await openSession(visit, request.action === 'read')
    const asked: Asked = { visit, raw, url, schema, shape, rights, budget, session, timing, explained }
    if (explained && request.action !== 'read')
      throw errors.notImplemented('Only reads of tables and views are explained.')
    const response = request.action === 'read' ? await read(request, asked) : await write(request, asked)
    if (isNew && response.status < 400) answered.note(shape.key)
    noteCost(asked, schema.tables.get(table)?.name ?? table, response)
    await writeSession(visit, (write) => write(response.headers), session)
    timing.mark('response')
    timing.write(response.headers)
    return response
  }

  async function read(request: RestRequest, asked: Asked): Promise<Response> {
    const { visit, raw, url, schema, shape, rights, budget, session, timing } = asked
    const prepare = () => {
      const plan = planRequest(request, catalog, rights, optionsFor(session, schema))
      const cost = costOf(request, plan.root)
      checkCost(cost, budget)
      const cachePlan = cachePlanOf(plan, catalog)
      const canonical = cachePlan && canonicalRequest(request, schema.name)
      return { plan, cost, compiled: compileRead(plan), cachePlan, canonical }
    }
    const keeps = () => answered.has(shape.key)
    const { plan, cost, compiled, cachePlan, canonical } = reads.getOrMake(shape.key, rights, prepare, keeps)
    // What is kept was made for the shape, whoever asked first.
    checkCost(cost, budget)
    checkOperands(cost, shape.operands, plan.root, budget)
    timing.mark('plan')
    const bindings = { operands: shape.operands, rights, budget }
    if (asked.explained) return explain(plan, compiled, bindings, asked, asked.explained)
    const { cache } = visit.services
    if (cache === null || cachePlan === null || canonical === null) {
      if (readDirectives(raw.headers).onlyIfCached) throw errors.notCached()
      const own = cache === null ? session : await seeLastWrites(cache, identityOf(visit.caller), session)
      const result = await executeRead(plan, compiled, bindings, own, catalog)
      timing.mark('transaction')
      const answer = await answerOf(result, plan, compiled.columns)
      return respond(answer, result.missing, plan, responseInput(raw, url, shape, plan))
    }
    const key = cacheKey(space, canonical, shape.operands, rights)
    const directives = readDirectives(raw.headers)
    const who = identityOf(visit.caller)
    const cached = { plan, compiled, cachePlan, key, canonical, bindings, directives, who }
    const served = await executeCached(cached, cache.answers, session, catalog, answerOf)
    timing.mark('transaction')
    const response = respond(served.answer, [], plan, responseInput(raw, url, shape, plan))
    writeCacheHeaders(response.headers, served, cache.store.name)
    visit.services.meter.count('cache_reads', { from: served.from })
    return response
  }

  /** How a read is carried out; and if that is asked as well, what it costs. */
  async function explain(
    plan: ReadPlan,
    compiled: CompiledRead,
    bindings: BoundRead,
    { session }: Asked,
    media: PlanMedia,
  ): Promise<Response> {
    const statements = await executeExplain(plan, compiled, bindings, session)
    if (!media.analyze) return respondExplain(statements, null, media, plan.headersOnly)
    const before = session.usage.rowsRead
    const begun = Date.now()
    const { count } = await executeRead(plan, compiled, bindings, session, catalog)
    const analyzed = { ms: Date.now() - begun, rowsRead: session.usage.rowsRead - before, rows: count }
    return respondExplain(statements, analyzed, media, plan.headersOnly)
  }

  /** @throws 406 for a plan that the caller may not see */
  function explainedBy(accept: string, { role }: Caller): PlanMedia | null {
    if (!accept.includes('vnd.pgrst.plan')) return null
    const media = planMediaOf(accept)
    if (media && role !== 'service_role' && !config.explain.includes(role)) throw errors.mediaType(accept)
    return media
  }

  async function write(named: RestRequest, asked: Asked): Promise<Response> {
    const { visit, raw, url, schema, shape, rights, budget, session, timing } = asked
    const table = schema.tables.get(named.table)
    if (!table) throw errors.noTable(schema.name, named.table, null)
    requireWrite(table, named.action as WriteAction, named, rights)
    const through = throughOf(table, named, catalog)
    const request = through ? requestThrough(named, through, rights) : named
    const keyName = request.preferences.tx === 'rollback' ? null : readKeyHeader(raw.headers)
    const body =
      request.action === 'delete'
        ? ''
        : await readBoundedBody(raw, budget, config.maxBodyBytes, visit.inner ? null : pending)
    const sent = await payloadOf(named, raw, body, budget, visit.inner ? null : pending)
    const payload = through ? payloadThrough(sent, through) : sent
    const key = `${shape.key}\n${JSON.stringify(payload.columns)}`
    const prepare = () => {
      const plan = planWrite(request, payload, catalog, rights, optionsFor(session, schema), through)
      const cost = costOf(request, plan.root)
      checkCost(cost, budget)
      return { plan, cost, compiled: compileWrite(plan) }
    }
    let isNew = false
    const keeps = () => {
      isNew = true
      return answered.has(key)
    }
    const { plan, cost, compiled } = writes.getOrMake(key, rights, prepare, keeps)
    checkCost(cost, budget)
    checkOperands(cost, shape.operands, plan.root, budget)
    if (plan.action === 'upsert') checkKeyOfPut(request, plan, payload.rows[0] ?? {}, shape.operands)
    timing.mark('plan')
    const changes = plan.action === 'delete' || (payload.rows.length > 0 && setsSomething(plan))
    const { operands } = shape
    const bound = { plan, compiled, operands, rights, payload, budget, aftermath: aftermathOf(visit) }
    if (!changes || keyName === null) {
      const result = changes ? await executeWrite(bound, session) : nothingWritten(plan)
      timing.mark('transaction')
      return respondWrite(result, plan, compiled.columns, url.pathname)
    }
    const writeKey = await writeKeyFor(keyName, raw, body, visit.caller, config)
    const made = await executeKeyed(bound, writeKey, config.databaseTimeoutMs, session)
    // Whoever made it may have died before copies and caches knew.
    await carryOnAgain(visit, catalog, made.databases)
    timing.mark('transaction')
    if (isNew) answered.note(key)
    const response = respondWrite(made.result, plan, compiled.columns, url.pathname)
    if (made.replayed) response.headers.set(replayedHeader, 'true')
    return response
  }

  async function answerAt(visit: Visit, table: string, name?: string): Promise<Response> {
    if (name !== undefined && table !== 'rpc') throw errors.invalidPath()
    try {
      const profile = profileOf(visit.raw)
      const schema = schemaFor(schemas, profile)
      const response = await (name === undefined ? answer(visit, schema, table) : calls(visit, schema, name))
      writeProfile(response.headers, schemas, schema, profile)
      return response
    } finally {
      pending.done(visit.raw)
    }
  }

  const descriptions = new CompileCache<string>({ name: 'descriptions', maxEntries: 20, budget })
  const describe = (caller: Caller, schema: ServedSchema) =>
    descriptions.getOrMake(`${caller.role}\n${schema.name}`, () =>
      JSON.stringify(describeApi(catalog, schema, config, new Rights(catalog, caller))),
    )

  const routes = new Hono<AtollEnv>({ strict: false })
    .on(['GET', 'HEAD'], '/', (c) => {
      if (!config.openapi) throw errors.noRoot()
      const accept = c.req.header('accept') ?? '*/*'
      if (!ranked(accept).some(isOpenApi)) throw errors.mediaType(accept)
      const profile = profileOf(c.req.raw)
      const schema = schemaFor(schemas, profile)
      const headers = new Headers({ 'Content-Type': 'application/openapi+json; charset=utf-8' })
      writeProfile(headers, schemas, schema, profile)
      return Timing.of(new Response(describe(c.var.caller, schema), { headers }), config.serverTiming)
    })
    .all('/', (c) => {
      if (c.req.method === 'OPTIONS') return allowed('', config)
      throw errors.method(c.req.method)
    })
    // Not `/rpc/:name`: beside `/:table` that is ambiguous for the router that is a table, and the others take longer.
    .all('/:table/:name', (c) => answerAt(visitOf(c), c.req.param('table'), c.req.param('name')))
    .all('/:table', (c) => {
      const table = c.req.param('table')
      if (c.req.method === 'OPTIONS') return allow(schemaFor(schemas, profileOf(c.req.raw)), config, table)
      return answerAt(visitOf(c), table)
    })
    .all('*', () => {
      throw errors.invalidPath()
    })
  return { routes, serve: async (visit) => answerAt(visit, ...namesOf(visit.raw)) }
}

async function payloadOf(
  request: RestRequest,
  raw: Request,
  text: string,
  budget: Budget,
  pending: PendingWork | null,
): Promise<Payload> {
  if (request.action === 'delete') return { rows: [], columns: [], textual: false }
  const type = raw.headers.get('content-type') ?? ''
  await checkBodyOf(raw, text, mediaType(type) === 'application/json', budget, pending)
  return parsePayload(text, type, request.columns)
}

/** An update of no column changes nothing; an insert of none makes a row of defaults. */
function setsSomething(plan: WritePlan): boolean {
  return plan.action !== 'update' || plan.columns.length > 0
}

function nothingWritten(plan: WritePlan): WriteResult {
  if (plan.media.kind === 'object') throw errors.notSingular(0)
  return { rows: [], affected: 0, inserted: 0, key: null }
}
