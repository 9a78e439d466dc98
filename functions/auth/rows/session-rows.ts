/**
 * Sessions: one for each device that is signed in.
 * @module
 */
import type { BoundStatement, Row } from '../../../db/sql/statement.ts'
import { insertRow, numberIn, textIn } from './json-row.ts'

/** By what a user has proved who they are, and when, in seconds since 1970. */
export interface AmrEntry {
  readonly method: string
  readonly timestamp: number
}

export interface SessionRow {
  readonly user_id: string
  readonly id: string
  readonly salt: string
  readonly counter: number
  readonly aal: 'aal1' | 'aal2'
  readonly amr: readonly AmrEntry[]
  readonly factor_id: string | null
  readonly ip: string | null
  readonly user_agent: string | null
  readonly created_at: number
  readonly refreshed_at: number
  readonly not_after: number | null
}

export function sessionOf(row: Row): SessionRow {
  return {
    user_id: row.user_id as string,
    id: row.id as string,
    salt: row.salt as string,
    counter: Number(row.counter),
    aal: row.aal as SessionRow['aal'],
    amr: JSON.parse(row.amr as string) as AmrEntry[],
    factor_id: textIn(row.factor_id),
    ip: textIn(row.ip),
    user_agent: textIn(row.user_agent),
    created_at: Number(row.created_at),
    refreshed_at: Number(row.refreshed_at),
    not_after: numberIn(row.not_after),
  }
}

export function insertSession(session: SessionRow): BoundStatement {
  return insertRow('auth_sessions', { ...session })
}

export function readSession(userId: string, id: string): BoundStatement {
  return {
    text: 'SELECT * FROM auth_sessions WHERE user_id = ?1 AND id = ?2',
    parameters: [userId, id],
  }
}

/** Uses up the refresh token of a number, which only one request can; answers with the session, or with no row. */
export function advanceSession(
  userId: string,
  id: string,
  counter: number,
  now: number,
  { ip, userAgent }: { readonly ip: string | null; readonly userAgent: string | null },
): BoundStatement {
  return {
    text: `UPDATE auth_sessions SET counter = counter + 1, refreshed_at = CAST(?4 AS INTEGER), ip = ?5, user_agent = ?6
      WHERE user_id = ?1 AND id = ?2 AND counter = CAST(?3 AS INTEGER) RETURNING *`,
    parameters: [userId, id, String(counter), String(now), ip, userAgent],
  }
}

/** Ends sessions; answers with their ids. */
export function endSessions(
  userId: string,
  which: { readonly only: string } | { readonly but: string } | 'all',
): BoundStatement {
  if (which === 'all')
    return { text: 'DELETE FROM auth_sessions WHERE user_id = ?1 RETURNING id', parameters: [userId] }
  const [operator, id] = 'only' in which ? ['=', which.only] : ['<>', which.but]
  return {
    text: `DELETE FROM auth_sessions WHERE user_id = ?1 AND id ${operator} ?2 RETURNING id`,
    parameters: [userId, id],
  }
}

/** A second factor was given: the session is worth more, and its refresh token is another. Answers with it, or with no row when it has ended. */
export function raiseSession(
  userId: string,
  id: string,
  factorId: string,
  amr: readonly AmrEntry[],
  now: number,
): BoundStatement {
  return {
    text: `UPDATE auth_sessions SET aal = 'aal2', amr = ?4, factor_id = ?3, counter = counter + 1, refreshed_at = CAST(?5 AS INTEGER)
      WHERE user_id = ?1 AND id = ?2 RETURNING *`,
    parameters: [userId, id, factorId, JSON.stringify(amr), String(now)],
  }
}

/** Ends the sessions that no second factor was given for, but for one. */
export function endWeakSessions(userId: string, but: string): BoundStatement {
  return {
    text: "DELETE FROM auth_sessions WHERE user_id = ?1 AND id <> ?2 AND aal = 'aal1'",
    parameters: [userId, but],
  }
}

/** Sessions are worth no more than they were before a factor that is gone. */
export function lowerSessions(userId: string, factorId: string): BoundStatement {
  return {
    text: `UPDATE auth_sessions SET aal = 'aal1', factor_id = NULL,
      amr = (SELECT json_group_array(json(e.value)) FROM json_each(auth_sessions.amr) AS e WHERE e.value->>'$.method' <> 'totp')
      WHERE user_id = ?1 AND factor_id = ?2`,
    parameters: [userId, factorId],
  }
}
