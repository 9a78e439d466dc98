import type { CachedAnswer } from '../../cache/area.ts'
import { csvField } from '../ask/csv-field.ts'
import type { Media } from '../ask/media.ts'
import type { Preferences } from '../ask/parse-preferences.ts'
import { canonicalLocation } from '../ask/raw-request.ts'
import type { Shape } from '../ask/shape.ts'
import { rowSeparator } from '../compile/compile-read.ts'
import { withTimes } from '../compile/marked-times.ts'
import { errors } from '../errors.ts'
import type { ReadResult } from '../execute/bound-read.ts'
import type { ReadPlan, WritePlan } from '../plan/plan.ts'
import { zoneOf } from '../plan/zones.ts'
import { legacyWarning } from './legacy-warning.ts'

/** What of the request the answer depends on beside its plan. */
export interface ResponseInput {
  /** Path and canonical query, for `Content-Location`. */
  readonly location: string
  readonly offset: number
  readonly ifNoneMatch: string | null
}

/**
 * The answer to a read, for whoever asks the same. Rows are joined as text; none is parsed.
 *
 * @returns without a body when there is none that can be answered with
 */
export async function answerOf(
  { rows, count, total }: ReadResult,
  { media, preferences }: ReadPlan,
  columns: readonly string[],
): Promise<CachedAnswer> {
  if (media.kind === 'object' && count !== 1) return { rows: count, total, body: null, tag: null }
  const body = timesShown(bodyOf(media, rows, columns), preferences)
  return { rows: count, total, body, tag: await entityTag(body) }
}

/**
 * Makes the HTTP response.
 *
 * @throws 406 when the client wants one row and there is not one, 416 when the range begins after the last
 */
export function respond(
  { rows, total, body, tag }: CachedAnswer,
  missing: readonly string[],
  plan: ReadPlan,
  input: ResponseInput,
): Response {
  const { media } = plan
  if (total !== null && input.offset > total) throw errors.rangeBeyond(input.offset, total)
  if (body === null || tag === null) throw errors.notSingular(rows)

  const isSame = input.ifNoneMatch !== null && matches(input.ifNoneMatch, tag)
  // A plain object: `Headers` would be made here, and copied by the response.
  const headers: Record<string, string> = {
    'Content-Range': contentRange(input.offset, rows, total),
    // Who asks decides what is shown, and no header that a shared cache looks at says who that is.
    'Cache-Control': 'private, no-cache',
    Vary: 'Accept, Prefer, Range',
    ETag: tag,
  }
  // Clients bound all headers together: Node's at 16 KB.
  if (input.location.length <= maxLocationLength) headers['Content-Location'] = input.location
  if (missing.length > 0) headers['Atoll-Missing-Shards'] = missing.join(', ')
  const applied = appliedPreferences(plan.preferences)
  if (applied !== '') headers['Preference-Applied'] = applied
  const warning = legacyWarning(plan.legacyNames)
  if (warning !== null) headers.Warning = warning
  if (isSame) return new Response(null, { status: 304, headers })
  headers['Content-Type'] = media.contentType
  const partial = total !== null && rows < total
  return new Response(plan.headersOnly ? null : body, { status: partial ? 206 : 200, headers })
}

/** What of a request its answer depends on beside the plan. */
export function responseInput(raw: Request, url: URL, shape: Shape, plan: ReadPlan): ResponseInput {
  const { offset } = plan.root
  return {
    location: canonicalLocation(url),
    offset: offset?.kind === 'operand' ? Math.max(0, Number(shape.operands[offset.index])) : 0,
    ifNoneMatch: raw.headers.get('if-none-match'),
  }
}

/** Longest `Content-Location`, in characters; longer ones are left out. */
const maxLocationLength = 4000

/** Rows joined as text. */
export function bodyOf(media: Media, rows: readonly string[], columns: readonly string[]): string {
  switch (media.kind) {
    case 'array':
      return `[${rows.length === 1 ? rows[0] : rows.join(rowSeparator)}]`
    case 'object':
      return rows[0] as string
    case 'csv':
      return [columns.map(csvField).join(','), ...rows].join('\n')
  }
}

/** An answer in which times stand as the zone that is preferred has them. */
export function timesShown(body: string, { timezone }: Preferences): string {
  return timezone === null ? body : withTimes(body, zoneOf(timezone))
}

/** `0-9/100`, `0-9/*`, or `*` for a range without rows. */
export function contentRange(offset: number, rows: number, total: number | null): string {
  const range = rows === 0 ? '*' : `${offset}-${offset + rows - 1}`
  return `${range}/${total ?? '*'}`
}

/** The preferences that made a difference, in PostgREST's order. */
export function appliedPreferences(preferences: Preferences, write: WritePlan | null = null): string {
  const applied: string[] = []
  if (write?.conflict && preferences.resolution) applied.push(`resolution=${preferences.resolution}`)
  if (write && preferences.missing) applied.push(`missing=${preferences.missing}`)
  if (write && preferences.return) applied.push(`return=${preferences.return}`)
  if (preferences.count) applied.push(`count=${preferences.count}`)
  if (preferences.tx) applied.push(`tx=${preferences.tx}`)
  if (write && preferences.atomicity) applied.push(`atomicity=${preferences.atomicity}`)
  if (!write && preferences.partial) applied.push(`partial=${preferences.partial}`)
  if (preferences.handling) applied.push(`handling=${preferences.handling}`)
  if (preferences.timezone) applied.push(`timezone=${preferences.timezone}`)
  if (preferences.maxAffected !== null) applied.push(`max-affected=${preferences.maxAffected}`)
  return applied.join(', ')
}

/** Bodies up to this length, in characters, are hashed here; the platform's digest is faster for longer ones. */
const shortLength = 16_384

/** A weak tag, since compression on the way may change the bytes. */
async function entityTag(body: string): Promise<string> {
  if (body.length <= shortLength) return `W/"${hash(body)}"`
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(body)))
  return `W/"${btoa(String.fromCharCode(...digest)).replace(/=+$/, '')}"`
}

/** 53 bits of text: two multiplicative hashes, mixed (cyrb53, https://github.com/bryc/code), of two characters at a time. */
function hash(text: string): string {
  let a = 0xdeadbeef | 0
  let b = 0x41c6ce57 | 0
  const last = text.length - 1
  // A last character without a pair is one with itself; the length counts below.
  for (let i = 0; i <= last; i += 2) {
    const pair = text.charCodeAt(i) | (text.charCodeAt(i < last ? i + 1 : i) << 16)
    a = Math.imul(a ^ pair, 2654435761)
    b = Math.imul(b ^ pair, 1597334677) ^ (a >>> 15)
  }
  b ^= text.length
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36)
}

/** RFC 9110, 13.1.2: any tag of the list, compared weakly. */
function matches(ifNoneMatch: string, tag: string): boolean {
  const opaque = (text: string) => text.trim().replace(/^W\//, '')
  return (
    ifNoneMatch.trim() === '*' ||
    ifNoneMatch.split(',').some((candidate) => opaque(candidate) === opaque(tag))
  )
}
