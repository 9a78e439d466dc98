import type { WriteResult } from '../execute/written.ts'
import type { WritePlan } from '../plan/plan.ts'
import { legacyWarning } from './legacy-warning.ts'
import { appliedPreferences, bodyOf, timesShown } from './respond.ts'

/** Makes the HTTP response to a write. */
export function respondWrite(
  result: WriteResult,
  plan: WritePlan,
  columns: readonly string[],
  path: string,
): Response {
  const shows = plan.preferences.return === 'representation'
  const headers = new Headers({ 'Content-Range': rangeOf(result, plan), Vary: 'Accept, Prefer, Range' })
  const applied = appliedPreferences(plan.preferences, plan)
  if (applied !== '') headers.set('Preference-Applied', applied)
  const warning = legacyWarning(plan.legacyNames)
  if (warning !== null) headers.set('Warning', warning)
  const status = statusOf(result, plan, shows)
  if (shows) {
    headers.set('Content-Type', plan.media.contentType)
    const body = timesShown(bodyOf(plan.media, result.rows, columns), plan.preferences)
    return new Response(body, { status, headers })
  }
  const isKeyed = result.key?.length && plan.keyNames.length > 0
  if (plan.preferences.return === 'headers-only' && plan.action === 'insert' && result.key && isKeyed) {
    headers.set('Location', locationOf(plan, result.key, path))
  }
  if (status === 204) return new Response(null, { status, headers })
  headers.set('Content-Length', '0')
  return new Response(null, { status, headers })
}

function statusOf(result: WriteResult, plan: WritePlan, shows: boolean): number {
  const merges = plan.conflict?.resolution === 'merge'
  if (plan.action === 'insert') return merges && result.inserted === 0 ? 200 : 201
  if (plan.action === 'upsert' && result.inserted > 0) return 201
  return shows ? 200 : 204
}

/** An update says which rows it changed; the others have nothing to say but how many, when asked. */
function rangeOf(result: WriteResult, plan: WritePlan): string {
  const total = plan.preferences.count ? String(result.affected) : '*'
  const range = plan.action === 'update' && result.affected > 0 ? `0-${result.affected - 1}` : '*'
  return `${range}/${total}`
}

function locationOf(plan: WritePlan, key: readonly string[], path: string): string {
  const filters = plan.keyNames.map(
    (name, i) => `${encodeURIComponent(name)}=eq.${encodeURIComponent(key[i] as string)}`,
  )
  return `${path}?${filters.join('&')}`
}
