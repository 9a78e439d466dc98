/**
 * Writes that take away rows of reference tables: `db/cluster/retire.ts` has the protocol.
 * @module
 */

import { type Retirement, retire, retireNothing } from '../../../db/cluster/retire.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import type { Outcome, Part } from '../../../db/slots/parts.ts'
import type { StoredRow } from '../compile/storage-rows.ts'
import type { BoundWrite } from './bound-write.ts'
import { statementsFor } from './write-statements.ts'

/** What goes around the statements that take reference rows away; null: nothing. */
export type Around = Pick<Retirement, 'before' | 'after'> & { readonly token: string | null }

/** Rows of a reference table may be referred to on every shard: these must know that they go, or refuse it. */
export async function retirementFor(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  session: ClusterSession,
): Promise<Around | null> {
  const { keyed: _, ...unkeyed } = bound
  const { plan, rights } = bound
  const preferences = { ...plan.preferences, tx: null }
  const part: Part = { database: session.cluster.primary, slots: null }
  const statements = statementsFor({ ...unkeyed, plan: { ...plan, preferences } }, rows, [], part, [])
  if (plan.preferences.tx !== 'rollback') return retire(statements, session, rights.catalog)
  return { before: await retireNothing(statements, session, rights.catalog), after: [], token: null }
}

/** An outcome as it would be without what went around the statements. */
export function without(around: Around | null, outcome: Outcome): Outcome {
  if (around === null || 'error' in outcome) return outcome
  const { before, after } = around
  return { ...outcome, results: outcome.results.slice(before.length, outcome.results.length - after.length) }
}
