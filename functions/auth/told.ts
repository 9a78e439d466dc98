/**
 * Errors as GoTrue's clients read them.
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import { errors } from './errors.ts'
import { emit } from './events.ts'

export const versionHeader = 'X-Supabase-Api-Version'
/** From this version of the API on, errors have their code as `code`. */
const codedVersion = '2024-01-01'

/** Of tokens that are refused before the area is reached, in PostgREST's words, what GoTrue calls them. */
const known: Readonly<Record<string, string>> = {
  PGRST301: 'bad_jwt',
  PGRST303: 'bad_jwt',
  PGRST302: 'no_authorization',
  ACCESS001: 'over_request_rate_limit',
}

/**
 * What a client is told. Version 2024-01-01 of the API, which supabase-js names in a header, has `code` and `message`; the one before it `code` as the
 * status, `error_code` and `msg`.
 */
export function toldError(error: unknown, request: Request): Response {
  const told = error instanceof AtollError ? error : errors.internal(error)
  if (told.status === 500) {
    emit({
      kind: 'internal-error',
      method: request.method,
      path: new URL(request.url).pathname,
      error: told.cause ?? told,
    })
  }
  const { code, message, details, hint } = told.body
  const name = told.status === 500 ? 'unexpected_failure' : (known[code] ?? code)
  const isCoded = (request.headers.get(versionHeader) ?? '') >= codedVersion
  const more = {
    ...(code === 'weak_password' ? { weak_password: details } : {}),
    ...(hint === null ? {} : { hint }),
  }
  const body = isCoded
    ? { code: name, message, ...more }
    : { code: told.status, error_code: name, msg: message, ...more }
  const headers = new Headers(told.headers)
  headers.set('Content-Type', 'application/json; charset=utf-8')
  headers.set('Cache-Control', 'no-store')
  if (isCoded) headers.set(versionHeader, codedVersion)
  return new Response(request.method === 'HEAD' ? null : JSON.stringify(body), {
    status: told.status,
    headers,
  })
}

/** An answer that nobody keeps. */
export function answer(
  body: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json(body, { status, headers: { 'Cache-Control': 'no-store', ...headers } })
}
