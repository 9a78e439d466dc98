/**
 * Where kept answers lie in the Cache API: below the address that was asked for, under a name that is made of the question and, where an
 * answer says `Vary`, of what the question says there. The host is the request's own, as the platform advises: it looks others up. And the
 * path is, so that whoever asks for a place is answered by the Worker, not by the zone's cache, and what is purged by prefix is purged.
 * Source: https://developers.cloudflare.com/workers/runtime-apis/cache/
 * @module
 */
import CachePolicy from 'http-cache-semantics'
import { toBase64Url } from '../core/base64url.ts'

/** A kept answer, and the rules that it is kept by. */
export interface Stored {
  readonly policy: CachePolicy
  readonly response: Response
}

const policyHeader = 'atoll-policy'
const varyHeader = 'atoll-vary'

/** The address for a question, whatever answers to it say of `Vary`. */
export async function placeOf(pool: string, asked: URL): Promise<string> {
  const below = `${asked.origin}${asked.pathname.replace(/\/$/, '')}/_atoll/kept/`
  return below + (await nameFor(`${pool}\n${asked.origin}${asked.pathname}${asked.search}`))
}

async function nameFor(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return toBase64Url(new Uint8Array(digest))
}

async function placeWithin(place: string, vary: string, headers: CachePolicy.Headers): Promise<string> {
  const values = vary.split(',').map((name) => `${name}\n${headers[name] ?? ''}`)
  return new URL(await nameFor(`${place}\n${values.join('\n')}`), place).href
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
