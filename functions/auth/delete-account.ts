/**
 * Accounts go.
 * @module
 */
import { ConstraintError } from '../../db/errors/constraint-error.ts'
import { valuesOf } from './create-account.ts'
import { errors } from './errors.ts'
import { dropTokens } from './one-time-tokens.ts'
import { insertAudit } from './rows/audit-rows.ts'
import { endSessions } from './rows/session-rows.ts'
import { type Account, updateUser } from './rows/user-rows.ts'
import type { AuthVisit } from './visit.ts'

/**
 * Takes an account away, and whatever the app's tables delete along with it; softly, all is taken away but the id, which rows of the app may go on
 * naming.
 *
 * @throws 409 when rows of the app refer to it that do not go along
 */
export async function deleteAccount(visit: AuthVisit, account: Account, isSoft: boolean): Promise<void> {
  const { database, now, ip } = visit
  const { user, identities } = account
  const { id } = user
  const audit = insertAudit(
    { subject: id, action: 'user_deleted', actor: 'service_role', ip, data: { soft: isSoft } },
    now,
  )
  const freed = valuesOf(user, identities)
  const all = (table: string) => ({ text: `DELETE FROM ${table} WHERE user_id = ?1`, parameters: [id] })
  if (isSoft) {
    const emptied = {
      email: null,
      phone: null,
      password_hash: null,
      new_email: null,
      new_phone: null,
      new_email_half: null,
      app_metadata: {},
      user_metadata: {},
      deleted_at: now,
      updated_at: now,
    }
    const statements = [
      updateUser(id, emptied),
      all('auth_identities'),
      all('auth_factors'),
      all('auth_challenges'),
      endSessions(id, 'all'),
      dropTokens(id, 'all'),
      audit,
    ]
    await database.write(id, statements, [], freed)
    return
  }
  try {
    await database.write(
      id,
      [{ text: 'DELETE FROM auth_users WHERE id = ?1', parameters: [id] }, audit],
      [],
      freed,
    )
  } catch (error) {
    if (error instanceof ConstraintError && error.kind === 'foreign-key') throw errors.hasRows()
    throw error
  }
}
