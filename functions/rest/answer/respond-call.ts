/**
 * Answers of functions that are no rows of a table.
 * @module
 */

import { type ValueMedia, valueBody } from '../ask/value-media.ts'
import { errors } from '../errors.ts'
import type { CallTerms } from '../plan/call-terms.ts'
import { appliedPreferences, contentRange } from './respond.ts'

/** As rows, they are for who asked alone. */
const headersFor = ({ preferences }: CallTerms): Record<string, string> => {
  const applied = appliedPreferences(preferences)
  return {
    'Cache-Control': 'private, no-cache',
    Vary: 'Accept, Prefer, Range',
    ...(applied === '' ? {} : { 'Preference-Applied': applied }),
  }
}

/** @throws AtollError `PGRST107` for a list or an object that is asked for as text or bytes */
export function respondValue(value: unknown, terms: CallTerms, headersOnly: boolean): Response {
  const { media, preferences } = terms
  if (media === null) return new Response(null, { status: 204, headers: headersFor(terms) })
  const body = valueBody(value, media)
  const headers = {
    ...headersFor(terms),
    'Content-Type': media.contentType,
    'Content-Range': contentRange(0, 1, preferences.count ? 1 : null),
  }
  return new Response(headersOnly ? null : body, { headers })
}

/**
 * A list of values, or the part of it that is asked for.
 *
 * @throws AtollError `PGRST103` when the range begins after the last, `PGRST116` when one value is asked for and there is not one
 */
export function respondValues(
  values: readonly unknown[],
  terms: CallTerms,
  { offset, limit }: { readonly offset: number; readonly limit: number | null },
  headersOnly: boolean,
): Response {
  const media = terms.media as ValueMedia
  const total = terms.preferences.count ? values.length : null
  if (total !== null && offset > total) throw errors.rangeBeyond(offset, total)
  const shown = values.slice(offset, limit === null ? undefined : offset + limit)
  const isOne = media.contentType.startsWith('application/vnd.pgrst.object')
  if (isOne && shown.length !== 1) throw errors.notSingular(shown.length)
  const headers = {
    ...headersFor(terms),
    'Content-Type': media.contentType,
    'Content-Range': contentRange(offset, shown.length, total),
  }
  const body = headersOnly ? null : valueBody(isOne ? shown[0] : shown, media)
  return new Response(body, { status: total !== null && shown.length < total ? 206 : 200, headers })
}

/** For a row that is not there, or that the request's filters leave out. */
export function respondNoRow(terms: CallTerms, headersOnly: boolean): Response {
  const headers = { ...headersFor(terms), 'Content-Type': 'application/json; charset=utf-8' }
  return new Response(headersOnly ? null : 'null', { headers })
}
