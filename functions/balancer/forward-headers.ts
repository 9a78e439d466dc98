/**
 * Headers on their way to an origin and back.
 * @module
 */
import { readCookies, withoutCookies } from './cookies.ts'
import type { Credential, RouteDeclaration } from './declarations.ts'
import { publicLocation } from './routes.ts'

/** For one connection only: RFC 9110, 7.6.1. */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]
/** What proxies say of callers: a caller that says it may lie. */
const spoofable =
  /^(?:x-forwarded(?:-.*)?|forwarded|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-.*|x-original-.*|x-rewrite-url|x-host|atoll-.*)$/
/** Our name in `Via` and `CDN-Loop`. */
export const pseudonym = 'atoll'

/** What origins are told of the caller. */
export interface ForwardedCaller {
  /** Its address, as the platform says; null: unknown. */
  readonly address: string | null
  readonly url: URL
  readonly role: string | null
  readonly subject: string | null
}

export interface RequestHeaderRules {
  readonly route: RouteDeclaration
  readonly receives: readonly Credential[]
  /** Cookies that are ours. */
  readonly ownCookies: readonly string[]
  /** Whether a text is one of the project's keys. */
  readonly isKey: (text: string) => boolean
}

/** Headers of a request as an origin gets them. */
export function requestHeaders(sent: Headers, caller: ForwardedCaller, rules: RequestHeaderRules): Headers {
  const headers = new Headers(sent)
  const isUpgrade = sent.get('upgrade')?.toLowerCase() === 'websocket'
  dropHopByHop(headers)
  for (const name of [...headers.keys()]) if (spoofable.test(name)) headers.delete(name)
  for (const name of ['host', 'expect', 'content-length']) headers.delete(name)
  keepCredentials(headers, rules)
  const { address, url, role, subject } = caller
  const host = url.host
  const proto = url.protocol.slice(0, -1)
  headers.set('X-Forwarded-Host', host)
  headers.set('X-Forwarded-Proto', proto)
  if (address !== null) headers.set('X-Forwarded-For', address)
  headers.set('Forwarded', `for=${nodeOf(address)};host="${host}";proto=${proto}`)
  headers.append('Via', `1.1 ${pseudonym}`)
  headers.append('CDN-Loop', pseudonym)
  if (role !== null) headers.set('Atoll-Role', encodeURIComponent(role.toWellFormed()))
  if (subject !== null) headers.set('Atoll-Subject', encodeURIComponent(subject.toWellFormed()))
  if (isUpgrade) headers.set('Upgrade', 'websocket')
  for (const [name, value] of Object.entries(rules.route.request?.set ?? {})) headers.set(name, value)
  for (const name of rules.route.request?.remove ?? []) headers.delete(name)
  return headers
}

/** Whether a request has come through here before. */
export function isLoop(headers: Headers): boolean {
  const passed = (headers.get('cdn-loop') ?? '').split(',').map((hop) => hop.split(';')[0]?.trim())
  return passed.includes(pseudonym)
}

/** Headers of an origin's answer as the caller gets them. */
export function responseHeaders(
  answer: Response,
  { route, asked, origin, at }: { route: RouteDeclaration; asked: URL; origin: URL; at: URL },
): Headers {
  const headers = new Headers(answer.headers)
  dropHopByHop(headers)
  headers.append('Via', `1.1 ${pseudonym}`)
  const location = headers.get('location')
  if (location !== null) headers.set('Location', publicLocation(location, origin, route, asked, at))
  for (const [name, value] of Object.entries(route.response?.set ?? {})) headers.set(name, value)
  for (const name of route.response?.remove ?? []) headers.delete(name)
  return headers
}

function dropHopByHop(headers: Headers): void {
  const named = (headers.get('connection') ?? '').split(',').map((name) => name.trim().toLowerCase())
  for (const name of [...hopByHop, ...named]) if (/^[\w!#$%&'*+.^`|~-]+$/.test(name)) headers.delete(name)
}

/** Secrets of callers go to origins that are declared to receive them; the project's own keys only as `apikey`. */
function keepCredentials(headers: Headers, { receives, ownCookies, isKey }: RequestHeaderRules): void {
  if (!receives.includes('apikey')) headers.delete('apikey')
  const bearer = /^Bearer\s+(.*)$/i.exec(headers.get('authorization') ?? '')?.[1]
  const isOurs = bearer !== undefined && isKey(bearer.trim())
  if (!receives.includes('authorization') || (isOurs && !receives.includes('apikey')))
    headers.delete('authorization')
  const cookies = headers.get('cookie')
  if (cookies === null) return
  const left = receives.includes('cookie') ? withoutCookies(cookies, ownCookies) : ''
  if (left === '' || readCookies(left).size === 0) headers.delete('cookie')
  else headers.set('cookie', left)
}

/** RFC 7239, 6: addresses of IPv6 in brackets and quotes. */
function nodeOf(address: string | null): string {
  if (address === null) return 'unknown'
  return address.includes(':') ? `"[${address}]"` : address
}
