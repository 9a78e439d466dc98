/**
 * Which route a request takes, and the address that it leads to.
 * @module
 */

import type { RouteDeclaration } from './declarations.ts'
import { errors } from './errors.ts'

/** Paths that are Atoll's own: no route leads away from them. */
export const reservedPaths = [
  '/rest/v1',
  '/functions/v1',
  '/storage/v1',
  '/jobs/v1',
  '/balancer/v1',
  '/docs',
  '/metrics',
  '/_atoll',
] as const

export function isReserved(path: string): boolean {
  return reservedPaths.some((reserved) => isBelow(path, reserved))
}

/** Whether a path is another, or below it. */
export function isBelow(path: string, parent: string): boolean {
  return path === parent || path.startsWith(parent.endsWith('/') ? parent : `${parent}/`)
}

/** The path that a route is for, without the star. */
export function prefixOf({ path }: RouteDeclaration): string {
  return path.endsWith('/*') ? path.slice(0, -2) : path
}

/** Routes that fit the path and host, the longest first; one with hosts before one without. */
export function createRouteTable(routes: readonly RouteDeclaration[]) {
  const sorted = [...routes].sort(
    (a, b) =>
      prefixOf(b).length - prefixOf(a).length ||
      Number(a.path.endsWith('/*')) - Number(b.path.endsWith('/*')) ||
      Number(b.hosts !== undefined) - Number(a.hosts !== undefined),
  )
  return {
    /**
     * The route for a request; null when none is declared.
     *
     * @throws 405 when routes fit but for the method
     */
    find(url: URL, method: string): RouteDeclaration | null {
      if (isReserved(url.pathname)) return null
      const fitting = sorted.filter((route) => fits(route, url))
      const route = fitting.find(({ methods }) => !methods || methods.includes(method))
      if (!route && fitting.length > 0) {
        throw errors.proxyMethod(method, [...new Set(fitting.flatMap(({ methods }) => methods ?? []))])
      }
      return route ?? null
    },
  }
}

function fits(route: RouteDeclaration, { pathname, hostname }: URL): boolean {
  if (route.hosts && !route.hosts.includes(hostname.toLowerCase())) return false
  const prefix = prefixOf(route)
  if (!route.path.endsWith('/*')) return pathname === prefix
  return prefix === '' || isBelow(pathname, prefix)
}

/** What servers may take for a slash once they have decoded it, and what ends texts in C. */
const hiddenSeparators = /%(?:2f|5c|00)|\\/i
/** A segment that leads up, as far as `URL` has not resolved it. */
const upward = /(?:^|\/)(?:\.|%2e){1,2}(?:$|[/;])/i

/**
 * The address at an origin. Its scheme, host and port are those of the declaration, whatever the request says; `URL` has resolved `..`,
 * and what a server behind might resolve once more is refused.
 *
 * @throws 400 for a path that hides separators
 */
export function addressAt(origin: URL, route: RouteDeclaration, asked: URL): URL {
  const { pathname } = asked
  if (!route.encodedSlashes && (hiddenSeparators.test(pathname) || upward.test(pathname))) {
    throw errors.hiddenPath()
  }
  const rest = route.rewrite === undefined ? pathname : route.rewrite + pathname.slice(prefixOf(route).length)
  const address = new URL(origin)
  const base = origin.pathname.replace(/\/$/, '')
  address.pathname = `${base}/${rest.replace(/^\/+/, '')}`
  address.search = asked.search
  return address
}

/** An address of an origin as the outside knows it; others are left as they are. */
export function publicLocation(
  location: string,
  origin: URL,
  route: RouteDeclaration,
  asked: URL,
  at: URL,
): string {
  const absolute = URL.parse(location, at)
  if (absolute === null || absolute.origin !== origin.origin) return location
  const base = origin.pathname.replace(/\/$/, '') + (route.rewrite ?? '').replace(/\/$/, '')
  if (base !== '' && !isBelow(absolute.pathname, base)) return location
  const prefix = route.rewrite === undefined ? '' : prefixOf(route)
  const path = prefix + absolute.pathname.slice(base.length)
  return `${asked.origin}${path.startsWith('/') ? path : `/${path}`}${absolute.search}${absolute.hash}`
}
