/**
 * Ids of new rows of distributed tables, where each database would number its own: numbers come from a sequence in the
 * primary database, in blocks. Those of routed ids are multiplied out, so that an id carries its row's slot as well.
 * @module
 */
import type { Column } from '../../../db/catalog/catalog.ts'
import { nextNumbers } from '../../../db/cluster/sequences.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import type { Payload } from '../ask/parse-payload.ts'
import type { WritePlan } from '../plan/plan.ts'

/** How many new rows come without an id, and the greatest id of those that come with one. */
export function idsNeeded(
  plan: WritePlan,
  payload: Payload,
): { readonly column: Column; readonly missing: number; readonly greatest: number } | null {
  const column = plan.numbered
  if (column === null || (plan.action !== 'insert' && plan.action !== 'upsert')) return null
  let missing = 0
  let greatest = 0
  for (const row of payload.rows) {
    const value = plan.columns.includes(column) ? row[column.name] : undefined
    if (value === undefined || value === null || value === '') missing++
    else greatest = Math.max(greatest, Number(typeof value === 'object' ? Number.NaN : value) || 0)
  }
  return { column, missing, greatest }
}

/** Numbers for the rows that need them, in order. */
export async function takeIds(
  plan: WritePlan,
  needed: ReturnType<typeof idsNeeded>,
  session: ClusterSession,
): Promise<readonly number[]> {
  if (needed === null) return []
  return nextNumbers(session, plan.root.table, needed.column.name, needed.missing)
}
