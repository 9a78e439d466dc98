/**
 * Second factors and passkeys.
 * @module
 */
import type { BoundStatement, Row } from '../../../db/sql/statement.ts'
import { insertRow, numberIn, objectIn, textIn } from './json-row.ts'

export interface FactorRow {
  readonly user_id: string
  readonly id: string
  readonly factor_type: string
  readonly friendly_name: string | null
  readonly status: 'unverified' | 'verified'
  /** Sealed. */
  readonly secret: string | null
  readonly phone: string | null
  readonly data: Readonly<Record<string, unknown>>
  readonly last_challenged_at: number | null
  readonly created_at: number
  readonly updated_at: number
}

export function factorOf(row: Row): FactorRow {
  return {
    user_id: row.user_id as string,
    id: row.id as string,
    factor_type: row.factor_type as string,
    friendly_name: textIn(row.friendly_name),
    status: row.status as FactorRow['status'],
    secret: textIn(row.secret),
    phone: textIn(row.phone),
    data: objectIn(row.data),
    last_challenged_at: numberIn(row.last_challenged_at),
    created_at: Number(row.created_at),
    updated_at: Number(row.updated_at),
  }
}

/** A factor as clients are shown it. */
export function shownFactor(factor: FactorRow) {
  return {
    id: factor.id,
    created_at: new Date(factor.created_at).toISOString(),
    updated_at: new Date(factor.updated_at).toISOString(),
    status: factor.status,
    friendly_name: factor.friendly_name ?? undefined,
    factor_type: factor.factor_type,
    phone: factor.phone ?? undefined,
    last_challenged_at:
      factor.last_challenged_at === null ? undefined : new Date(factor.last_challenged_at).toISOString(),
  }
}

export function insertFactor(
  factor: Pick<FactorRow, 'user_id' | 'id' | 'factor_type' | 'friendly_name' | 'secret'>,
  now: number,
): BoundStatement {
  return insertRow('auth_factors', { ...factor, status: 'unverified', created_at: now, updated_at: now })
}

/** Factors that were never verified, and are older than a time. */
export function dropUnverified(userId: string, before: number): BoundStatement {
  return {
    text: "DELETE FROM auth_factors WHERE user_id = ?1 AND status = 'unverified' AND created_at < CAST(?2 AS INTEGER)",
    parameters: [userId, String(before)],
  }
}

export function noteChallenged(userId: string, id: string, now: number): BoundStatement {
  return {
    text: 'UPDATE auth_factors SET last_challenged_at = CAST(?3 AS INTEGER) WHERE user_id = ?1 AND id = ?2',
    parameters: [userId, id, String(now)],
  }
}

/** Uses a step up; answers with no row when it, or a later one, was used before. */
export function useStep(userId: string, id: string, step: number, now: number): BoundStatement {
  return {
    text: `UPDATE auth_factors SET status = 'verified', data = json_set(data, '$.step', CAST(?3 AS INTEGER)), updated_at = CAST(?4 AS INTEGER)
      WHERE user_id = ?1 AND id = ?2 AND ifnull(data->>'$.step', -1) < CAST(?3 AS INTEGER) RETURNING id`,
    parameters: [userId, id, String(step), String(now)],
  }
}

export function deleteFactor(userId: string, id: string): BoundStatement {
  return {
    text: 'DELETE FROM auth_factors WHERE user_id = ?1 AND id = ?2 RETURNING id',
    parameters: [userId, id],
  }
}
