/**
 * Where kept answers lie in the Cache API: under an address that is made of the question, and, where an answer says `Vary`, of what the
 * question says there.
 * @module
 */
import CachePolicy from 'http-cache-semantics'
import { toBase64Url } from '../core/base64url.ts'
import type { ProxyVisit } from './proxy-visit.ts'

/** A kept answer, and the rules that it is kept by. */
export interface Stored {
  readonly policy: CachePolicy
  readonly response: Response
}

const policyHeader = 'atoll-policy'
const varyHeader = 'atoll-vary'

/** The address for a question, whatever answers to it say of `Vary`. */
export async function placeOf({ link, asked }: ProxyVisit): Promise<string> {
  return addressFor(`${link.pool.name}\n${asked.origin}${asked.pathname}${asked.search}`)
}

async function addressFor(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return `https://atoll.invalid/${toBase64Url(new Uint8Array(digest))}`
}

async function placeWithin(place: string, vary: string, headers: CachePolicy.Headers): Promise<string> {
  const values = vary.split(',').map((name) => `${name}\n${headers[name] ?? ''}`)
  return addressFor(`${place}\n${values.join('\n')}`)
}

export async function readPlace(place: string, asked: CachePolicy.HttpRequest): Promise<Stored | null> {
  const found = await caches.default.match(place)
  const vary = found?.headers.get(varyHeader)
  if (!vary) return found ? opened(found) : null
  await found?.body?.cancel()
  const other = await caches.default.match(await placeWithin(place, vary, asked.headers))
  return other ? opened(other) : null
}

/** @param ttlMs how long it may be of use */
export async function writePlace(
  place: string,
  policy: CachePolicy,
  response: Response,
  ttlMs: number,
): Promise<void> {
  const vary = (response.headers.get('vary') ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .sort()
    .join(',')
  const control = { 'Cache-Control': `max-age=${Math.ceil(ttlMs / 1000)}` }
  const headers = new Headers(response.headers)
  // The Cache API would go by these; the rules are in the policy.
  for (const name of ['vary', 'expires', 'pragma', 'age', 'cache-status', 'server-timing'])
    headers.delete(name)
  headers.set('Cache-Control', control['Cache-Control'])
  const rules = policy.toObject() as unknown as { reqh: CachePolicy.Headers | null }
  // Of the request, what other requests are compared with, and no secret that may stand beside it.
  const asked = Object.fromEntries(vary.split(',').map((name) => [name, rules.reqh?.[name]]))
  const shown = JSON.stringify({ ...rules, reqh: rules.reqh && asked })
  headers.set(policyHeader, encodeURIComponent(shown))
  const kept = new Response(response.body, { status: response.status, headers })
  if (vary === '') return caches.default.put(place, kept)
  await caches.default.put(place, new Response('', { headers: { ...control, [varyHeader]: vary } }))
  await caches.default.put(await placeWithin(place, vary, asked), kept)
}

function opened(response: Response): Stored {
  const headers = new Headers(response.headers)
  const text = headers.get(policyHeader) ?? ''
  for (const name of [policyHeader, varyHeader, 'cf-cache-status', 'cache-control']) headers.delete(name)
  const policy = CachePolicy.fromObject(JSON.parse(decodeURIComponent(text)))
  return { policy, response: new Response(response.body, { status: response.status, headers }) }
}
