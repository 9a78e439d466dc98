/**
 * An address has shown itself to be its account's.
 * @module
 */
import type { BoundStatement } from '../../db/sql/statement.ts'
import { type Account, updateUser } from './rows/user-rows.ts'

/**
 * @param keepsPassword whether whoever set the password is who confirms: a link of the sign-up shows that. Whoever comes by another way finds an account
 * that anybody may have made for their address, and its password is nobody's
 */
export function confirmAddress(
  { user, identities, factors }: Account,
  by: 'email' | 'phone',
  keepsPassword: boolean,
  now: number,
): { readonly account: Account; readonly statements: readonly BoundStatement[] } {
  const column = `${by}_confirmed_at` as const
  if (user[column] !== null) return { account: { user, identities, factors }, statements: [] }
  const changes = {
    [column]: now,
    updated_at: now,
    ...(keepsPassword ? {} : { password_hash: null }),
  }
  const member = `${by}_verified`
  return {
    account: {
      user: { ...user, ...changes },
      identities: identities.map((identity) =>
        identity.provider === by
          ? { ...identity, identity_data: { ...identity.identity_data, [member]: true } }
          : identity,
      ),
      factors,
    },
    statements: [
      updateUser(user.id, changes),
      {
        text: `UPDATE auth_identities SET identity_data = json_set(identity_data, '$.${member}', json('true')), updated_at = CAST(?3 AS INTEGER)
          WHERE user_id = ?1 AND provider = ?2`,
        parameters: [user.id, by, String(now)],
      },
    ],
  }
}
