/**
 * `GET /user` and `PUT /user`: whoever is signed in, and what they change of themselves.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import type { BoundStatement } from '../../../db/sql/statement.ts'
import { emailOf, phoneOf } from '../addresses.ts'
import { changeAddress, writeAddress } from '../change-address.ts'
import { errors } from '../errors.ts'
import { challengeOf, challengePart } from '../flow-states.ts'
import { countSending, countTry } from '../limits.ts'
import { checkCanMail, checkCanText, mailToken, textToken } from '../mail/send-message.ts'
import { type Challenge, dropTokens, makeToken, useCode } from '../one-time-tokens.ts'
import { comparePassword, hashPassword } from '../passwords/hash-password.ts'
import { checkPassword } from '../passwords/password-rules.ts'
import { redirectOf } from '../redirects.ts'
import { insertAudit } from '../rows/audit-rows.ts'
import { endSessions } from '../rows/session-rows.ts'
import { type Account, shownUser, updateUser } from '../rows/user-rows.ts'
import { answer } from '../told.ts'
import { type AuthEnv, type AuthVisit, readJson, type SignedIn, signedIn } from '../visit.ts'
import { metadata } from './sign-up.ts'

const body = z.object({
  email: z.string().nullish(),
  phone: z.string().nullish(),
  password: z.string().nullish(),
  nonce: z.string().nullish(),
  current_password: z.string().nullish(),
  data: metadata.nullish(),
  channel: z.enum(['sms', 'whatsapp']).nullish(),
  ...challengePart,
})

type Body = z.output<typeof body>

/** A session older than this is asked for a code before its password is changed, where that is wanted: milliseconds. */
const reauthenticateAfterMs = 86_400_000

export const userRoutes = new Hono<AuthEnv>()
  .get('/user', async (c) => answer(shownUser(await signedIn(c.env.visit))))
  .put('/user', async (c) => {
    const { visit } = c.env
    const current = await signedIn(visit)
    const sent = await readJson(visit, body)
    const { user } = current
    if (user.is_anonymous && sent.password && !sent.email && !sent.phone) throw errors.anonymousNeedsAddress()
    const email = sent.email ? emailOf(sent.email) : null
    const phone = sent.phone ? phoneOf(sent.phone) : null
    const challenge = challengeOf(sent)
    const changesProof =
      Boolean(sent.password) ||
      (email !== null && email !== user.email) ||
      (phone !== null && phone !== user.phone)
    if (changesProof && current.session.aal !== 'aal2' && current.factors.some(isVerified))
      throw errors.changeNeedsFactor()
    // All that may be refused comes before anything is written.
    const statements = [
      ...(sent.password ? await setPassword(visit, current, sent, sent.password) : []),
      ...(sent.data ? [updateUser(user.id, mergedData(current, sent.data, visit.now))] : []),
    ]
    if (statements.length > 0) {
      const { now, ip } = visit
      const audit = insertAudit({ subject: user.id, action: 'user_modified', actor: user.id, ip }, now)
      await visit.database.write(user.id, [...statements, audit])
    }
    if (email !== null && email !== user.email) await setEmail(visit, current, email, challenge)
    if (phone !== null && phone !== user.phone) await setPhone(visit, current, phone, sent)
    return answer(shownUser((await visit.database.account(user.id)) ?? current))
  })

const isVerified = ({ status }: Account['factors'][number]) => status === 'verified'

/** What is null goes; what is not named stays. */
export function mergedMetadata(
  before: Readonly<Record<string, unknown>>,
  sent: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries({ ...before, ...sent }).filter(([, value]) => value !== null))
}

function mergedData({ user }: Account, sent: Readonly<Record<string, unknown>>, now: number) {
  return { user_metadata: mergedMetadata(user.user_metadata, sent), updated_at: now }
}

/** @returns what sets it, and ends the user's other sessions */
async function setPassword(
  visit: AuthVisit,
  { user, session }: SignedIn,
  sent: Body,
  password: string,
): Promise<BoundStatement[]> {
  const { terms, now, ip } = visit
  const { requireCurrent, requireReauthentication, scrypt } = terms.passwords
  const had = user.password_hash
  if (requireReauthentication && now - session.created_at > reauthenticateAfterMs) {
    if (!sent.nonce) throw errors.reauthenticationNeeded()
    const address = user.email ?? user.phone ?? ''
    const tried = await countTry(visit, user.id)
    const token = await useCode(visit, user.id, address, sent.nonce, ['reauthentication'])
    if (token === null) throw errors.reauthenticationInvalid()
    tried.succeeded()
  }
  if (requireCurrent && had !== null) {
    if (!sent.current_password) throw errors.currentPasswordRequired()
    const tried = await countTry(visit, user.id)
    if (!(await comparePassword(sent.current_password, had, scrypt)).isValid)
      throw errors.currentPasswordInvalid()
    tried.succeeded()
  }
  await checkPassword(password, terms)
  if (had !== null && (await comparePassword(password, had, scrypt)).isValid) throw errors.samePassword()
  return [
    updateUser(user.id, { password_hash: await hashPassword(password, scrypt), updated_at: now }),
    endSessions(user.id, { but: session.id }),
    dropTokens(user.id, ['recovery', 'reauthentication']),
    insertAudit({ subject: user.id, action: 'user_updated_password', actor: user.id, ip }, now),
  ]
}

/**
 * The new address must confirm it, and the one before as well, so that who has got hold of a session has not got hold of the account. That
 * another account has the address is not told.
 */
async function setEmail(
  visit: AuthVisit,
  account: Account,
  email: string,
  challenge: Challenge | null,
): Promise<void> {
  const { terms, database, now, url } = visit
  const { user } = account
  if (!terms.confirmEmail) {
    await writeAddress(visit, account, changeAddress(account, 'email', email, now))
    return
  }
  checkCanMail(visit)
  await countSending(visit, 'email', email)
  const redirectTo = redirectOf(visit, url.searchParams.get('redirect_to'))
  const toNew = await makeToken(visit, user.id, 'email_change_new', email, challenge)
  const asksBoth = terms.doubleConfirmEmailChange && user.email !== null
  const toCurrent = asksBoth
    ? await makeToken(visit, user.id, 'email_change_current', user.email as string, challenge)
    : null
  await database.write(user.id, [
    updateUser(user.id, {
      new_email: email,
      new_email_half: null,
      email_change_sent_at: now,
      updated_at: now,
    }),
    dropTokens(user.id, ['email_change_current', 'email_change_new']),
    toNew.statement,
    ...(toCurrent ? [toCurrent.statement] : []),
  ])
  const isTaken = (await database.accountBy('email', email)) !== null
  if (!isTaken) mailToken(visit, user, 'email-change', email, toNew, redirectTo, email)
  if (toCurrent) mailToken(visit, user, 'email-change', user.email as string, toCurrent, redirectTo, email)
}

async function setPhone(visit: AuthVisit, account: Account, phone: string, sent: Body): Promise<void> {
  const { terms, database, now } = visit
  const { user } = account
  if (!terms.phone) throw errors.phoneDisabled()
  if (!terms.confirmPhone) {
    await writeAddress(visit, account, changeAddress(account, 'phone', phone, now))
    return
  }
  checkCanText(visit)
  await countSending(visit, 'sms', phone)
  const token = await makeToken(visit, user.id, 'phone_change', phone)
  await database.write(user.id, [
    updateUser(user.id, { new_phone: phone, phone_change_sent_at: now, updated_at: now }),
    token.statement,
  ])
  if ((await database.accountBy('phone', phone)) === null)
    textToken(visit, user, phone, token, sent.channel ?? 'sms')
}
