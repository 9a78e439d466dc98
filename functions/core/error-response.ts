import { AtollError, type ErrorBody } from '../../db/errors/atoll-error.ts'
import type { Caller } from './caller.ts'
import type { CoreConfig } from './config.ts'
import { errors } from './errors.ts'
import { emit } from './events.ts'

/**
 * Errors that the caller is told go out as they are; all others as a plain 500, and as an event inside.
 *
 * @param isBrief whether details and hints are kept back
 */
export function errorResponse(error: unknown, request: Request, isBrief = false): Response {
  const told = error instanceof AtollError ? error : errors.internal(error)
  if (told.status === 500) {
    emit({
      kind: 'internal-error',
      method: request.method,
      path: new URL(request.url).pathname,
      error: told.cause ?? told,
    })
  }
  const headers = new Headers(told.headers)
  headers.set('Content-Type', 'application/json; charset=utf-8')
  if (!headers.has('Proxy-Status')) headers.set('Proxy-Status', `PostgREST; error=${told.body.code}`)
  const shown = isBrief ? briefly(told.body) : told.body
  const body = request.method === 'HEAD' ? null : JSON.stringify(shown)
  return new Response(body, { status: told.status, headers })
}

/** The same for clients that read all four. */
export function briefly<Body extends ErrorBody>(body: Body): Body {
  return { ...body, details: null, hint: null }
}

/** Whether a caller is told code and message alone. */
export function isToldBriefly({ errorVerbosity }: CoreConfig, caller: Caller | undefined): boolean {
  return errorVerbosity === 'minimal' && caller?.role !== 'service_role'
}
