/**
 * What sends something: magic links and codes, recovery, once more, and the code by which somebody shows again that it is them. Whether an address
 * has an account, no answer tells, nor the time that it takes.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import { emailOf, phoneOf } from '../addresses.ts'
import { TakenError } from '../auth-database.ts'
import { captchaPart, checkCaptcha } from '../captcha.ts'
import { checkMayRegister, createAccount } from '../create-account.ts'
import type { MailKind, Sms } from '../declarations.ts'
import { errors } from '../errors.ts'
import { challengeOf, challengePart } from '../flow-states.ts'
import { countSending, countSignUp } from '../limits.ts'
import { checkCanMail, checkCanText, mailToken, textToken } from '../mail/send-message.ts'
import { type Challenge, makeToken, type TokenKind } from '../one-time-tokens.ts'
import { redirectOf } from '../redirects.ts'
import { type AuditAction, insertAudit } from '../rows/audit-rows.ts'
import { type UserRow, updateUser } from '../rows/user-rows.ts'
import { answer } from '../told.ts'
import { type AuthEnv, type AuthVisit, readJson, signedIn } from '../visit.ts'
import { metadata } from './sign-up.ts'

const otpBody = z.object({
  email: z.string().nullish(),
  phone: z.string().nullish(),
  create_user: z.boolean().nullish(),
  data: metadata.nullish(),
  channel: z.enum(['sms', 'whatsapp']).nullish(),
  ...challengePart,
  ...captchaPart,
})

const recoverBody = z.object({ email: z.string(), ...challengePart, ...captchaPart })

const resendBody = z.object({
  type: z.enum(['signup', 'email_change', 'sms', 'phone_change']),
  email: z.string().nullish(),
  phone: z.string().nullish(),
  ...challengePart,
  ...captchaPart,
})

export const sendRoutes = new Hono<AuthEnv>()
  .post('/otp', async (c) => sendSignIn(c.env.visit))
  .post('/magiclink', async (c) => sendSignIn(c.env.visit))
  .post('/recover', async (c) => sendRecovery(c.env.visit))
  .post('/resend', async (c) => sendAgain(c.env.visit))
  .get('/reauthenticate', async (c) => sendReauthentication(c.env.visit))

async function sendSignIn(visit: AuthVisit): Promise<Response> {
  const { terms, database } = visit
  const sent = await readJson(visit, otpBody)
  await checkCaptcha(visit, sent)
  if (!sent.email && !sent.phone) throw errors.validation('One of email or phone must be set')
  const by = sent.email ? 'email' : 'phone'
  if (!terms[by]) throw by === 'email' ? errors.emailDisabled() : errors.phoneDisabled()
  const address = by === 'email' ? emailOf(sent.email as string) : phoneOf(sent.phone as string)
  if (by === 'email') checkCanMail(visit)
  else checkCanText(visit)
  const challenge = challengeOf(sent)
  await countSending(visit, by === 'email' ? 'email' : 'sms', address)
  const channel = sent.channel ?? 'sms'
  const existing = await database.accountBy(by, address)
  if (existing) {
    await database.lookInVain()
    await sendTo(visit, existing.user, by, address, 'magiclink', challenge, channel)
    return answer({})
  }
  if (sent.create_user === false || !mayRegister(visit, by === 'email' ? address : null)) {
    await database.lookInVain()
    await noteNobody(visit, address, 'user_recovery_requested')
    return answer({})
  }
  await countSignUp(visit)
  const id = crypto.randomUUID()
  const token = await makeToken(visit, id, signInKind(by), address, challenge)
  try {
    const { user } = await createAccount(visit, {
      id,
      method: by,
      [by]: address,
      userMetadata: sent.data ?? {},
      more: { recovery_sent_at: visit.now },
      statements: () => [token.statement],
    })
    if (by === 'email') mailToken(visit, user, 'magiclink', address, token, wantedRedirect(visit))
    else textToken(visit, user, address, token, channel)
  } catch (error) {
    // Two requests at the same time: the other one sends.
    if (!(error instanceof TakenError)) throw error
  }
  return answer({})
}

function mayRegister(visit: AuthVisit, email: string | null): boolean {
  try {
    checkMayRegister(visit, email)
    return true
  } catch (error) {
    if (error instanceof AtollError) return false
    throw error
  }
}

function signInKind(by: 'email' | 'phone'): TokenKind {
  return by === 'email' ? 'recovery' : 'phone_confirmation'
}

function wantedRedirect(visit: AuthVisit): string {
  return redirectOf(visit, visit.url.searchParams.get('redirect_to'))
}

/** Makes a token by which its owner is signed in, and sends it. */
async function sendTo(
  visit: AuthVisit,
  user: UserRow,
  by: 'email' | 'phone',
  address: string,
  mail: MailKind,
  challenge: Challenge | null,
  channel: Sms['channel'] = 'sms',
): Promise<void> {
  const { database, now, ip } = visit
  const token = await makeToken(visit, user.id, signInKind(by), address, challenge)
  await database.at(user.id, [
    updateUser(user.id, { recovery_sent_at: now }),
    token.statement,
    insertAudit({ subject: user.id, action: 'user_recovery_requested', actor: null, ip }, now),
  ])
  if (by === 'email') mailToken(visit, user, mail, address, token, wantedRedirect(visit))
  else textToken(visit, user, address, token, channel)
}

/** As much as is written of somebody who has an account. */
async function noteNobody(visit: AuthVisit, address: string, action: AuditAction): Promise<void> {
  const { database, services, now, ip } = visit
  const subject = await services.authSecrets.hash('subject', address)
  await database.at(subject, [insertAudit({ subject, action, actor: null, ip }, now)])
}

async function sendRecovery(visit: AuthVisit): Promise<Response> {
  const { terms, database } = visit
  const sent = await readJson(visit, recoverBody)
  await checkCaptcha(visit, sent)
  if (!terms.email) throw errors.emailDisabled()
  const address = emailOf(sent.email)
  checkCanMail(visit)
  const challenge = challengeOf(sent)
  await countSending(visit, 'email', address)
  const account = await database.accountBy('email', address)
  if (account) await sendTo(visit, account.user, 'email', address, 'recovery', challenge)
  else await noteNobody(visit, address, 'user_recovery_requested')
  return answer({})
}

async function sendAgain(visit: AuthVisit): Promise<Response> {
  const { database, now } = visit
  const sent = await readJson(visit, resendBody)
  await checkCaptcha(visit, sent)
  const by = sent.type === 'signup' || sent.type === 'email_change' ? 'email' : 'phone'
  const typed = sent[by]
  if (!typed)
    throw errors.validation(
      `Type provided requires ${by === 'email' ? 'an email address' : 'a phone number'}`,
    )
  const address = by === 'email' ? emailOf(typed) : phoneOf(typed)
  if (by === 'email') checkCanMail(visit)
  else checkCanText(visit)
  const challenge = challengeOf(sent)
  await countSending(visit, by === 'email' ? 'email' : 'sms', address)
  const account = await database.accountBy(by, address)
  const user = account?.user ?? null
  const redirectTo = wantedRedirect(visit)
  if (user && sent.type === 'signup' && user.email_confirmed_at === null) {
    const token = await makeToken(visit, user.id, 'confirmation', address, challenge)
    await database.at(user.id, [updateUser(user.id, { confirmation_sent_at: now }), token.statement])
    mailToken(visit, user, user.invited_at === null ? 'confirmation' : 'invite', address, token, redirectTo)
  } else if (user && sent.type === 'sms') {
    const token = await makeToken(visit, user.id, 'phone_confirmation', address, challenge)
    await database.at(user.id, [updateUser(user.id, { confirmation_sent_at: now }), token.statement])
    textToken(visit, user, address, token, 'sms')
  } else if (user && sent.type === 'email_change' && user.new_email !== null) {
    await sendChangeAgain(visit, user, user.new_email, challenge, redirectTo)
  } else if (user && sent.type === 'phone_change' && user.new_phone !== null) {
    const token = await makeToken(visit, user.id, 'phone_change', user.new_phone, challenge)
    await database.at(user.id, [updateUser(user.id, { phone_change_sent_at: now }), token.statement])
    textToken(visit, user, user.new_phone, token, 'sms')
  } else await noteNobody(visit, address, 'user_confirmation_requested')
  return answer({})
}

async function sendChangeAgain(
  visit: AuthVisit,
  user: UserRow,
  newEmail: string,
  challenge: Challenge | null,
  redirectTo: string,
): Promise<void> {
  const { database, terms, now } = visit
  // Who has confirmed already is not asked again.
  const { new_email_half: half, email } = user
  const toNew =
    half === 'new' ? null : await makeToken(visit, user.id, 'email_change_new', newEmail, challenge)
  const asksCurrent = terms.doubleConfirmEmailChange && email !== null && half !== 'current'
  const toCurrent = asksCurrent
    ? await makeToken(visit, user.id, 'email_change_current', email, challenge)
    : null
  await database.at(user.id, [
    updateUser(user.id, { email_change_sent_at: now }),
    ...(toNew ? [toNew.statement] : []),
    ...(toCurrent ? [toCurrent.statement] : []),
  ])
  if (toNew && (await database.accountBy('email', newEmail)) === null)
    mailToken(visit, user, 'email-change', newEmail, toNew, redirectTo, newEmail)
  if (toCurrent && email !== null)
    mailToken(visit, user, 'email-change', email, toCurrent, redirectTo, newEmail)
}

async function sendReauthentication(visit: AuthVisit): Promise<Response> {
  const { database, now, ip } = visit
  const { user } = await signedIn(visit)
  const by = user.email !== null ? 'email' : 'phone'
  const address = user[by]
  if (address === null)
    throw errors.validation('Reauthentication requires the user to have an email or a phone number')
  if (by === 'email') checkCanMail(visit)
  else checkCanText(visit)
  await countSending(visit, by === 'email' ? 'email' : 'sms', address)
  const token = await makeToken(visit, user.id, 'reauthentication', address)
  await database.at(user.id, [
    updateUser(user.id, { reauthentication_sent_at: now }),
    token.statement,
    insertAudit({ subject: user.id, action: 'user_reauthenticate_requested', actor: user.id, ip }, now),
  ])
  if (by === 'email') mailToken(visit, user, 'reauthentication', address, token, wantedRedirect(visit))
  else textToken(visit, user, address, token, 'sms')
  return answer({})
}
