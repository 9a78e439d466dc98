/**
 * What the one value of a function looks like.
 * @module
 */
import { errors } from '../errors.ts'
import { ranked } from './media.ts'

export interface ValueMedia {
  readonly kind: 'json' | 'text' | 'bytes'
  readonly nullsStripped: boolean
  readonly contentType: string
  /** What the client asked for. */
  readonly accept: string
}

/**
 * @param own the media type that the function declares of its value; `*\/*` for any
 * @throws AtollError `PGRST107` when there is none that the client takes
 */
export function chooseValueMedia(accept: string, own: string | null): ValueMedia {
  if (own === '*/*') {
    return { kind: 'bytes', nullsStripped: false, contentType: 'application/octet-stream', accept }
  }
  if (accept === '') return json('application/json', false, accept)
  for (const range of ranked(accept)) {
    const media = ownMedia(range, accept, own) ?? mediaFor(range, accept)
    if (media) return media
  }
  throw errors.mediaType(accept)
}

/** A list of values has no form but JSON. */
export function chooseListMedia(accept: string): ValueMedia {
  if (accept === '') return json('application/json', false, accept)
  for (const range of ranked(accept)) {
    const media = mediaFor(range, accept)
    if (media?.kind === 'json') return media
  }
  throw errors.mediaType(accept)
}

function ownMedia(range: string, accept: string, own: string | null): ValueMedia | null {
  const [type = ''] = range.split(';')
  if (own === null || (type !== own && type !== `${own.split('/')[0]}/*`)) return null
  const contentType = withCharset.has(own) ? `${own}; charset=utf-8` : own
  return { kind: 'bytes', nullsStripped: false, contentType, accept }
}

/** Types of text whose charset PostgREST names. */
const withCharset: ReadonlySet<string> = new Set(['text/plain', 'text/csv', 'text/xml', 'application/xml'])

function mediaFor(range: string, accept: string): ValueMedia | null {
  const [type = '', ...parameters] = range.split(';')
  const stripped = parameters.includes('nulls=stripped')
  switch (type) {
    case '*/*':
    case 'application/*':
    case 'application/json':
      return json('application/json', false, accept)
    case 'application/vnd.pgrst.array':
    case 'application/vnd.pgrst.array+json':
      return stripped
        ? json('application/vnd.pgrst.array+json', true, accept)
        : json('application/json', false, accept)
    case 'application/vnd.pgrst.object':
    case 'application/vnd.pgrst.object+json':
      return json('application/vnd.pgrst.object+json', stripped, accept)
    case 'text/plain':
    case 'text/*':
      return { kind: 'text', nullsStripped: false, contentType: 'text/plain; charset=utf-8', accept }
    case 'application/octet-stream':
      return { kind: 'bytes', nullsStripped: false, contentType: type, accept }
    default:
      return null
  }
}

function json(type: string, nullsStripped: boolean, accept: string): ValueMedia {
  const contentType = `${type}${nullsStripped ? ';nulls=stripped' : ''}; charset=utf-8`
  return { kind: 'json', nullsStripped, contentType, accept }
}

/** @throws AtollError `PGRST107` for a list or an object as text or bytes */
export function valueBody(
  value: unknown,
  { kind, nullsStripped, accept }: ValueMedia,
): string | Uint8Array<ArrayBuffer> {
  if (kind === 'json')
    return JSON.stringify(value ?? null, nullsStripped ? withoutNulls : undefined) ?? 'null'
  if (value instanceof Uint8Array)
    return kind === 'bytes' ? Uint8Array.from(value) : new TextDecoder().decode(value)
  if (typeof value === 'object' && value !== null) throw errors.mediaType(accept)
  return value === null || value === undefined ? '' : String(value)
}

function withoutNulls(this: unknown, _key: string, value: unknown): unknown {
  const isField = typeof this === 'object' && !Array.isArray(this) && _key !== ''
  return value === null && isField ? undefined : value
}
