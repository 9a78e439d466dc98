/**
 * `POST /signup`: accounts by address and password, and accounts without an address.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { emailOf, phoneOf } from '../addresses.ts'
import { TakenError } from '../auth-database.ts'
import { captchaPart, checkCaptcha } from '../captcha.ts'
import { checkMayRegister, createAccount } from '../create-account.ts'
import { errors } from '../errors.ts'
import { challengeOf, challengePart } from '../flow-states.ts'
import { countSending, countSignUp } from '../limits.ts'
import { checkCanMail, checkCanText, mailToken, textToken } from '../mail/send-message.ts'
import { type Challenge, type MadeToken, makeToken } from '../one-time-tokens.ts'
import { hashPassword } from '../passwords/hash-password.ts'
import { checkPassword } from '../passwords/password-rules.ts'
import { redirectOf } from '../redirects.ts'
import { insertAudit } from '../rows/audit-rows.ts'
import { newIdentity } from '../rows/identity-rows.ts'
import { type Account, shownUser, updateUser, userOf } from '../rows/user-rows.ts'
import { issueSession } from '../sessions/issue-session.ts'
import { answer } from '../told.ts'
import { type AuthEnv, type AuthVisit, readJson } from '../visit.ts'

export const metadata = z.record(z.string(), z.unknown())

const body = z.object({
  email: z.string().nullish(),
  phone: z.string().nullish(),
  password: z.string().nullish(),
  data: metadata.nullish(),
  channel: z.enum(['sms', 'whatsapp']).nullish(),
  ...challengePart,
  ...captchaPart,
})

type Body = z.output<typeof body>

export const signUpRoutes = new Hono<AuthEnv>().post('/signup', async (c) => {
  const { visit } = c.env
  const sent = await readJson(visit, body)
  await checkCaptcha(visit, sent)
  if (!sent.email && !sent.phone) return signUpAnonymously(visit, sent)
  if (!sent.password) throw errors.validation('Signup requires a valid password')
  return sent.email ? signUpWith(visit, sent, 'email') : signUpWith(visit, sent, 'phone')
})

async function signUpAnonymously(visit: AuthVisit, { data }: Body): Promise<Response> {
  if (!visit.terms.anonymous) throw errors.anonymousDisabled()
  if (visit.terms.signUp === 'invited') throw errors.signUpDisabled()
  await countSignUp(visit)
  const account = await createAccount(visit, {
    method: 'anonymous',
    isAnonymous: true,
    userMetadata: data ?? {},
  })
  return answer((await issueSession(visit, account, { method: 'anonymous' })).body)
}

/**
 * An address that has an account gets the same answer as one that has none, after the same work: a password is hashed, something is
 * read and something written.
 */
async function signUpWith(visit: AuthVisit, sent: Body, by: 'email' | 'phone'): Promise<Response> {
  const { terms, database } = visit
  const address = by === 'email' ? emailOf(sent.email as string) : phoneOf(sent.phone as string)
  if (!terms[by]) throw by === 'email' ? errors.emailDisabled() : errors.phoneDisabled()
  const password = sent.password as string
  await checkPassword(password, terms)
  checkMayRegister(visit, by === 'email' ? address : null)
  const confirms = by === 'email' ? terms.confirmEmail : terms.confirmPhone
  if (confirms) {
    if (by === 'email') checkCanMail(visit)
    else checkCanText(visit)
  }
  const challenge = challengeOf(sent)
  await countSignUp(visit)
  if (confirms) await countSending(visit, by === 'email' ? 'email' : 'sms', address)
  const passwordHash = await hashPassword(password, terms.passwords.scrypt)
  const existing = await database.accountBy(by, address)
  if (existing) return signUpAgain(visit, existing, sent, by, address, passwordHash, challenge)
  const id = crypto.randomUUID()
  const token = confirms ? await makeToken(visit, id, confirmationOf(by), address, challenge) : null
  let account: Account
  try {
    account = await createAccount(visit, {
      id,
      method: by,
      [by]: address,
      passwordHash,
      isEmailConfirmed: by === 'email' && !confirms,
      isPhoneConfirmed: by === 'phone' && !confirms,
      userMetadata: sent.data ?? {},
      ...(token ? { more: { confirmation_sent_at: visit.now }, statements: () => [token.statement] } : {}),
    })
  } catch (error) {
    // Somebody else was quicker, a moment ago.
    if (!(error instanceof TakenError)) throw error
    if (!confirms) throw errors.userExists()
    return answer(seeming(visit, by, address, sent))
  }
  if (token === null) return answer((await issueSession(visit, account, { method: 'password' })).body)
  sendConfirmation(visit, account, by, address, token, sent)
  return answer(shownUser(account))
}

/**
 * The account is there. Confirmed, its owner alone can sign in, and nothing becomes of this; unconfirmed, nobody has shown that it is theirs: what
 * was sent now counts, and what was sent before does not.
 */
async function signUpAgain(
  visit: AuthVisit,
  existing: Account,
  sent: Body,
  by: 'email' | 'phone',
  address: string,
  passwordHash: string,
  challenge: Challenge | null,
): Promise<Response> {
  const { terms, database, now, ip } = visit
  const { id } = existing.user
  const confirms = by === 'email' ? terms.confirmEmail : terms.confirmPhone
  const isConfirmed =
    (by === 'email' ? existing.user.email_confirmed_at : existing.user.phone_confirmed_at) !== null
  const audit = insertAudit({ subject: id, action: 'user_repeated_signup', actor: null, ip }, now)
  if (isConfirmed || !confirms) {
    await database.lookInVain()
    await database.at(id, [audit])
    if (!confirms) throw errors.userExists()
    return answer(seeming(visit, by, address, sent))
  }
  const token = await makeToken(visit, id, confirmationOf(by), address, challenge)
  const [written = []] = await database.write(id, [
    updateUser(id, {
      password_hash: passwordHash,
      user_metadata: sent.data ?? {},
      confirmation_sent_at: now,
      updated_at: now,
    }),
    token.statement,
    audit,
  ])
  const account = { ...existing, user: written[0] ? userOf(written[0]) : existing.user }
  sendConfirmation(visit, account, by, address, token, sent)
  return answer(shownUser(account))
}

function sendConfirmation(
  visit: AuthVisit,
  { user }: Account,
  by: 'email' | 'phone',
  address: string,
  token: MadeToken,
  sent: Body,
): void {
  const redirectTo = redirectOf(visit, visit.url.searchParams.get('redirect_to'))
  if (by === 'email') mailToken(visit, user, 'confirmation', address, token, redirectTo)
  else textToken(visit, user, address, token, sent.channel ?? 'sms')
}

function confirmationOf(by: 'email' | 'phone') {
  return by === 'email' ? 'confirmation' : 'phone_confirmation'
}

/** What a new account would be answered with, for an address whose owner has one. */
function seeming({ now }: AuthVisit, by: 'email' | 'phone', address: string, sent: Body) {
  const id = crypto.randomUUID()
  const data = { ...(sent.data ?? {}), email_verified: false, phone_verified: false, [by]: address }
  const user = {
    ...userOf({
      id,
      role: 'authenticated',
      created_at: now,
      updated_at: now,
      confirmation_sent_at: now,
      [by]: address,
    }),
    app_metadata: { provider: by, providers: [by] },
    user_metadata: sent.data ?? {},
  }
  return shownUser({ user, identities: [newIdentity(id, by, id, data, now)], factors: [] })
}
