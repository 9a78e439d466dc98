/**
 * What becomes of a link or code that was found right: an address is confirmed, changed, or somebody is signed in.
 * @module
 */
import type { BoundStatement } from '../../db/sql/statement.ts'
import { changeAddress, writeAddress } from './change-address.ts'
import { confirmAddress } from './confirm-account.ts'
import { errors } from './errors.ts'
import type { OneTimeToken, TokenKind } from './one-time-tokens.ts'
import { insertAudit } from './rows/audit-rows.ts'
import { type Account, updateUser } from './rows/user-rows.ts'
import { type AuthVisit, checkBan } from './visit.ts'

/** What `verifyOtp` and links may be about, and which tokens that is. */
const kinds = {
  signup: ['confirmation'],
  invite: ['confirmation'],
  magiclink: ['recovery', 'confirmation'],
  recovery: ['recovery'],
  email: ['confirmation', 'recovery'],
  email_change: ['email_change_current', 'email_change_new'],
  sms: ['phone_confirmation'],
  phone_change: ['phone_change'],
} satisfies Record<string, readonly TokenKind[]>

/** Null for what is none of them, as names that every object has. */
export function kindsOf(type: string): readonly TokenKind[] | null {
  return Object.hasOwn(kinds, type) ? kinds[type as keyof typeof kinds] : null
}

/** Who is to be signed in, and what is written with that. */
export interface Verified {
  readonly account: Account
  readonly statements: readonly BoundStatement[]
}

/**
 * @returns null: of a change of the e-mail address, the other of both has still to confirm
 * @throws 403 `otp_expired` when the account is no longer what the token was made for; 422 when another has the address by now
 */
export async function verified(visit: AuthVisit, token: OneTimeToken): Promise<Verified | null> {
  const { database, now, ip } = visit
  const account = await database.account(token.userId)
  if (account === null) throw errors.otpExpired()
  checkBan(account, now)
  const { user } = account
  switch (token.kind) {
    case 'confirmation':
    case 'recovery':
      if (user.email !== token.sentTo) throw errors.otpExpired()
      return confirmAddress(account, 'email', token.kind === 'confirmation', now)
    case 'phone_confirmation':
      if (user.phone !== token.sentTo) throw errors.otpExpired()
      return confirmAddress(account, 'phone', true, now)
    case 'phone_change': {
      if (user.new_phone !== token.sentTo) throw errors.otpExpired()
      const change = changeAddress(account, 'phone', token.sentTo, now)
      return { account: await writeAddress(visit, account, change), statements: [] }
    }
    case 'email_change_current':
    case 'email_change_new': {
      const isNew = token.kind === 'email_change_new'
      const { new_email: wanted } = user
      if (wanted === null || token.sentTo !== (isNew ? wanted : user.email)) throw errors.otpExpired()
      const asksBoth = visit.terms.doubleConfirmEmailChange && user.email !== null
      if (asksBoth && !(await isSecondHalf(visit, user.id, isNew ? 'new' : 'current'))) return null
      const audit = insertAudit({ subject: user.id, action: 'user_modified', actor: user.id, ip }, now)
      const change = changeAddress(account, 'email', wanted, now)
      return { account: await writeAddress(visit, account, change, [audit]), statements: [] }
    }
    default:
      throw errors.otpExpired()
  }
}

/** Notes which half has confirmed: the same half twice is no second. Of two that do so at the same time, one is the second. */
async function isSecondHalf(
  { database }: Pick<AuthVisit, 'database'>,
  userId: string,
  half: 'current' | 'new',
): Promise<boolean> {
  const [, rows = []] = await database.write(userId, [
    updateUser(userId, { new_email_half: half }, ' AND new_email_half IS NULL'),
    { text: 'SELECT new_email_half FROM auth_users WHERE id = ?1', parameters: [userId] },
  ])
  return rows[0] !== undefined && rows[0].new_email_half !== half
}
