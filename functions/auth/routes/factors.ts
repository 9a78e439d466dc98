/**
 * `/factors`: second factors of whoever is signed in, by time-based codes; and of others, for the secret key.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { authUserOf } from '../declarations.ts'
import { errors } from '../errors.ts'
import { newTotp, stepOfCode } from '../factors/totp.ts'
import { countTry } from '../limits.ts'
import { type AuditAction, insertAudit } from '../rows/audit-rows.ts'
import {
  challengeSeconds,
  dropChallengesOf,
  endChallenge,
  insertChallenge,
  tryChallenge,
} from '../rows/challenge-rows.ts'
import {
  deleteFactor,
  dropUnverified,
  type FactorRow,
  insertFactor,
  noteChallenged,
  shownFactor,
  useStep,
} from '../rows/factor-rows.ts'
import { endWeakSessions, lowerSessions, raiseSession, sessionOf } from '../rows/session-rows.ts'
import type { Account } from '../rows/user-rows.ts'
import { sessionBody } from '../sessions/issue-session.ts'
import { answer } from '../told.ts'
import {
  type AuthEnv,
  type AuthVisit,
  isUuid,
  readJson,
  requireAdmin,
  type SignedIn,
  signedIn,
} from '../visit.ts'

/** Factors that a user may have, and how long one may wait for its first code, in milliseconds. */
const maxFactors = 10
const unverifiedMs = 600_000

const toEnroll = z.object({
  factor_type: z.string(),
  friendly_name: z.string().max(100).nullish(),
  issuer: z.string().max(200).nullish(),
})
const toVerify = z.object({ challenge_id: z.string(), code: z.string() })

export const factorRoutes = new Hono<AuthEnv>()
  .post('/factors', async (c) => answer(await enroll(c.env.visit)))
  .post('/factors/:id/challenge', async (c) => answer(await challenge(c.env.visit, c.req.param('id'))))
  .post('/factors/:id/verify', async (c) => answer(await verify(c.env.visit, c.req.param('id'))))
  .delete('/factors/:id', async (c) => {
    const { visit } = c.env
    const current = await signedIn(visit)
    const factor = ownFactor(current, c.req.param('id'))
    // Whoever has got hold of a session by a password alone does not get rid of the factor.
    if (factor.status === 'verified' && current.session.aal !== 'aal2') throw errors.unenrollNeedsFactor()
    await takeAway(visit, current, factor, 'factor_unenrolled', current.user.id)
    return answer({ id: factor.id })
  })
  .get('/admin/users/:user/factors', async (c) => {
    const { factors } = await wanted(c.env.visit, c.req.param('user'))
    return answer(factors.map(shownFactor))
  })
  .delete('/admin/users/:user/factors/:id', async (c) => {
    const { visit } = c.env
    const account = await wanted(visit, c.req.param('user'))
    const factor = ownFactor(account, c.req.param('id'))
    await takeAway(visit, account, factor, 'factor_deleted', null)
    return answer(shownFactor(factor))
  })

async function wanted(visit: AuthVisit, id: string): Promise<Account> {
  requireAdmin(visit)
  const account = isUuid(id) ? await visit.database.account(id) : null
  if (account === null) throw errors.userNotFound()
  return account
}

/** @throws 404 for one that is another user's, as for one that is nobody's */
function ownFactor({ factors }: Account, id: string): FactorRow {
  const factor = factors.find((one) => one.id === id)
  if (!factor) throw errors.factorNotFound()
  return factor
}

async function enroll(visit: AuthVisit) {
  const current = await signedIn(visit)
  const sent = await readJson(visit, toEnroll)
  if (sent.factor_type !== 'totp') throw errors.validation('factor_type needs to be totp')
  const { user, factors, session } = current
  const { now, ip, database, services, url } = visit
  if (factors.some(({ status }) => status === 'verified') && session.aal !== 'aal2')
    throw errors.enrollNeedsFactor()
  const kept = factors.filter(
    ({ status, created_at }) => status === 'verified' || created_at >= now - unverifiedMs,
  )
  if (kept.length >= maxFactors) throw errors.tooManyFactors()
  const name = sent.friendly_name?.trim() || null
  if (name !== null && kept.some(({ friendly_name }) => friendly_name === name))
    throw errors.factorNameTaken(name)
  const id = crypto.randomUUID()
  const totp = newTotp(sent.issuer ?? url.host, user.email ?? user.phone ?? user.id)
  const secret = await services.authSecrets.sealer('totp').seal([user.id, id, totp.secret])
  await database.write(user.id, [
    dropUnverified(user.id, now - unverifiedMs),
    insertFactor({ user_id: user.id, id, factor_type: 'totp', friendly_name: name, secret }, now),
    insertAudit(
      { subject: user.id, action: 'factor_in_progress', actor: user.id, ip, data: { factor_id: id } },
      now,
    ),
  ])
  return { id, type: 'totp', ...(name === null ? {} : { friendly_name: name }), totp }
}

async function challenge(visit: AuthVisit, id: string) {
  const current = await signedIn(visit)
  const { database, now, ip } = visit
  const { user, session } = current
  const factor = ownFactor(current, id)
  const asked = crypto.randomUUID()
  await database.at(user.id, [
    insertChallenge({ user_id: user.id, id: asked, factor_id: factor.id, session_id: session.id, ip }, now),
    noteChallenged(user.id, factor.id, now),
    insertAudit(
      { subject: user.id, action: 'challenge_created', actor: user.id, ip, data: { factor_id: id } },
      now,
    ),
  ])
  return { id: asked, type: factor.factor_type, expires_at: Math.floor(now / 1000) + challengeSeconds }
}

/** What is tried is counted before it is compared, and what was right counts once. */
async function verify(visit: AuthVisit, id: string) {
  const current = await signedIn(visit)
  const { challenge_id: asked, code } = await readJson(visit, toVerify)
  const { user, session } = current
  const { database, now, ip, terms, services } = visit
  const factor = ownFactor(current, id)
  const tried = await countTry(visit, `factor ${user.id}`)
  const [open = []] = await database.at(user.id, [tryChallenge(user.id, asked, factor.id, session.id, now)])
  if (open.length === 0) throw errors.challengeExpired(asked)
  const step = stepOfCode(await secretOf(visit, factor), code, now)
  await terms.hooks.mfaAttempt?.({
    user: authUserOf(user),
    isValid: step !== null,
    request: new Request(visit.raw.url, { method: visit.raw.method, headers: visit.raw.headers }),
    factorId: factor.id,
    factorType: factor.factor_type,
    env: services.env as never,
  })
  if (step === null) {
    const data = { factor_id: id, valid: false }
    await database.at(user.id, [
      insertAudit({ subject: user.id, action: 'verification_attempted', actor: user.id, ip, data }, now),
    ])
    throw errors.codeWrong()
  }
  const [used = [], ended = []] = await database.at(user.id, [
    useStep(user.id, factor.id, step, now),
    endChallenge(user.id, asked),
  ])
  if (used.length === 0 || ended.length === 0) throw errors.codeWrong()
  const timestamp = Math.floor(now / 1000)
  const amr = [...session.amr.filter(({ method }) => method !== 'totp'), { method: 'totp', timestamp }]
  const [raised = []] = await database.write(user.id, [
    raiseSession(user.id, session.id, factor.id, amr, now),
    // Whoever is signed in by the first factor alone may be somebody else.
    endWeakSessions(user.id, session.id),
    insertAudit(
      { subject: user.id, action: 'mfa_code_login', actor: user.id, ip, data: { factor_id: id } },
      now,
    ),
  ])
  if (!raised[0]) throw errors.sessionNotFound()
  tried.succeeded()
  const account = (await database.account(user.id)) ?? current
  return sessionBody(visit, account, sessionOf(raised[0]), 'totp')
}

/** @throws 422 when it cannot be read any more: the secret that it was sealed with is another one */
async function secretOf({ services }: AuthVisit, { user_id, id, secret }: FactorRow): Promise<string> {
  const opened = secret === null ? null : await services.authSecrets.sealer('totp').open(secret)
  if (!Array.isArray(opened) || opened[0] !== user_id || opened[1] !== id) throw errors.codeWrong()
  return opened[2] as string
}

async function takeAway(
  { database, now, ip }: AuthVisit,
  { user }: Pick<SignedIn, 'user'>,
  { id }: FactorRow,
  action: AuditAction,
  actor: string | null,
): Promise<void> {
  await database.write(user.id, [
    deleteFactor(user.id, id),
    dropChallengesOf(user.id, id),
    lowerSessions(user.id, id),
    insertAudit({ subject: user.id, action, actor, ip, data: { factor_id: id } }, now),
  ])
}
