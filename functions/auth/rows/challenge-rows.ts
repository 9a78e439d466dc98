/**
 * What factors are asked: each by one session, for a few minutes, with a few tries.
 * @module
 */
import type { BoundStatement } from '../../../db/sql/statement.ts'
import { insertRow } from './json-row.ts'

export const challengeSeconds = 300
const maxTries = 5

export interface NewChallenge {
  readonly user_id: string
  readonly id: string
  readonly factor_id: string
  readonly session_id: string
  readonly ip: string | null
}

export function insertChallenge(challenge: NewChallenge, now: number): BoundStatement {
  return insertRow('auth_challenges', {
    ...challenge,
    created_at: now,
    expires_at: now + challengeSeconds * 1000,
  })
}

/**
 * Counts a try before anything is compared; answers with no row when there is no such challenge of this session any more, or too many were made.
 */
export function tryChallenge(
  userId: string,
  id: string,
  factorId: string,
  sessionId: string,
  now: number,
): BoundStatement {
  return {
    text: `UPDATE auth_challenges SET tries = tries + 1 WHERE user_id = ?1 AND id = ?2 AND factor_id = ?3 AND session_id = ?4
      AND expires_at > CAST(?5 AS INTEGER) AND tries < ${maxTries} RETURNING id`,
    parameters: [userId, id, factorId, sessionId, String(now)],
  }
}

/** Ends a challenge; answers with it for the one who was first. */
export function endChallenge(userId: string, id: string): BoundStatement {
  return {
    text: 'DELETE FROM auth_challenges WHERE user_id = ?1 AND id = ?2 RETURNING id',
    parameters: [userId, id],
  }
}

export function dropChallengesOf(userId: string, factorId: string): BoundStatement {
  return {
    text: 'DELETE FROM auth_challenges WHERE user_id = ?1 AND factor_id = ?2',
    parameters: [userId, factorId],
  }
}
