/**
 * Second factors and passkeys.
 * @module
 */
import type { Row } from '../../../db/sql/statement.ts'
import { numberIn, objectIn, textIn } from './json-row.ts'

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
