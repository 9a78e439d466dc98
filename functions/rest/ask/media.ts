/**
 * What a response looks like: chosen from the `Accept` header.
 * @module
 */
import { RecentMap } from '../../../db/memory/recent-map.ts'
import { errors } from '../errors.ts'

export interface Media {
  readonly kind: 'array' | 'object' | 'csv'
  readonly nullsStripped: boolean
  readonly contentType: string
}

const array: Media = { kind: 'array', nullsStripped: false, contentType: 'application/json; charset=utf-8' }
const csv: Media = { kind: 'csv', nullsStripped: false, contentType: 'text/csv; charset=utf-8' }
const singular: Media = {
  kind: 'object',
  nullsStripped: false,
  contentType: 'application/vnd.pgrst.object+json; charset=utf-8',
}
const arrayStripped: Media = {
  kind: 'array',
  nullsStripped: true,
  contentType: 'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8',
}
const singularStripped: Media = {
  kind: 'object',
  nullsStripped: true,
  contentType: 'application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8',
}

/** The best of what `accept` asks for; the first one named wins among equals. */
export function chooseMedia(accept: string): Media {
  if (accept === '' || accept === 'application/json' || accept === '*/*') return array
  const media = mediaAmong(accept)
  if (media === null) throw errors.mediaType(accept)
  return media
}

function mediaAmong(accept: string): Media | null {
  for (const range of ranked(accept)) {
    const media = mediaFor(range)
    if (media) return media
  }
  return null
}

/** Texts of `Accept` whose meaning is remembered, and the longest of them in characters. */
const [maxAccepts, maxAcceptLength] = [100, 300]
const canonical = new RecentMap<string>(maxAccepts)

/**
 * The shortest `Accept` that is understood as this one is: browsers, clients and tools each say in their own way that they take JSON, and are
 * answered with the same. What is not understood, and then refused, is left as it is.
 */
export function canonicalAccept(accept: string): string {
  if (accept === '' || accept === 'application/json' || accept === '*/*') return ''
  const known = canonical.get(accept)
  if (known !== undefined) return known
  const found = mediaAmong(accept)
  const meant = found === null ? accept : found === array ? '' : found.contentType
  if (found !== null && accept.length <= maxAcceptLength) canonical.set(accept, meant)
  return meant
}

/** Of a function that answers with one row, which is no array of one. */
export function oneOf(media: Media): Media {
  return media.kind === 'array' ? { ...media, kind: 'object' } : media
}

/** Media ranges by falling quality (RFC 9110, 12.5.1); those of quality 0 are left out. */
export function ranked(accept: string): string[] {
  return accept
    .split(',')
    .map((part) => {
      const range = part.trim().toLowerCase()
      const quality = /;\s*q=([\d.]+)/.exec(range)
      return {
        range: range.replace(/;\s*q=[\d.]+/, '').replace(/\s+/g, ''),
        quality: quality ? Number(quality[1]) : 1,
      }
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .map(({ range }) => range)
}

function mediaFor(range: string): Media | null {
  const [type, ...parameters] = range.split(';')
  const stripped = parameters.includes('nulls=stripped')
  switch (type) {
    case '*/*':
    case 'application/*':
    case 'application/json':
      return array
    case 'application/vnd.pgrst.array':
    case 'application/vnd.pgrst.array+json':
      return stripped ? arrayStripped : array
    case 'application/vnd.pgrst.object':
    case 'application/vnd.pgrst.object+json':
      return stripped ? singularStripped : singular
    case 'text/csv':
    case 'text/*':
      return csv
    default:
      return null
  }
}
