import type { CacheDirectives, Served } from '../../cache/area.ts'

/** What a request says in `Cache-Control`, as far as it is for this cache. */
export function readDirectives(headers: Headers): CacheDirectives {
  const text = headers.get('cache-control')
  if (text === null) return noDirectives
  const directives = new Map(
    text.split(',').map((part): [string, string] => {
      const [name = '', value = ''] = part.split('=', 2)
      return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')]
    }),
  )
  const maxAge = directives.get('max-age')
  return {
    noCache: directives.has('no-cache') || directives.has('no-store'),
    noStore: directives.has('no-store'),
    // What is no number of seconds asks for nothing old.
    maxAgeMs: maxAge === undefined ? null : /^\d{1,10}$/.test(maxAge) ? Number(maxAge) * 1000 : 0,
    onlyIfCached: directives.has('only-if-cached'),
  }
}

const noDirectives: CacheDirectives = { noCache: false, noStore: false, maxAgeMs: null, onlyIfCached: false }

/** `Age` (RFC 9111) and `Cache-Status` (RFC 9211): where an answer comes from. */
export function writeCacheHeaders(headers: Headers, served: Served, store: string): void {
  const { from, forwarded, stored, ageMs, ttlMs } = served
  const ttl = Math.ceil(ttlMs / 1000)
  if (from === 'database') {
    headers.set(
      'Cache-Status',
      `atoll; fwd=${forwarded ?? 'uri-miss'}${stored ? `; stored; ttl=${ttl}` : ''}`,
    )
    return
  }
  headers.set('Age', String(Math.floor(ageMs / 1000)))
  headers.set('Cache-Status', `atoll; hit; ttl=${ttl}; detail=${from === 'store' ? store : from}`)
}
