/**
 * Invitations, and links that the app sends by itself: for the secret key.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { emailOf } from '../addresses.ts'
import { createAccount } from '../create-account.ts'
import type { MailKind } from '../declarations.ts'
import { errors } from '../errors.ts'
import { checkCanMail, mailToken, verifyLink } from '../mail/send-message.ts'
import { type MadeToken, makeToken, type TokenKind } from '../one-time-tokens.ts'
import { hashPassword } from '../passwords/hash-password.ts'
import { checkPassword } from '../passwords/password-rules.ts'
import { redirectOf } from '../redirects.ts'
import { insertAudit } from '../rows/audit-rows.ts'
import { type Account, shownUser, updateUser } from '../rows/user-rows.ts'
import { answer } from '../told.ts'
import { type AuthEnv, type AuthVisit, readJson, requireAdmin } from '../visit.ts'
import { metadata } from './sign-up.ts'

const inviteBody = z.object({ email: z.string(), data: metadata.nullish() })

const linkBody = z.object({
  type: z.enum(['signup', 'invite', 'magiclink', 'recovery', 'email_change_current', 'email_change_new']),
  email: z.string(),
  new_email: z.string().nullish(),
  password: z.string().nullish(),
  data: metadata.nullish(),
  redirect_to: z.string().nullish(),
})

type LinkBody = z.output<typeof linkBody>

export const inviteRoutes = new Hono<AuthEnv>()
  .post('/invite', async (c) => {
    const { visit } = c.env
    requireAdmin(visit)
    const sent = await readJson(visit, inviteBody)
    checkCanMail(visit)
    const email = emailOf(sent.email)
    const { account, token } = await invited(visit, email, sent.data ?? {})
    mailToken(
      visit,
      account.user,
      'invite',
      email,
      token,
      redirectOf(visit, visit.url.searchParams.get('redirect_to')),
    )
    return answer(shownUser(account))
  })
  .post('/admin/generate_link', async (c) => {
    const { visit } = c.env
    requireAdmin(visit)
    const sent = await readJson(visit, linkBody)
    const wanted = sent.redirect_to ?? visit.url.searchParams.get('redirect_to')
    const redirectTo = redirectOf(visit, wanted)
    const { account, token } = await tokenFor(visit, sent, emailOf(sent.email))
    const mail = mailOf[sent.type]
    return answer({
      ...shownUser(account),
      action_link: verifyLink(visit, mail, token.link, redirectTo),
      email_otp: token.code,
      hashed_token: token.link,
      verification_type: sent.type,
      redirect_to: redirectTo,
    })
  })

const mailOf: Readonly<Record<LinkBody['type'], Exclude<MailKind, 'reauthentication'>>> = {
  signup: 'confirmation',
  invite: 'invite',
  magiclink: 'magiclink',
  recovery: 'recovery',
  email_change_current: 'email-change',
  email_change_new: 'email-change',
}

/** Somebody who has no account yet, or has not confirmed it. @throws 422 `email_exists` */
async function invited(
  visit: AuthVisit,
  email: string,
  data: Readonly<Record<string, unknown>>,
): Promise<{ readonly account: Account; readonly token: MadeToken }> {
  const { database, now, ip } = visit
  const existing = await database.accountBy('email', email)
  if (existing && existing.user.email_confirmed_at !== null) throw errors.emailExists()
  const id = existing?.user.id ?? crypto.randomUUID()
  const token = await makeToken(visit, id, 'confirmation', email)
  if (existing) {
    // Whoever has made an account for this address has not shown that it is theirs.
    const changes = { invited_at: now, confirmation_sent_at: now, password_hash: null, updated_at: now }
    await database.write(id, [
      updateUser(id, changes),
      token.statement,
      insertAudit({ subject: id, action: 'user_invited', actor: 'service_role', ip }, now),
    ])
    return { account: { ...existing, user: { ...existing.user, ...changes } }, token }
  }
  const account = await createAccount(visit, {
    id,
    method: 'invite',
    email,
    userMetadata: data,
    action: 'user_invited',
    more: { invited_at: now, confirmation_sent_at: now },
    statements: () => [token.statement],
  })
  return { account, token }
}

async function tokenFor(
  visit: AuthVisit,
  sent: LinkBody,
  email: string,
): Promise<{ readonly account: Account; readonly token: MadeToken }> {
  const { database, terms, now } = visit
  if (sent.type === 'invite') return invited(visit, email, sent.data ?? {})
  const existing = await database.accountBy('email', email)
  if (sent.type === 'signup' || (sent.type === 'magiclink' && !existing)) {
    if (existing && existing.user.email_confirmed_at !== null) throw errors.emailExists()
    if (sent.type === 'signup' && !sent.password) throw errors.validation('Signup requires a valid password')
    if (sent.password) await checkPassword(sent.password, terms)
    const passwordHash = sent.password ? await hashPassword(sent.password, terms.passwords.scrypt) : null
    const id = existing?.user.id ?? crypto.randomUUID()
    const token = await makeToken(visit, id, sent.type === 'signup' ? 'confirmation' : 'recovery', email)
    if (existing) {
      const changes = { password_hash: passwordHash, confirmation_sent_at: now, updated_at: now }
      await database.write(id, [updateUser(id, changes), token.statement])
      return { account: { ...existing, user: { ...existing.user, ...changes } }, token }
    }
    const account = await createAccount(visit, {
      id,
      method: 'email',
      email,
      passwordHash,
      userMetadata: sent.data ?? {},
      more: { confirmation_sent_at: now },
      statements: () => [token.statement],
    })
    return { account, token }
  }
  if (!existing) throw errors.userNotFound()
  const { id } = existing.user
  if (sent.type === 'magiclink' || sent.type === 'recovery') {
    const token = await makeToken(visit, id, 'recovery', email)
    await database.write(id, [updateUser(id, { recovery_sent_at: now }), token.statement])
    return { account: existing, token }
  }
  if (!sent.new_email) throw errors.validation('Email change requires a new email address')
  const newEmail = emailOf(sent.new_email)
  if (await database.accountBy('email', newEmail)) throw errors.emailExists()
  const kind: TokenKind = sent.type
  const token = await makeToken(visit, id, kind, kind === 'email_change_new' ? newEmail : email)
  // Links for both are made one after the other: the second is of the same change.
  const isSame = existing.user.new_email === newEmail
  const changes = {
    new_email: newEmail,
    email_change_sent_at: now,
    ...(isSame ? {} : { new_email_half: null }),
  }
  await database.write(id, [updateUser(id, changes), token.statement])
  return { account: { ...existing, user: { ...existing.user, ...changes } }, token }
}
