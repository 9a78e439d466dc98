/**
 * Answers of functions that are no rows of a table.
 * @module
 */

import { valueBody } from '../ask/value-media.ts'
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

/** For a row that is not there, or that the request's filters leave out. */
export function respondNoRow(terms: CallTerms, headersOnly: boolean): Response {
  const headers = { ...headersFor(terms), 'Content-Type': 'application/json; charset=utf-8' }
  return new Response(headersOnly ? null : 'null', { headers })
}
