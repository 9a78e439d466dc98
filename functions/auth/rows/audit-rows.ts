/**
 * The audit log: what happened to accounts, and who did it.
 * @module
 */
import { makeUlid } from '../../../db/slots/slots.ts'
import type { BoundStatement, Row } from '../../../db/sql/statement.ts'
import { insertRow, objectIn, textIn } from './json-row.ts'

/** GoTrue's names, where it has one. */
export type AuditAction =
  | 'user_signedup'
  | 'user_invited'
  | 'user_deleted'
  | 'user_modified'
  | 'user_recovery_requested'
  | 'user_reauthenticate_requested'
  | 'user_confirmation_requested'
  | 'user_repeated_signup'
  | 'user_updated_password'
  | 'login'
  | 'login_failed'
  | 'logout'
  | 'token_refreshed'
  | 'token_revoked'
  | 'refresh_token_reused'
  | 'identity_unlinked'
  | 'identity_linked'
  | 'factor_in_progress'
  | 'factor_unenrolled'
  | 'factor_deleted'
  | 'factor_updated'
  | 'challenge_created'
  | 'verification_attempted'
  | 'mfa_code_login'
  | 'impersonated'
  | 'signing_key_made'

export interface AuditEntry {
  readonly subject: string
  readonly action: AuditAction
  readonly actor: string | null
  readonly ip: string | null
  readonly data?: Readonly<Record<string, unknown>>
}

/** To be written in the transaction of what it tells, or by itself. */
export function insertAudit({ data = {}, ...entry }: AuditEntry, now: number): BoundStatement {
  return insertRow('auth_audit_log', { ...entry, id: makeUlid(now), data, at: now })
}

/** An entry as the secret key is shown it. */
export function shownAudit(row: Row) {
  return {
    id: row.id as string,
    payload: {
      action: row.action as string,
      actor_id: textIn(row.actor),
      subject: row.subject as string,
      traits: objectIn(row.data),
    },
    created_at: new Date(Number(row.at)).toISOString(),
    ip_address: textIn(row.ip) ?? '',
  }
}
