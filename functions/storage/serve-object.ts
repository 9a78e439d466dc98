/**
 * Serves an object's bytes: as they come from R2, or a part of them, or nothing when the client has them.
 * Source: RFC 9110, sections 13 (conditional requests) and 14 (ranges).
 * @module
 */
import { errors } from '../errors.ts'
import { objectOf, readObject, type StoredObject } from './object-rows.ts'
import type { StorageVisit } from './storage-context.ts'

export interface ServeTerms {
  /** Whether anybody may have it, so that caches may keep it for all. */
  readonly isPublic: boolean
  /** Name under which it is saved; empty: its own; null: it is shown. */
  readonly download: string | null
}

/** Types that run in a browser as the site they come from. */
const activeTypes =
  /^(?:text\/(?:html|xml|xsl|javascript)|image\/svg\+xml|application\/(?:xhtml\+xml|xml|javascript|pdf\+xml))\b/i

/** @param object its row, as it was found */
export async function serveObject(
  visit: StorageVisit,
  object: StoredObject,
  terms: ServeTerms,
): Promise<Response> {
  const { raw, files } = visit
  for (let current = object, tries = 1; ; tries++) {
    const headers = headersOf(current, terms)
    const verdict = conditionsOf(raw.headers, current)
    if (verdict !== 200) return new Response(null, { status: verdict, headers })
    const range = rangeOf(raw.headers, current)
    headers.set('Content-Length', String(range?.length ?? current.size))
    if (range) {
      headers.set('Content-Range', `bytes ${range.offset}-${range.offset + range.length - 1}/${current.size}`)
    }
    const status = range ? 206 : 200
    if (raw.method === 'HEAD') return new Response(null, { status, headers })
    const found = await files.get(current.blob, range ? { range } : {})
    if (found) return new Response(found.body, { status, headers, encodeBody: 'manual' })
    // It was replaced, and its bytes are gone, between the two.
    const [rows = []] = await visit.session.primary([readObject(current.bucket, current.name)])
    if (!rows[0] || tries >= 3) throw errors.noObject()
    current = objectOf(rows[0])
  }
}

function headersOf(object: StoredObject, { isPublic, download }: ServeTerms): Headers {
  const isActive = activeTypes.test(object.mime)
  const file = object.name.slice(object.name.lastIndexOf('/') + 1)
  const saved = download ?? (isActive && !isPublic ? '' : null)
  const headers = new Headers({
    'Content-Type': object.mime,
    ETag: object.etag,
    'Last-Modified': new Date(object.updated).toUTCString(),
    'Cache-Control': isPublic ? object.cacheControl : `private, ${object.cacheControl}`,
    'Accept-Ranges': 'bytes',
    'X-Content-Type-Options': 'nosniff',
  })
  // Whatever it is, it is not of this site: no scripts, no cookies.
  if (isActive)
    headers.set('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox")
  if (saved !== null) headers.set('Content-Disposition', attachment(saved === '' ? file : saved))
  return headers
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
