/**
 * What is read off a raw request before it is parsed.
 * @module
 */
import { errors } from '../errors.ts'
import type { ShapeHeaders } from './shape.ts'

/** A function of one row answers with an object, as long as the client takes JSON. */
export function singularOf(raw: Request): string {
  const accept = raw.headers.get('accept') ?? '*/*'
  return /json|\*\/\*/.test(accept) ? 'application/vnd.pgrst.object+json' : accept
}

export function isOpenApi(range: string): boolean {
  const [type] = range.split(';')
  return ['*/*', 'application/*', 'application/json', 'application/openapi+json'].includes(type as string)
}

export function headersOf(raw: Request): ShapeHeaders {
  const reads = raw.method === 'GET' || raw.method === 'HEAD'
  return {
    method: raw.method,
    accept: raw.headers.get('accept') ?? '',
    prefer: raw.headers.get('prefer') ?? '',
    profile: raw.headers.get(reads ? 'accept-profile' : 'content-profile') ?? '',
    range: reads ? rangeOf(raw.headers.get('range')) : null,
  }
}

/** `Range: 0-9` counts rows; other units (`bytes=`) are not for us. */
function rangeOf(header: string | null): ShapeHeaders['range'] {
  const found = /^(?:items=)?(\d{1,15})-(\d{0,15})$/.exec(header ?? '')
  if (!found) return null
  const first = Number(found[1])
  if (found[2] === '') return { offset: first, limit: null }
  const last = Number(found[2])
  if (last < first) throw errors.rangeBackwards()
  return { offset: first, limit: last - first + 1 }
}

/** The path with its parameters in order, so that equal requests have equal locations. */
export function canonicalLocation(url: URL): string {
  if (url.search === '') return url.pathname
  const sorted = new URLSearchParams(url.searchParams)
  sorted.sort()
  return `${url.pathname}?${sorted}`
}
