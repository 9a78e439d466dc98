import type { Outcome } from '../slots/parts.ts'
import type { Row } from '../sql/statement.ts'

/**
 * The rows that a part answered to its first statement.
 *
 * @throws what it answered in their place
 */
export function rowsOf(outcome: Outcome): readonly Row[] {
  if ('error' in outcome) throw outcome.error
  return outcome.results[0] ?? []
}
