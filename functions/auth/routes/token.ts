/**
 * `POST /token`: a session for a password, for a refresh token, or for the code that a browser came back with.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { emailOf, phoneOf } from '../addresses.ts'
import { captchaPart, checkCaptcha } from '../captcha.ts'
import { authUserOf } from '../declarations.ts'
import { errors } from '../errors.ts'
import { takeAuthCode } from '../flow-states.ts'
import { countTry } from '../limits.ts'
import { comparePassword, hashPassword, maxPasswordLength } from '../passwords/hash-password.ts'
import { insertAudit } from '../rows/audit-rows.ts'
import { updateUser } from '../rows/user-rows.ts'
import { issueSession } from '../sessions/issue-session.ts'
import { refreshSession } from '../sessions/refresh-session.ts'
import { answer } from '../told.ts'
import { type AuthEnv, type AuthVisit, checkBan, readJson } from '../visit.ts'

/** What makes a session of a body, by `grant_type`. */
export type Grant = (visit: AuthVisit) => Promise<Response>

const passwordBody = z.object({
  email: z.string().nullish(),
  phone: z.string().nullish(),
  password: z.string(),
  ...captchaPart,
})
const refreshBody = z.object({ refresh_token: z.string() })
const codeBody = z.object({ auth_code: z.string().max(200), code_verifier: z.string().max(200) })

/** Those that are answered here; other files add theirs. */
const grants = new Map<string, Grant>([
  ['password', signInWithPassword],
  [
    'refresh_token',
    async (visit) => answer(await refreshSession(visit, (await readJson(visit, refreshBody)).refresh_token)),
  ],
  ['pkce', exchangeCode],
])

/** @param more further grants by their names */
export function createTokenRoutes(more: Readonly<Record<string, Grant>> = {}) {
  const all = new Map([...grants, ...Object.entries(more)])
  return new Hono<AuthEnv>().post('/token', async (c) => {
    const { visit } = c.env
    const grant = all.get(visit.url.searchParams.get('grant_type') ?? '')
    if (!grant) throw errors.validation('unsupported_grant_type')
    return grant(visit)
  })
}

/**
 * Whatever is wrong, the address, the password or that there is none, takes as long and says the same. Only whoever knows the password is told that an
 * address is not confirmed, or that the user is banned.
 */
async function signInWithPassword(visit: AuthVisit): Promise<Response> {
  const { terms, database, now, ip, raw, services } = visit
  const sent = await readJson(visit, passwordBody)
  await checkCaptcha(visit, sent)
  const by = sent.email ? 'email' : 'phone'
  if (!sent.email && !sent.phone) throw errors.validation('missing email or phone')
  if (!terms[by]) throw by === 'email' ? errors.emailDisabled() : errors.phoneDisabled()
  const address = addressOf(by, (sent.email ?? sent.phone) as string)
  const tried = await countTry(visit, address ?? 'nobody')
  const account = address === null ? null : await database.accountBy(by, address)
  const password = sent.password.slice(0, maxPasswordLength + 1)
  const kept = account?.user.password_hash ?? null
  const { isValid, isOld } = await comparePassword(password, kept, terms.passwords.scrypt)
  if (account) {
    await terms.hooks.passwordAttempt?.({
      user: authUserOf(account.user),
      isValid,
      request: new Request(raw.url, { method: raw.method, headers: raw.headers }),
      env: services.env as never,
    })
  }
  if (!account || !isValid) {
    const subject = account?.user.id ?? (await services.authSecrets.hash('subject', address ?? ''))
    await database.at(subject, [
      insertAudit({ subject, action: 'login_failed', actor: null, ip, data: { method: 'password' } }, now),
    ])
    throw errors.invalidCredentials()
  }
  checkBan(account, now)
  if (by === 'email' && account.user.email_confirmed_at === null) throw errors.emailNotConfirmed()
  if (by === 'phone' && account.user.phone_confirmed_at === null) throw errors.phoneNotConfirmed()
  const statements = isOld
    ? [updateUser(account.user.id, { password_hash: await hashPassword(password, terms.passwords.scrypt) })]
    : []
  const { body } = await issueSession(visit, account, { method: 'password', statements })
  tried.succeeded()
  return answer(body)
}

/** Null for what is no address: nobody has it, and that is all that is said. */
function addressOf(by: 'email' | 'phone', typed: string): string | null {
  try {
    return by === 'email' ? emailOf(typed) : phoneOf(typed)
  } catch {
    return null
  }
}

async function exchangeCode(visit: AuthVisit): Promise<Response> {
  const sent = await readJson(visit, codeBody)
  if (sent.auth_code === '' || sent.code_verifier === '')
    throw errors.validation('invalid request: both auth code and code verifier should be non-empty')
  const { userId, method, extra } = await takeAuthCode(visit, sent.auth_code, sent.code_verifier)
  const account = await visit.database.account(userId)
  if (account === null) throw errors.flowNotFound()
  return answer((await issueSession(visit, account, { method, extra })).body)
}
