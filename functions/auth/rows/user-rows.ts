/**
 * Accounts: their rows, and what clients are shown of them.
 * @module
 */
import type { BoundStatement, Row } from '../../../db/sql/statement.ts'
import { type FactorRow, factorOf, shownFactor } from './factor-rows.ts'
import { type IdentityRow, identityOf, shownIdentity } from './identity-rows.ts'
import { insertRow, numberIn, objectIn, textIn, updateRow, type Values } from './json-row.ts'

/** A row of `auth_users`; times in milliseconds since 1970. */
export interface UserRow {
  readonly id: string
  readonly role: string
  readonly email: string | null
  readonly email_confirmed_at: number | null
  readonly phone: string | null
  readonly phone_confirmed_at: number | null
  readonly password_hash: string | null
  readonly new_email: string | null
  readonly new_phone: string | null
  readonly new_email_half: string | null
  readonly invited_at: number | null
  readonly confirmation_sent_at: number | null
  readonly recovery_sent_at: number | null
  readonly email_change_sent_at: number | null
  readonly phone_change_sent_at: number | null
  readonly reauthentication_sent_at: number | null
  readonly last_sign_in_at: number | null
  readonly app_metadata: Readonly<Record<string, unknown>>
  readonly user_metadata: Readonly<Record<string, unknown>>
  readonly is_anonymous: boolean
  readonly is_sso_user: boolean
  readonly banned_until: number | null
  readonly created_at: number
  readonly updated_at: number
  readonly deleted_at: number | null
}

/** A user with all by which they are known. */
export interface Account {
  readonly user: UserRow
  readonly identities: readonly IdentityRow[]
  readonly factors: readonly FactorRow[]
}

export function userOf(row: Row): UserRow {
  return {
    id: row.id as string,
    role: row.role as string,
    email: textIn(row.email),
    email_confirmed_at: numberIn(row.email_confirmed_at),
    phone: textIn(row.phone),
    phone_confirmed_at: numberIn(row.phone_confirmed_at),
    password_hash: textIn(row.password_hash),
    new_email: textIn(row.new_email),
    new_phone: textIn(row.new_phone),
    new_email_half: textIn(row.new_email_half),
    invited_at: numberIn(row.invited_at),
    confirmation_sent_at: numberIn(row.confirmation_sent_at),
    recovery_sent_at: numberIn(row.recovery_sent_at),
    email_change_sent_at: numberIn(row.email_change_sent_at),
    phone_change_sent_at: numberIn(row.phone_change_sent_at),
    reauthentication_sent_at: numberIn(row.reauthentication_sent_at),
    last_sign_in_at: numberIn(row.last_sign_in_at),
    app_metadata: objectIn(row.app_metadata),
    user_metadata: objectIn(row.user_metadata),
    is_anonymous: Number(row.is_anonymous) === 1,
    is_sso_user: Number(row.is_sso_user) === 1,
    banned_until: numberIn(row.banned_until),
    created_at: Number(row.created_at),
    updated_at: Number(row.updated_at),
    deleted_at: numberIn(row.deleted_at),
  }
}

/** The user with identities and factors, by three statements in one call; `accountOf` reads what they answer. */
export function readAccount(id: string): BoundStatement[] {
  return [
    { text: 'SELECT * FROM auth_users WHERE id = ?1 AND deleted_at IS NULL', parameters: [id] },
    { text: 'SELECT * FROM auth_identities WHERE user_id = ?1 ORDER BY created_at, id', parameters: [id] },
    { text: 'SELECT * FROM auth_factors WHERE user_id = ?1 ORDER BY created_at, id', parameters: [id] },
  ]
}

/** The same for the account that has an address, on the database of its slot. */
export function readAccountBy(column: 'email' | 'phone', value: string): BoundStatement[] {
  const id = `(SELECT id FROM auth_users WHERE ${column} = ?1)`
  return [
    { text: `SELECT * FROM auth_users WHERE ${column} = ?1 AND deleted_at IS NULL`, parameters: [value] },
    {
      text: `SELECT * FROM auth_identities WHERE user_id = ${id} ORDER BY created_at, id`,
      parameters: [value],
    },
    { text: `SELECT * FROM auth_factors WHERE user_id = ${id} ORDER BY created_at, id`, parameters: [value] },
  ]
}

/** @returns null when there is no such user */
export function accountOf([
  users = [],
  identities = [],
  factors = [],
]: readonly (readonly Row[])[]): Account | null {
  const [user] = users
  if (!user) return null
  return { user: userOf(user), identities: identities.map(identityOf), factors: factors.map(factorOf) }
}

export function insertUser(user: Values): BoundStatement {
  return insertRow('auth_users', user)
}

/** Answers with the row as it is then. @param and a further condition, whose parameters begin at `?3` */
export function updateUser(
  id: string,
  changes: Values,
  and = '',
  parameters: readonly (string | null)[] = [],
): BoundStatement {
  const { text, parameters: own } = updateRow('auth_users', changes, `id = ?2${and} RETURNING *`, [
    id,
    ...parameters,
  ])
  return { text, parameters: own }
}

const time = (ms: number | null) => (ms === null ? undefined : new Date(ms).toISOString())

/** A user as clients are shown it. */
export function shownUser({ user, identities, factors }: Account) {
  const confirmed = [user.email_confirmed_at, user.phone_confirmed_at].filter((at) => at !== null)
  const isBanned = user.banned_until !== null && user.banned_until > Date.now()
  return {
    id: user.id,
    aud: 'authenticated',
    role: user.role,
    email: user.email ?? '',
    email_confirmed_at: time(user.email_confirmed_at),
    invited_at: time(user.invited_at),
    phone: user.phone ?? '',
    phone_confirmed_at: time(user.phone_confirmed_at),
    confirmation_sent_at: time(user.confirmation_sent_at),
    confirmed_at: confirmed.length > 0 ? time(Math.min(...confirmed)) : undefined,
    recovery_sent_at: time(user.recovery_sent_at),
    new_email: user.new_email ?? undefined,
    email_change_sent_at: time(user.email_change_sent_at),
    new_phone: user.new_phone ?? undefined,
    phone_change_sent_at: time(user.phone_change_sent_at),
    reauthentication_sent_at: time(user.reauthentication_sent_at),
    last_sign_in_at: time(user.last_sign_in_at),
    app_metadata: user.app_metadata,
    user_metadata: user.user_metadata,
    ...(factors.length > 0 ? { factors: factors.map(shownFactor) } : {}),
    identities: identities.map(shownIdentity),
    created_at: time(user.created_at),
    updated_at: time(user.updated_at),
    banned_until: isBanned ? time(user.banned_until) : undefined,
    is_anonymous: user.is_anonymous,
    ...(user.is_sso_user ? { is_sso_user: true } : {}),
  }
}
