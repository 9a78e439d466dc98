/**
 * A session goes on: its refresh token is used up, and another given for it. One that was used before is answered for a few seconds as it was, for
 * clients that lost the answer; after that, somebody has a copy, and the session ends for both.
 * @module
 */
import { errors } from '../errors.ts'
import { emit } from '../events.ts'
import { insertAudit } from '../rows/audit-rows.ts'
import { advanceSession, endSessions, readSession, type SessionRow, sessionOf } from '../rows/session-rows.ts'
import { accountOf, readAccount } from '../rows/user-rows.ts'
import { type AuthVisit, checkBan } from '../visit.ts'
import { sessionBody } from './issue-session.ts'
import { isOf, readRefreshToken } from './refresh-token.ts'

/**
 * @returns GoTrue's answer
 * @throws 400 `refresh_token_not_found`, `refresh_token_already_used`, `session_expired`, `user_banned`
 */
export async function refreshSession(
  visit: AuthVisit,
  token: string,
): Promise<Readonly<Record<string, unknown>>> {
  const { database, services, terms, now, ip, userAgent } = visit
  const said = readRefreshToken(token)
  if (said === null) throw errors.refreshTokenNotFound()
  const { userId, sessionId } = said
  const [sessions = [], ...rest] = await database.at(userId, [
    readSession(userId, sessionId),
    ...readAccount(userId),
  ])
  const account = accountOf(rest)
  const session = sessions[0] ? sessionOf(sessions[0]) : null
  if (session === null || account === null || !(await isOf(services.authSecrets, session, said)))
    throw errors.refreshTokenNotFound()
  checkBan(account, now)
  await checkAge(visit, session)
  if (said.counter === session.counter) {
    const [advanced = []] = await database.at(userId, [
      advanceSession(userId, sessionId, said.counter, now, { ip, userAgent }),
    ])
    // Another request with the same token was quicker, or the session has ended: it is looked at as one that comes after it.
    const next = advanced[0] ? sessionOf(advanced[0]) : await sessionAgain(visit, userId, sessionId)
    if (!advanced[0] && said.counter !== next.counter - 1) throw await stolen(visit, next)
    return sessionBody(visit, account, next, 'token_refresh')
  }
  const isLost = said.counter === session.counter - 1
  if (isLost && now - session.refreshed_at <= terms.tokens.reuseSeconds * 1000)
    return sessionBody(visit, account, session, 'token_refresh')
  throw await stolen(visit, session)
}

async function sessionAgain({ database }: AuthVisit, userId: string, id: string): Promise<SessionRow> {
  const [rows = []] = await database.at(userId, [readSession(userId, id)])
  if (!rows[0]) throw errors.refreshTokenNotFound()
  return sessionOf(rows[0])
}

/** @throws 400 `session_expired` for a session that has ended by its age, or for want of use */
async function checkAge({ database, terms, now }: AuthVisit, session: SessionRow): Promise<void> {
  const { inactivitySeconds } = terms.sessions
  const isOver = session.not_after !== null && session.not_after <= now
  const isIdle = inactivitySeconds !== null && now - session.refreshed_at > inactivitySeconds * 1000
  if (!isOver && !isIdle) return
  await database.at(session.user_id, [endSessions(session.user_id, { only: session.id })])
  throw errors.sessionExpired(isOver ? 'Timebox' : 'Inactivity')
}

/** Ends a session of which somebody has a copy, and tells of it. */
async function stolen({ database, now, ip }: AuthVisit, { user_id: user, id }: SessionRow): Promise<Error> {
  await database.at(user, [
    endSessions(user, { only: id }),
    insertAudit(
      { subject: user, action: 'refresh_token_reused', actor: null, ip, data: { session_id: id } },
      now,
    ),
  ])
  emit({ kind: 'refresh-token-reused', user, session: id })
  return errors.refreshTokenUsed()
}
