/**
 * An account comes to have another address.
 * @module
 */
import type { BoundStatement } from '../../db/sql/statement.ts'
import { TakenError, type UniqueValue } from './auth-database.ts'
import { errors } from './errors.ts'
import { dropTokens } from './one-time-tokens.ts'
import { insertIdentity, newIdentity } from './rows/identity-rows.ts'
import { updateRow } from './rows/json-row.ts'
import { type Account, updateUser, userOf } from './rows/user-rows.ts'
import type { AuthVisit } from './visit.ts'

/** What is written for an address that an account has shown to be its own, or that the secret key gives it. */
export interface AddressChange {
  readonly statements: readonly BoundStatement[]
  readonly values: readonly UniqueValue[]
  readonly freed: readonly UniqueValue[]
  /** The user as it is then. */
  readonly user: Account['user']
}

/**
 * @param isConfirmed whether the address has shown itself to be the user's
 */
export function changeAddress(
  { user, identities }: Account,
  by: 'email' | 'phone',
  address: string,
  now: number,
  isConfirmed = true,
): AddressChange {
  const { id } = user
  const own = identities.find(({ provider }) => provider === by)
  const verified = { [`${by}_verified`]: isConfirmed }
  const identity = own
    ? updateRow(
        'auth_identities',
        {
          identity_data: { ...own.identity_data, ...verified, [by]: address },
          ...(by === 'email' ? { email: address } : {}),
          updated_at: now,
        },
        'user_id = ?2 AND id = ?3',
        [id, own.id],
      )
    : insertIdentity(newIdentity(id, by, id, { ...verified, [by]: address }, now))
  const others = identities.filter(({ provider }) => provider !== by).map(({ provider }) => provider)
  const providers = [...new Set([...others, by])]
  const isChanged = user[by] !== address
  const changes = {
    [by]: address,
    [`${by}_confirmed_at`]: isConfirmed ? now : null,
    [`new_${by}`]: null,
    ...(by === 'email' ? { new_email_half: null } : {}),
    is_anonymous: false,
    app_metadata: { ...user.app_metadata, provider: user.app_metadata.provider ?? by, providers },
    updated_at: now,
  }
  return {
    user: { ...user, ...changes },
    statements: [
      updateUser(id, changes),
      identity,
      // What was sent to the address before proves nothing any more.
      dropTokens(id, ['recovery', 'confirmation', 'reauthentication']),
    ],
    values: isChanged ? [{ column: by, value: address }] : [],
    freed: isChanged && user[by] !== null ? [{ column: by, value: user[by] }] : [],
  }
}

/** Writes it. @throws 422 `email_exists`, `phone_exists` */
export async function writeAddress(
  { database }: Pick<AuthVisit, 'database'>,
  account: Account,
  { statements, values, freed }: AddressChange,
  more: readonly BoundStatement[] = [],
): Promise<Account> {
  const { id } = account.user
  try {
    const [written = []] = await database.write(id, [...statements, ...more], values, freed)
    return (
      (await database.account(id)) ?? { ...account, user: written[0] ? userOf(written[0]) : account.user }
    )
  } catch (error) {
    if (!(error instanceof TakenError)) throw error
    throw error.column === 'phone' ? errors.phoneExists() : errors.emailExists()
  }
}
