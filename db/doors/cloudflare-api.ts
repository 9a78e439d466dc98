/**
 * Cloudflare's REST API: requests, what its answers mean, and what is tried again.
 * Source: https://developers.cloudflare.com/api/
 * @module
 */
import { type ApiFault, RemoteError, UnknownOutcomeError } from './remote-error.ts'

export interface CloudflareApi {
  /** Without a slash at its end. */
  readonly baseUrl: string
  /** Who asks. */
  readonly headers: Readonly<Record<string, string>>
  /** Where the credentials are from, for messages. */
  readonly credentials: string
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path below the base, with its query. */
  readonly path: string
  readonly body?: unknown
  /** What is done, as messages name it: `the query on atoll`. */
  readonly what: string
  /** Whether it changes nothing, or the same when it is done twice: then it is tried again. */
  readonly mayRepeat: boolean
  readonly timeoutMs: number
  /** What a token needs for it, as Cloudflare's dashboard names it; `D1: Edit` when left out. */
  readonly permission?: string
}

export interface ApiAnswer<Result> {
  readonly result: Result
  readonly result_info?: { readonly page?: number; readonly per_page?: number; readonly total_count?: number }
}

/** How often it is tried, and how long is waited before the second time; twice as long before each further one. */
const attempts = 6
const firstWaitMs = 250
const longestWaitMs = 30_000

/**
 * What D1 says when something failed on its way, and not by itself.
 * Source: https://developers.cloudflare.com/d1/observability/debug-d1/
 */
const passing =
  /Network connection lost|caused object to be reset|and was reset|reset because its code was updated|Cannot resolve D1 DB|internal error/i
/** The same, but it was not begun. */
const overloaded = /D1 DB is overloaded|Please wait and consider throttling/i

/** A failure, and what is known of it. */
interface Failure {
  readonly error: RemoteError
  /** Whether the same request may succeed later. */
  readonly isPassing: boolean
  /** Whether it may have been carried out all the same. */
  readonly isLost: boolean
  readonly waitMs?: number
}

/** @throws {RemoteError} and {UnknownOutcomeError}, for what may not be repeated and whose answer is lost */
export async function ask<Result>(api: CloudflareApi, request: ApiRequest): Promise<ApiAnswer<Result>> {
  const { method, path, body, timeoutMs } = request
  const headers = { ...api.headers, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) }
  return await tryAgain(request, async () => {
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const got = await exchange(`${api.baseUrl}${path}`, init, request.what, timeoutMs)
    return 'error' in got ? got : readAnswer<Result>(got, api, request)
  })
}

/** Puts text where a signed address says: no credentials, and no JSON. */
export async function upload(address: string, text: string, what: string, timeoutMs: number): Promise<void> {
  await tryAgain({ what, mayRepeat: true }, async () => {
    const got = await exchange(address, { method: 'PUT', body: text }, what, timeoutMs)
    if ('error' in got) return got
    if (got.status === 200) return { done: undefined }
    const error = new RemoteError(`Cloudflare's storage answered ${got.status} to ${what}.`, {
      status: got.status,
    })
    return { error, isPassing: got.status >= 500 || got.status === 429, isLost: false }
  })
}

async function tryAgain<Done>(
  { what, mayRepeat }: Pick<ApiRequest, 'what' | 'mayRepeat'>,
  once: () => Promise<{ readonly done: Done } | Failure>,
): Promise<Done> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await once()
    if ('done' in outcome) return outcome.done
    if (!mayRepeat && outcome.isLost) throw new UnknownOutcomeError(what, outcome.error)
    if (!mayRepeat || !outcome.isPassing || attempt === attempts) throw outcome.error
    const waitMs = outcome.waitMs ?? firstWaitMs * 2 ** (attempt - 1)
    await new Promise((done) => setTimeout(done, Math.min(waitMs, longestWaitMs)))
  }
}

interface Got {
  readonly status: number
  readonly text: string
  readonly retryAfterMs: number | null
}

async function exchange(
  url: string,
  init: RequestInit,
  what: string,
  timeoutMs: number,
): Promise<Got | Failure> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) })
    const text = await response.text()
    const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN)
    return { status: response.status, text, retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : null }
  } catch (cause) {
    return failedExchange(cause, new URL(url).host, what, timeoutMs)
  }
}

/** Codes of what failed before anything was sent. */
const notSent =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_|CERT_|SELF_SIGNED_|UNABLE_TO_)/

function failedExchange(cause: unknown, host: string, what: string, timeoutMs: number): Failure {
  const { name = '', message = '', cause: inner } = cause as Error & { cause?: Error & { code?: string } }
  const code = inner?.code ?? ''
  const isTimeout = name === 'TimeoutError' || /UND_ERR_(?:HEADERS|BODY)_TIMEOUT/.test(code)
  const why = isTimeout
    ? `${host} did not answer to ${what} within ${timeoutMs / 1000} seconds.`
    : notSent.test(code)
      ? `${host} cannot be reached: ${inner?.message ?? message}. Is this machine connected?`
      : `The connection to ${host} broke during ${what}: ${inner?.message ?? message}.`
  return { error: new RemoteError(why, { cause }), isPassing: true, isLost: !notSent.test(code) }
}

interface Envelope<Result> extends ApiAnswer<Result> {
  readonly success?: boolean
  readonly errors?: readonly ApiFault[]
}

function readAnswer<Result>(
  { status, text, retryAfterMs }: Got,
  api: CloudflareApi,
  { what, permission = 'D1: Edit' }: ApiRequest,
): { readonly done: ApiAnswer<Result> } | Failure {
  const wait = retryAfterMs === null ? {} : { waitMs: retryAfterMs }
  const envelope = parsed<Result>(text)
  if (envelope === null) {
    const shown = text.replace(/\s+/g, ' ').trim().slice(0, 100)
    const message = `${new URL(api.baseUrl).host} answered ${what} with ${status} and no JSON${shown ? `: ${shown}` : ''}.
Something between this machine and Cloudflare may have answered, or Cloudflare is out of order: https://www.cloudflarestatus.com`
    const isOut = status >= 500
    // A page with a status of 400 and more is a refusal on the way; any other may stand for an answer that came too late.
    return {
      error: new RemoteError(message, { status }),
      isPassing: isOut || status === 429,
      isLost: isOut || status < 400,
      ...wait,
    }
  }
  if (envelope.success === true && status < 400) return { done: envelope }
  const faults = envelope.errors ?? []
  const said = faults.map(({ message }) => message).join('; ')
  const error = new RemoteError(explain(status, faults, api, what, permission), { status, faults })
  const isPassing = status >= 500 || status === 429 || passing.test(said) || overloaded.test(said)
  return {
    error,
    isPassing,
    isLost: (status >= 500 || passing.test(said)) && !overloaded.test(said),
    ...wait,
  }
}

function parsed<Result>(text: string): Envelope<Result> | null {
  try {
    const value = JSON.parse(text) as Envelope<Result> | null
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

function explain(
  status: number,
  faults: readonly ApiFault[],
  api: CloudflareApi,
  what: string,
  permission: string,
): string {
  const said =
    faults.map(({ code, message }) => `${message} [code: ${code}]`).join('; ') || `status ${status}`
  if (status === 401 || status === 403)
    return `Cloudflare refuses ${what}: ${said}
It was asked with ${api.credentials}. A token needs the permission "${permission}" in this account; without a token, sign in again: npx wrangler login`
  if (status === 404)
    return `Cloudflare does not know what ${what} is about: ${said}
Compare database_id in wrangler.toml, and the account, with: npx wrangler d1 list`
  if (status === 429)
    return `Cloudflare takes no more requests for now: ${said}\nWait five minutes, and run the command again.`
  if (status >= 500)
    return `Cloudflare failed at ${what}: ${said}\nTry again later; its state: https://www.cloudflarestatus.com`
  const isInternal = faults.some(({ message }) => /internal error/i.test(message))
  return `Cloudflare refuses ${what}: ${said}${isInternal ? `\n${internalHint}` : ''}`
}

/** Seen with workerd: what fails when a transaction commits has no words of its own. */
const internalHint =
  'D1 says so as well when foreign keys that were deferred do not hold at the end of a transaction.'
