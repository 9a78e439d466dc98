/**
 * Moves that are cancelled: what is not handed over yet stays, and what is goes back as it came, by a move of its own.
 * @module
 */
import { slotCount } from '../slots/slots.ts'
import type { BoundStatement } from '../sql/statement.ts'
import { type Move, turnMove } from './moves.ts'
import { both } from './pieces.ts'

/** The id of the move that brings back what another one had handed over before it was cancelled. */
export const backOf = (id: string) => `${id}-back`

/** Ends a move that is cancelled. What it has handed over goes back, by a move that comes before all that wait. */
export function endCancelled({ id, source, target, progress }: Move, now: number): BoundStatement[] {
  const handed = both([[0, slotCount - 1]], progress?.handed ?? [])
  const goBack: BoundStatement = {
    text: `INSERT OR IGNORE INTO _atoll_moves (id, source, target, ranges, state, created, updated)
      SELECT ?1, ?2, ?3, ?4, 'running', CAST(?5 AS INTEGER), CAST(?5 AS INTEGER) FROM _atoll_moves WHERE id = ?6 AND state = 'cancelling'`,
    parameters: [backOf(id), target, source, JSON.stringify(handed), String(now), id],
  }
  return [...(handed.length === 0 ? [] : [goBack]), turnMove(id, ['cancelling'], 'cancelled', now)]
}
