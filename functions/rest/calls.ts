/**
 * Calls of functions: what they answer goes through the pipeline as a table's rows do; what they write may wait until their answer stands.
 * @module
 */
import { type Catalog, storedColumns } from '../../db/catalog/catalog.ts'
import type { Schema } from '../../db/catalog/schemas.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { Rights } from '../access/area.ts'
import type { PendingWork } from '../core/pending-work.ts'
import { isTimed, Timing } from '../core/timing.ts'
import { accountOf, openSession, writeInnerSession, writeSession } from '../databases/area.ts'
import { createJobs, createQueuedJobs, type Jobs } from '../jobs/area.ts'
import {
  type AppDatabases,
  createChannelSender,
  type Keeping,
  openApi,
  openAppDatabases,
  openTransaction,
  type RunsFor,
  tellFailure,
  watched,
} from '../own-code/area.ts'
import { answerAsSaid, createFunctionResponse } from './answer/function-response.ts'
import { answerOf, respond, responseInput } from './answer/respond.ts'
import { respondNoRow, respondValue, respondValues } from './answer/respond-call.ts'
import type { Budget } from './ask/budget.ts'
import { readKeyHeader, writeKeyFor } from './ask/idempotency-key.ts'
import { oneOf } from './ask/media.ts'
import type { PayloadRow } from './ask/parse-payload.ts'
import { parseRequest } from './ask/parse-request.ts'
import { headersOf, queryWithin } from './ask/raw-request.ts'
import { shapeOf } from './ask/shape.ts'
import { carryOnAgain } from './carry-on-again.ts'
import { compileRead } from './compile/compile-read.ts'
import { functionRows } from './compile/storage-rows.ts'
import { errors } from './errors.ts'
import { executeRead } from './execute/execute.ts'
import { callKeyed } from './execute/keyed-call.ts'
import { checkCost, checkOperands, costOf } from './plan/check-budget.ts'
import { type PlanOptions, planRows } from './plan/plan-request.ts'
import { rangeOf } from './plan/range.ts'
import type { ServedSchema } from './plan/served-schemas.ts'
import { type FunctionCall, methodsOfFunction, readCall } from './rpc.ts'
import type { Engine, Visit } from './services.ts'

/** What calls need of the data API. */
export interface CallParts {
  readonly catalog: Catalog
  readonly config: Engine['config']
  readonly pending: PendingWork
  readonly budgetFor: (visit: Visit) => Budget
  readonly optionsFor: (session: ClusterSession, schema: Schema) => PlanOptions
}

/** Answers a call of the function of a name. */
export function createCalls({
  catalog,
  config,
  pending,
  budgetFor,
  optionsFor,
}: CallParts): (visit: Visit, schema: ServedSchema, name: string) => Promise<Response> {
  /** A function's answer; where it may have to be undone, what it wrote waits until that stands. */
  async function call(visit: Visit, schema: ServedSchema, name: string): Promise<Response> {
    const { raw, caller, services } = visit
    if (raw.method === 'OPTIONS') {
      const headers = { Allow: methodsOfFunction(name, schema) }
      return Timing.of(new Response(null, { headers }), config.serverTiming)
    }
    const budget = budgetFor(visit)
    const url = queryWithin(budget, raw)
    const called = await readCall(
      name,
      raw,
      url,
      schema,
      caller,
      catalog,
      config,
      budget,
      visit.inner ? null : pending,
    )
    const { mayUndo, preferences } = called.terms
    const readOnly = raw.method !== 'POST' || called.definition.stable === true
    const isWrite = !readOnly && preferences.tx !== 'rollback'
    const keyName = isWrite ? readKeyHeader(raw.headers) : null
    const runsFor = { account: accountOf(visit), name: `rpc/${name}` }
    if (keyName === null && !mayUndo) {
      const databases = openAppDatabases(services, catalog, visit.later, null, { ...runsFor, readOnly })
      const work = () => answerCall(visit, schema, url, called, databases, createJobs(services, databases))
      return watched(runsFor, services, work)
    }
    if (keyName === null) return callUndoable(visit, schema, url, called, runsFor)
    if (called.definition.undoable === false) throw errors.notKeyed(name)
    const key = await writeKeyFor(keyName, raw, called.body, caller, config)
    const session = services.cluster.open({ reads: false, seen: new Map(), later: visit.later })
    const { response, databases } = await callKeyed(key, config.databaseTimeoutMs, session, (keeping) =>
      callUndoable(visit, schema, url, called, runsFor, keeping),
    )
    if (databases.length === 0) return response
    await carryOnAgain(visit, catalog, databases)
    await writeSession(visit, (write) => write(response.headers), session)
    return response
  }

  /** A function's answer as a transaction: nothing is committed before it stands. */
  async function callUndoable(
    visit: Visit,
    schema: ServedSchema,
    url: URL,
    called: FunctionCall,
    runsFor: RunsFor,
    keeping: Keeping<Response> | null = null,
  ): Promise<Response> {
    const { services } = visit
    const transaction = openTransaction(services, catalog, config.databaseTimeoutMs)
    const databases = openAppDatabases(services, catalog, visit.later, transaction, runsFor)
    const jobs = createQueuedJobs(services, databases, transaction)
    // What is read sees what was written, and no cache must hold it: it may be undone.
    const seeing = { ...visit, services: { ...services, cluster: transaction.cluster, cache: null } }
    const work = () => answerCall(seeing, schema, url, called, databases, jobs)
    const all = () => transaction.around(work, called.terms.preferences.tx !== 'rollback', databases, keeping)
    return watched(runsFor, services, all)
  }

  /** Runs a function; rows go through the pipeline as a table's do. */
  async function answerCall(
    visit: Visit,
    schema: ServedSchema,
    url: URL,
    { definition, input, table, query, terms }: FunctionCall,
    databases: AppDatabases,
    jobs: Jobs,
  ): Promise<Response> {
    const { raw, caller } = visit
    const timing = new Timing(isTimed(config, raw.headers, caller.role === 'service_role'))
    const headersOnly = raw.method === 'HEAD'
    const { database, shards } = databases
    const { api, session: inner, refusals } = await openApi(visit, databases)
    const said = createFunctionResponse()
    const { env } = visit.services
    const realtime = createChannelSender(visit.services, databases, visit.later)
    const given = { caller, database, shards, jobs, api, realtime, env, request: raw, response: said }
    const run = definition.run({ input: input as never, ...given }).catch((error) => {
      throw tellFailure(error, catalog, refusals)
    })
    // What was written is carried on, whether the function then fails or not.
    const returned = await run.finally(databases.settle)
    const finish = async (response: Response) => {
      const answer = answerAsSaid(response, said)
      await writeInnerSession(visit, (write) => write(answer.headers), inner)
      return answer
    }
    const { kind } = definition.returns
    if (kind === 'scalars') {
      const { parameters, operands } = shapeOf('', query, headersOf(raw, schema.name))
      const { root } = parseRequest(
        '',
        parameters,
        { ...headersOf(raw, schema.name), method: 'GET', accept: '' },
        config,
      )
      const part = rangeOf(root, config.maxRows, operands)
      return finish(respondValues(returned as readonly unknown[], terms, part, headersOnly))
    }
    if (table === null) return finish(respondValue(returned, terms, headersOnly))
    const one = kind === 'row' || kind === 'record'
    const found = (one ? [returned].filter(Boolean) : returned) as readonly PayloadRow[]
    if (one && found.length === 0 && !terms.singular) return finish(respondNoRow(terms, headersOnly))
    const headers = { ...headersOf(raw, schema.name), method: 'GET' }
    const shape = shapeOf(table.name, query, headers)
    const parsed = parseRequest(table.name, shape.parameters, headers, config)
    const request = one ? { ...parsed, media: oneOf(parsed.media) } : parsed
    const rights = new Rights(catalog, caller)
    const session = await openSession({ ...visit, inner }, true)
    const plan = planRows({ ...request, headersOnly }, table, catalog, rights, optionsFor(session, schema))
    const budget = budgetFor(visit)
    const cost = costOf(request, plan.root)
    checkCost(cost, budget)
    checkOperands(cost, shape.operands, plan.root, budget)
    const compiled = compileRead(plan)
    const rows = functionRows(storedColumns(table), found)
    const bindings = { operands: shape.operands, rights, budget }
    const result = await executeRead(plan, compiled, bindings, session, catalog, rows)
    timing.mark('transaction')
    const { maxAffected } = terms.preferences
    if (maxAffected !== null && result.count > maxAffected) throw errors.tooManyAffected(result.count)
    if (one && result.count === 0 && !terms.singular) return finish(respondNoRow(terms, headersOnly))
    const answer = await answerOf(result, plan, compiled.columns)
    inner.note(session.bookmarks, false)
    const about = responseInput(raw, url, shape, plan)
    // With a status of the function's own, there is none that says that the client has it already.
    const ifNoneMatch = said.status === null ? about.ifNoneMatch : null
    const response = respond(answer, result.missing, plan, { ...about, ifNoneMatch })
    timing.write(response.headers)
    return finish(response)
  }

  return call
}
