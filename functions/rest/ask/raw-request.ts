/**
 * What is read off a raw request before it is parsed.
 * @module
 */
import { errors } from '../errors.ts'
import type { Budget } from './budget.ts'
import type { ShapeHeaders } from './shape.ts'

/**
 * The names in a path below `/rest/v1`: a table's, or `rpc` and a function's.
 *
 * @throws 404 for other paths
 */
export function namesOf(raw: Request): [table: string, name?: string] {
  const [, table, name, ...more] =
    /^\/rest\/v1\/([^/]*)(?:\/([^/]*))?(.*)$/.exec(new URL(raw.url).pathname) ?? []
  if (table === undefined || more.some((rest) => rest !== '')) throw errors.invalidPath()
  try {
    return name === undefined
      ? [decodeURIComponent(table)]
      : [decodeURIComponent(table), decodeURIComponent(name)]
  } catch {
    throw errors.invalidPath()
  }
}

/** @throws BOUND001 */
export function queryWithin({ queryLength }: Budget, raw: Request): URL {
  const url = new URL(raw.url)
  const { length } = url.search
  if (length > queryLength) throw errors.beyondBudget('queryLength', length, queryLength)
  return url
}

export function isOpenApi(range: string): boolean {
  const [type] = range.split(';')
  return ['*/*', 'application/*', 'application/json', 'application/openapi+json'].includes(type as string)
}

/** The schema that a request names; empty for none. */
export function profileOf({ method, headers }: Request): string {
  const writes = ['POST', 'PATCH', 'PUT', 'DELETE'].includes(method)
  return headers.get(writes ? 'content-profile' : 'accept-profile') ?? ''
}

/** @param schema the one that is meant, whether it is named or not */
export function headersOf(raw: Request, schema: string): ShapeHeaders {
  const reads = raw.method === 'GET' || raw.method === 'HEAD'
  return {
    method: raw.method,
    accept: raw.headers.get('accept') ?? '',
    prefer: raw.headers.get('prefer') ?? '',
    schema,
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

/** Queries of which nothing is to be decoded. */
const plainQuery = /^\?[\w*.=&,():!>-]*$/

/** The parameters of a query. The platform's own parser is a call out of JavaScript for each: most queries need none. */
export function parametersOf(url: URL): Iterable<readonly [name: string, value: string]> {
  const { search } = url
  if (search === '') return []
  if (!plainQuery.test(search)) return url.searchParams
  return piecesOf(search).map((piece) => {
    const at = piece.indexOf('=')
    return at < 0 ? [piece, ''] : [piece.slice(0, at), piece.slice(at + 1)]
  })
}

function piecesOf(search: string): string[] {
  return search
    .slice(1)
    .split('&')
    .filter((piece) => piece !== '')
}

/** Parameters that `URLSearchParams` writes as they are, but for commas and parentheses. */
const plainParameter = /^[\w*.-]+=[\w*.,()-]*$/
const written: Readonly<Record<string, string>> = { ',': '%2C', '(': '%28', ')': '%29' }

/** The path with its parameters in order, so that equal requests have equal locations. */
export function canonicalLocation(url: URL): string {
  const { pathname, search } = url
  if (search === '') return pathname
  const pieces = piecesOf(search)
  if (pieces.every((piece) => plainParameter.test(piece))) {
    const nameOf = (piece: string) => piece.slice(0, piece.indexOf('='))
    const sorted = pieces.length === 1 ? pieces : pieces.sort((a, b) => compare(nameOf(a), nameOf(b)))
    return `${pathname}?${sorted.join('&').replace(/[,()]/g, (character) => written[character] as string)}`
  }
  const sorted = new URLSearchParams(url.searchParams)
  sorted.sort()
  return `${pathname}?${sorted}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
