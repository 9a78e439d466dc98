/**
 * The one class of errors that callers are told. Codes `PGRST…` and SQLSTATE are PostgREST's and PostgreSQL's, with their wording, because
 * clients compare them; the families `ACCESS`, `AUTH`, `BOUND`, `CALL`, `SHARD`, `IDEM`, `CACHE`, `JOB`, `STORE`, `PROXY`, `REAL`, `PROOF` and `MON` are Atoll's own.
 * Each room has the errors that it raises in a file of its own; `test/unit/errors.test.ts` holds them together.
 * Source: https://docs.postgrest.org/en/latest/references/errors.html
 * @module
 */

/** What callers are told of an error: a code of PostgreSQL, PostgREST or ours, and what it says. */
export interface ErrorBody {
  readonly code: string
  readonly message: string
  readonly details: unknown
  readonly hint: string | null
}

/** An error that a caller is told: its status and body, and headers that belong to it. */
export class AtollError extends Error {
  readonly status: number
  readonly body: ErrorBody
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: string,
    message: string,
    rest: {
      details?: unknown
      hint?: string
      headers?: Readonly<Record<string, string>>
      cause?: unknown
    } = {},
  ) {
    super(message, { cause: rest.cause })
    this.name = 'AtollError'
    this.status = status
    this.body = { code, message, details: rest.details ?? null, hint: rest.hint ?? null }
    this.headers = rest.headers ?? {}
  }
}

/** At most `max` characters of what a caller sent, so that errors stay small. */
export function clip(text: string, max = 200): string {
  return text.length > max ? `${text.slice(0, max)}…` : text
}

/** 42501: to those who have not signed in, as a question who they are. */
export function refusal(signedIn: boolean, message: string): AtollError {
  return new AtollError(signedIn ? 403 : 401, '42501', message, {
    headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
  })
}
