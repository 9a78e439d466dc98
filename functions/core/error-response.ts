import { AtollError } from '../../db/errors/atoll-error.ts'
import { errors } from './errors.ts'
import { emit } from './events.ts'

/** Errors that the caller is told go out as they are; all others as a plain 500, and as an event inside. */
export function errorResponse(error: unknown, request: Request): Response {
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
  const body = request.method === 'HEAD' ? null : JSON.stringify(told.body)
  return new Response(body, { status: told.status, headers })
}
