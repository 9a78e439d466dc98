/**
 * What a function says of its answer beside what it returns: PostgREST's `response.headers` and `response.status`.
 * @module
 */

import type { FunctionResponse } from '../define-function.ts'
import { errors } from '../errors.ts'

/** Statuses of answers that have no body. */
const bodiless = new Set([204, 205, 304])

/** Headers that say at once when one cannot be sent, by the function's own line. */
class CheckedHeaders extends Headers {
  override set(name: string, value: string): void {
    checked(name, () => super.set(name, value))
  }

  override append(name: string, value: string): void {
    checked(name, () => super.append(name, value))
  }
}

/** @throws 500 `PGRST111` */
function checked(name: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    throw errors.responseHeader(String(name), error)
  }
}

export function createFunctionResponse(): FunctionResponse {
  return { headers: new CheckedHeaders(), status: null }
}

/**
 * The answer, as the function wants it: its headers take the place of those that are there.
 *
 * @throws 500 `PGRST112` for a status that is none
 */
export function answerAsSaid(response: Response, { headers, status }: FunctionResponse): Response {
  if (status !== null && !(Number.isInteger(status) && status >= 200 && status <= 599)) {
    throw errors.responseStatus(status)
  }
  for (const [name, value] of headers) {
    if (name !== 'set-cookie') response.headers.set(name, value)
  }
  for (const cookie of headers.getSetCookie()) response.headers.append('Set-Cookie', cookie)
  if (status === null) return response
  return new Response(bodiless.has(status) ? null : response.body, { status, headers: response.headers })
}
