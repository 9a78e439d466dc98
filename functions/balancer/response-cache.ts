/**
 * Answers of origins, kept by the rules of RFC 9111 in the platform's Cache API: for all isolates of a location. What may be kept, for how
 * long and for whom is said by `http-cache-semantics`; here are the places where answers lie, and one question for many who ask the same.
 * @module
 */
import CachePolicy from 'http-cache-semantics'
import { AtollError } from '../../db/errors/atoll-error.ts'
import { RecentMap } from '../../db/memory/recent-map.ts'
import { within } from '../core/coalescer.ts'
import { bounded } from './body.ts'
import { errors } from './errors.ts'
import type { ProxyVisit } from './proxy-visit.ts'
import { placeOf, readPlace, type Stored, writePlace } from './response-places.ts'

type Send = (headers: Headers) => Promise<Response>

const defaultMaxBytes = 5_000_000
/** How long others wait for an answer that somebody is getting, in milliseconds. */
const longestWaitMs = 5000
/** How long an address whose answers cannot be kept is asked without waiting for others, in milliseconds. */
const passMs = 10_000
/** How long an answer is kept that must be asked after each time, in milliseconds. */
const validatedMs = 3_600_000
const maxKeys = 1000

/** A request as `http-cache-semantics` sees it, and where its answers lie. */
interface Question {
  readonly visit: ProxyVisit
  readonly send: Send
  readonly place: string
  readonly asked: CachePolicy.HttpRequest
}

export function createResponseCache() {
  const passing = new RecentMap<number>(maxKeys)
  const filling = new RecentMap<Promise<void>>(maxKeys)

  async function fill(question: Question): Promise<Response> {
    const { place, visit, send } = question
    const other = filling.get(place)
    if (other && (passing.get(place) ?? 0) < Date.now()) {
      await within(longestWaitMs, other)
      const found = await readPlace(place, question.asked)
      const usable = found && !found.policy.evaluateRequest(question.asked).revalidation
      if (found && usable) return show(question, found, 'hit; detail=collapsed')
      return said(visit, await send(visit.headers), 'fwd=miss')
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    filling.set(place, promise)
    const over = () => {
      if (filling.get(place) === promise) filling.delete(place)
      resolve()
    }
    try {
      return keep(question, await send(visit.headers), 'fwd=uri-miss', over)
    } catch (error) {
      over()
      throw error
    }
  }

  /** Keeps an answer when it may be kept, and gives it to who asked. */
  function keep(
    { visit, place, asked }: Question,
    response: Response,
    how: string,
    over = () => {},
  ): Response {
    const { cache: rule } = visit.route
    const maxBytes = typeof rule === 'object' ? rule.maxBytes : defaultMaxBytes
    const policy = new CachePolicy(asked, plain(response), { shared: true })
    const isValidated = response.headers.has('etag') || response.headers.has('last-modified')
    const ttlMs = Math.max(policy.timeToLive(), isValidated && policy.storable() ? validatedMs : 0)
    const isKept =
      visit.request.method === 'GET' &&
      policy.storable() &&
      ttlMs > 0 &&
      response.body !== null &&
      !response.headers.has('set-cookie') &&
      Number(response.headers.get('content-length') ?? 0) <= maxBytes
    if (!isKept) {
      if (response.status === 200) passing.set(place, Date.now() + passMs)
      over()
      return said(visit, response, how)
    }
    const [mine, theirs] = (response.body as ReadableStream<Uint8Array>).tee()
    const body = mine.pipeThrough(bounded(maxBytes, () => errors.answerTooLarge(maxBytes)))
    const written = writePlace(place, policy, new Response(body, response), ttlMs)
    visit.later(written.catch(() => undefined).then(over))
    return said(visit, new Response(theirs, response), `${how}; stored`)
  }

  /** Asks the origin whether what is kept is still right. */
  async function revalidate(
    question: Question,
    found: Stored,
    headers: CachePolicy.Headers,
  ): Promise<Response> {
    const { visit, place, asked, send } = question
    const sent = new Headers()
    for (const [name, value] of Object.entries(headers))
      if (value !== undefined) sent.set(name, String(value))
    const answer = await send(sent).catch((error: unknown) => {
      if (error instanceof AtollError) return error
      throw error
    })
    const status = answer.status
    const { policy, modified } = found.policy.revalidatedPolicy(
      asked,
      answer instanceof AtollError ? { status, headers: {} } : plain(answer),
    )
    if (modified) {
      if (answer instanceof AtollError) throw answer
      return keep(question, answer, 'fwd=stale')
    }
    if (answer instanceof Response) visit.later(Promise.resolve(answer.body?.cancel()))
    if (status !== 304) return show(question, found, 'hit; detail=stale-if-error')
    const renewed = { policy, response: found.response }
    const [mine, theirs] = (found.response.body as ReadableStream).tee()
    const ttlMs = Math.max(policy.timeToLive(), validatedMs)
    const kept = new Response(mine, { status: found.response.status, headers: headersOf(renewed) })
    visit.later(writePlace(place, policy, kept, ttlMs).catch(() => undefined))
    const shown = new Response(theirs, { status: found.response.status, headers: headersOf(renewed) })
    return show(question, { policy, response: shown }, 'fwd=stale; fwd-status=304')
  }

  return {
    async answer(entered: ProxyVisit, send: Send): Promise<Response> {
      const { request } = entered
      const place = await placeOf(entered.link.pool.name, entered.asked)
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      if (!isRead) {
        const response = await send(entered.headers)
        // RFC 9111, 4.4.
        if (response.status < 400 && request.method !== 'OPTIONS') entered.later(forget(place))
        return response
      }
      const isWhole = !['range', 'upgrade', 'if-match', 'if-unmodified-since'].some((name) =>
        entered.headers.has(name),
      )
      if (!isWhole) return send(entered.headers)
      // What the caller has already is looked at here; the origin is asked for all of it, or whether what is kept is right.
      const headers = new Headers(entered.headers)
      for (const name of ['if-none-match', 'if-modified-since']) headers.delete(name)
      const visit = { ...entered, headers }
      // An answer to somebody is kept for others only where the origin says so, as with Authorization: RFC 9111, 3.5.
      const personal = visit.isPersonal ? { authorization: 'by Atoll' } : {}
      const asked = {
        url: visit.asked.href,
        method: 'GET',
        headers: { ...Object.fromEntries(headers), ...personal },
      }
      const question = { visit, send, place, asked }
      const found = await readPlace(place, asked)
      const cacheControl = headers.get('cache-control') ?? ''
      if (found) {
        const { response, revalidation } = found.policy.evaluateRequest(asked)
        if (response && !revalidation) return show(question, found, `hit; ttl=${ttlOf(found)}`)
        if (/\bonly-if-cached\b/.test(cacheControl)) throw errors.notCached()
        if (response && revalidation && !revalidation.synchronous) {
          const copy = { policy: found.policy, response: found.response.clone() }
          const refreshed = revalidate(question, copy, revalidation.headers)
          visit.later(refreshed.then((fresh) => fresh.body?.cancel()).catch(() => undefined))
          return show(question, found, `hit; ttl=${ttlOf(found)}; detail=stale-while-revalidate`)
        }
        if (revalidation) return revalidate(question, found, revalidation.headers)
      }
      if (/\bonly-if-cached\b/.test(cacheControl)) throw errors.notCached()
      return request.method === 'HEAD' ? send(entered.headers) : fill(question)
    },
  }
}

function ttlOf({ policy }: Stored): number {
  return Math.round(policy.maxAge() - policy.age())
}

function plain({ status, headers }: Response): CachePolicy.HttpResponse {
  return { status, headers: Object.fromEntries(headers) }
}

function headersOf({ policy, response }: Stored): Headers {
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(policy.responseHeaders())) {
    if (value !== undefined && name !== 'date') headers.set(name, String(value))
  }
  return headers
}

/** A kept answer, with its age. */
function show({ visit }: Question, found: Stored, how: string): Response {
  const { status, body } = found.response
  return said(visit, new Response(body, { status, headers: headersOf(found) }), how)
}

/** What the caller is told: not what they have already, and no body when they asked for the head alone. RFC 9110, 13; RFC 9211. */
function said({ request, later }: ProxyVisit, response: Response, how: string): Response {
  const headers = new Headers(response.headers)
  headers.set('Cache-Status', `atoll; ${how}`)
  const isKnown = response.status === 200 && hasAlready(request.headers, headers)
  const { status, statusText, body } = response
  if (!isKnown && request.method === 'GET') return new Response(body, { status, statusText, headers })
  later(Promise.resolve(body?.cancel()))
  return new Response(null, { status: isKnown ? 304 : status, headers })
}

function hasAlready(asked: Headers, headers: Headers): boolean {
  const known = asked.get('if-none-match')
  const etag = headers.get('etag')
  if (known === null) {
    const since = Date.parse(asked.get('if-modified-since') ?? '')
    return since >= Date.parse(headers.get('last-modified') ?? '')
  }
  const weak = (tag: string) => tag.trim().replace(/^W\//, '')
  return known.trim() === '*' || (etag !== null && known.split(',').some((tag) => weak(tag) === weak(etag)))
}

async function forget(place: string): Promise<void> {
  await caches.default.delete(place)
}
