/**
 * Serves an object's bytes: as they come from R2, or a part of them, or nothing when the client has them.
 * Source: RFC 9110, sections 13 (conditional requests) and 14 (ranges).
 * @module
 */
import { errors } from './errors.ts'
import type { StoredObject } from './object-rows.ts'
import type { StorageVisit } from './storage-context.ts'

export interface ServeTerms {
  /** Whether anybody may have it, so that caches may keep it for all. */
  readonly isPublic: boolean
  /** Name under which it is saved; empty: its own; null: it is shown. */
  readonly download: string | null
}

/** Types of which no browser makes more than a picture, a sound, text or a page of its own viewer. */
const inertTypes =
  /^(?:image\/(?!svg)[\w.-]+|audio\/[\w.+-]+|video\/[\w.+-]+|font\/[\w.-]+|text\/(?:plain|csv|markdown)|application\/(?:json|pdf|octet-stream|zip|gzip))(?:;|$)/

/** @param look finds its row, as far as the caller may have it */
export async function serveObject(
  { raw, files }: StorageVisit,
  look: () => Promise<StoredObject>,
  terms: ServeTerms,
): Promise<Response> {
  for (let tries = 1; tries <= 3; tries++) {
    const current = await look()
    const headers = headersOf(current, terms)
    const verdict = conditionsOf(raw.headers, current)
    if (verdict !== 200) return new Response(null, { status: verdict, headers })
    const isHead = raw.method === 'HEAD'
    // RFC 9110, 14.2: ranges are for GET.
    const range = isHead ? null : rangeOf(raw.headers, current)
    headers.set('Content-Length', String(range?.length ?? current.size))
    if (range) {
      headers.set('Content-Range', `bytes ${range.offset}-${range.offset + range.length - 1}/${current.size}`)
    }
    const status = range ? 206 : 200
    if (isHead) return new Response(null, { status, headers })
    const found = await files.get(current.blob, range ? { range } : {})
    if (found) return new Response(found.body, { status, headers, encodeBody: 'manual' })
    // It was replaced, and its bytes are gone, between the two.
  }
  throw errors.noObject()
}

export function headersOf(object: StoredObject, { isPublic, download }: ServeTerms): Headers {
  const isInert = inertTypes.test(object.mime)
  const file = object.name.slice(object.name.lastIndexOf('/') + 1)
  const saved = download ?? (isInert || isPublic ? null : '')
  const headers = new Headers({
    'Content-Type': object.mime,
    ETag: object.etag,
    'Last-Modified': new Date(object.updated).toUTCString(),
    'Cache-Control': isPublic ? object.cacheControl : privately(object.cacheControl),
    'Accept-Ranges': 'bytes',
    'X-Content-Type-Options': 'nosniff',
  })
  // Whatever it is, it is not of this site: no scripts, no cookies.
  if (!isInert) {
    headers.set('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox")
  }
  if (saved !== null) headers.set('Content-Disposition', attachment(saved === '' ? file : saved))
  return headers
}

/** What the uploader said of caches, for those of one reader. */
function privately(cacheControl: string): string {
  const directives = cacheControl.split(',').map((directive) => directive.trim())
  return ['private', ...directives.filter((one) => !/^(?:public|private|s-maxage\b)/i.test(one))].join(', ')
}

/** RFC 6266: the name in ASCII, and as it is. */
function attachment(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const encoded = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}

/** RFC 9110, 13.2.2: which status the conditions of a request ask for. */
function conditionsOf(headers: Headers, { etag, updated }: StoredObject): 200 | 304 | 412 {
  const changed = Math.floor(updated / 1000) * 1000
  const ifMatch = headers.get('if-match')
  const ifUnmodified = timeOf(headers.get('if-unmodified-since'))
  if (ifMatch !== null ? !names(ifMatch, etag, false) : ifUnmodified !== null && changed > ifUnmodified)
    return 412
  const ifNoneMatch = headers.get('if-none-match')
  const ifModified = timeOf(headers.get('if-modified-since'))
  const isSame =
    ifNoneMatch !== null ? names(ifNoneMatch, etag, true) : ifModified !== null && changed <= ifModified
  return isSame ? 304 : 200
}

/** Whether the client says that it has what has this tag. */
export function isSameAs(headers: Headers, etag: string): boolean {
  const ifNoneMatch = headers.get('if-none-match')
  return ifNoneMatch !== null && names(ifNoneMatch, etag, true)
}

function names(list: string, etag: string, isWeak: boolean): boolean {
  return list.split(',').some((one) => {
    const trimmed = one.trim()
    return trimmed === '*' || (isWeak ? trimmed.replace(/^W\//, '') : trimmed) === etag
  })
}

function timeOf(text: string | null): number | null {
  const time = text === null ? Number.NaN : Date.parse(text)
  return Number.isNaN(time) ? null : time
}

/**
 * The part that a request asks for; null: all of it. Of several ranges, none: all of it is an answer, too.
 *
 * @throws AtollError when there is nothing there
 */
function rangeOf(
  headers: Headers,
  { size, etag, updated }: StoredObject,
): { offset: number; length: number } | null {
  const text = headers.get('range')
  if (text === null || !isStill(headers.get('if-range'), etag, updated)) return null
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(text.trim()) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return null
  if (first === '') {
    const length = Math.min(Number(last), size)
    if (length === 0) throw errors.badRange(size)
    return { offset: size - length, length }
  }
  const offset = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < offset) return null
  if (offset >= size) throw errors.badRange(size)
  return { offset, length: end - offset + 1 }
}

/** RFC 9110, 13.1.5: a part is of use only with the rest of the same version. */
function isStill(ifRange: string | null, etag: string, updated: number): boolean {
  if (ifRange === null) return true
  if (ifRange.startsWith('"')) return ifRange === etag
  return timeOf(ifRange) === Math.floor(updated / 1000) * 1000
}
