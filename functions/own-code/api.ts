/**
 * The data API from inside: what functions, routes and jobs have as `api`. A request goes through the same pipeline as one from
 * outside, in the same isolate: without network, keys, rate limits and tokens, as it is known who asks.
 * @module
 */
import { PostgrestClient } from '@supabase/postgrest-js'
import { laterOf } from '../../db/cluster/session.ts'
import { AtollError } from '../../db/errors/atoll-error.ts'
import { serviceCaller } from '../core/caller.ts'
import { errorResponse } from '../core/error-response.ts'
import { createInnerSession, type OwnSession } from '../core/inner-session.ts'
import { sessionHeader } from '../databases/area.ts'
import type { AppDatabases } from './app-databases.ts'
import { errors } from './errors.ts'
import type { Api, DataClient, ServiceApi } from './given.ts'
import type { Services, Visit } from './services.ts'

/** Where the clients think that they are asking; nobody is asked there. */
const address = 'http://atoll.internal/rest/v1'

/** What the app's own code has, and what has come of it. */
export interface OpenedApi {
  readonly api: Api
  readonly session: OwnSession
  /** What the caller was refused by `asCaller`: the same as if they had asked themselves. */
  readonly refusals: readonly AtollError[]
}

/** How many functions deep requests may be: who calls itself would go on until the isolate has no memory left. */
const maxDepth = 8

/**
 * For a function or route.
 *
 * @throws 508 when it was called by functions that were called by functions, and so on; 400 for a session that is none
 */
export async function openApi(visit: Visit, databases: AppDatabases): Promise<OpenedApi> {
  const { raw, inner, services } = visit
  const depth = (inner?.depth ?? 0) + 1
  if (depth > maxDepth + 1) throw errors.callsTooDeep(maxDepth)
  const token = raw.headers.get(sessionHeader)
  const sent = token === null ? new Map<string, string>() : await services.sessions.read(token)
  const seen = inner ? laterOf(sent, inner.seen) : sent
  const { account } = databases
  const session = createInnerSession({ depth, seen, primary: inner?.primary ?? false, account })
  const refusals: AtollError[] = []
  const noteRefusal = (error: unknown) => {
    if (error instanceof AtollError) refusals.push(error)
  }
  const asCaller = kept(() => connect(visit, databases, session, noteRefusal))
  const asService = kept(() => connect({ ...visit, caller: serviceCaller }, databases, session))
  const api: Api = {
    get asCaller() {
      return asCaller()
    },
    get asService() {
      return asService()
    },
  }
  return { api, session, refusals }
}

/** For a job, which nobody calls. */
export function openServiceApi(
  services: Services,
  databases: AppDatabases,
  later: Visit['later'],
): ServiceApi {
  const session = createInnerSession({ depth: 1, seen: new Map(), primary: false, account: null })
  const asService = kept(() => connect({ services, later, caller: serviceCaller }, databases, session))
  return {
    get asService() {
      return asService()
    },
  }
}

/** Made when it is asked for: most functions use one client, or none. */
function kept<Value>(make: () => Value): () => Value {
  let value: Value | undefined
  return () => {
    value ??= make()
    return value
  }
}

function connect(
  visit: Omit<Visit, 'raw'>,
  databases: AppDatabases,
  inner: OwnSession,
  onError?: (error: unknown) => void,
): DataClient {
  const ask = async (url: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    // What the same code has written by Drizzle, it sees here: the cache must know of it, and replicas may be behind.
    if (await databases.settle()) inner.wroteByDrizzle()
    const raw = new Request(url, init)
    if (raw.method !== 'GET' && raw.method !== 'HEAD') {
      if (databases.readOnly) return errorResponse(errors.readOnly(`${raw.method} of the data API`), raw)
      databases.transaction?.refuse(errors.notInTransaction('What api writes is committed at once.'))
    }
    const answer = visit.services.serve({ ...visit, raw, inner }).catch((error: unknown) => {
      onError?.(error)
      return errorResponse(error, raw)
    })
    return init?.signal ? Promise.race([answer, abortOf(init.signal)]) : answer
  }
  // The pipeline repeats by itself what may be repeated.
  return new PostgrestClient(address, { fetch: ask as typeof fetch, retry: false }) as DataClient
}

/** Fails when a signal is given, as `fetch` does; what was begun goes on. */
function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, fail) => {
    if (signal.aborted) fail(signal.reason)
    signal.addEventListener('abort', () => fail(signal.reason), { once: true })
  })
}
