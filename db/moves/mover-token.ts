/**
 * Of two movers at work at the same time, the younger one's writes count: each takes a token, higher than all before, and shows it in every
 * transaction. What an older one still sends is refused.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import { MoveRefused, moveMark } from '../errors/constraint-error.ts'
import type { BoundStatement } from '../sql/statement.ts'

/** Takes a token in the primary database. */
export async function takeToken(session: ClusterSession): Promise<number> {
  const [rows = []] = await session.primary([
    { text: 'UPDATE _atoll_mover SET token = token + 1 RETURNING token', parameters: [] },
  ])
  return Number(rows[0]?.token)
}

/** Lets a database know of a token, so that it refuses older ones. @throws MoveRefused when it knows of a younger one */
export async function showToken(session: ClusterSession, database: string, token: number): Promise<void> {
  const [, rows = []] = await session.on(database, [
    {
      text: 'UPDATE _atoll_mover SET token = CAST(?1 AS INTEGER) WHERE token < CAST(?1 AS INTEGER)',
      parameters: [String(token)],
    },
    { text: 'SELECT token FROM _atoll_mover', parameters: [] },
  ])
  if (Number(rows[0]?.token) !== token) throw new MoveRefused('overtaken', database)
}

/** First statement of a mover's transaction: fails when another one has taken over. */
export function isMine(token: number): BoundStatement {
  return refuseUnless('overtaken', '', '(SELECT token FROM _atoll_mover) = CAST(?1 AS INTEGER)', [
    String(token),
  ])
}

/** Fails, and its transaction with it, unless a condition holds. */
export function refuseUnless(
  why: MoveRefused['why'],
  subject: string,
  condition: string,
  parameters: BoundStatement['parameters'],
): BoundStatement {
  return {
    text: `INSERT INTO _atoll_guard SELECT '${moveMark}${why}/${subject.replaceAll(/[^\w ]/g, '')}' WHERE NOT (${condition})`,
    parameters,
  }
}
