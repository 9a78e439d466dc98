/**
 * A sign-in: a new session, and what the client is given for it.
 * @module
 */

import type { BoundStatement } from '../../../db/sql/statement.ts'
import { identityOf } from '../../core/caller.ts'
import { insertAudit } from '../rows/audit-rows.ts'
import { endSessions, insertSession, type SessionRow } from '../rows/session-rows.ts'
import { type Account, shownUser, updateUser, userOf } from '../rows/user-rows.ts'
import { randomText } from '../secrets.ts'
import { type AuthVisit, checkBan } from '../visit.ts'
import { issuerOf, signAccessToken } from './access-token.ts'
import { refreshTokenOf } from './refresh-token.ts'

/** How somebody has proved who they are. */
export interface Proof {
  /** In GoTrue's words: `password`, `otp`, `oauth`, `anonymous`, `totp`, … */
  readonly method: string
  /** What else is written with it, in one transaction. */
  readonly statements?: readonly BoundStatement[]
  /** For the audit log. */
  readonly traits?: Readonly<Record<string, unknown>>
  /** Members of the answer beside GoTrue's own. */
  readonly extra?: Readonly<Record<string, unknown>>
}

/** A session that was made, as the client is given it. */
export interface IssuedSession {
  readonly session: SessionRow
  readonly body: Readonly<Record<string, unknown>>
}

/**
 * Signs a user in.
 *
 * @throws 400 `user_banned`
 */
export async function issueSession(visit: AuthVisit, account: Account, proof: Proof): Promise<IssuedSession> {
  const { database, terms, now, ip, userAgent } = visit
  checkBan(account, now)
  const { timeboxSeconds, single } = terms.sessions
  const userId = account.user.id
  const session: SessionRow = {
    user_id: userId,
    id: crypto.randomUUID(),
    salt: randomText(24),
    counter: 0,
    aal: 'aal1',
    amr: [{ method: proof.method, timestamp: Math.floor(now / 1000) }],
    factor_id: null,
    ip,
    user_agent: userAgent,
    created_at: now,
    refreshed_at: now,
    not_after: timeboxSeconds === null ? null : now + timeboxSeconds * 1000,
  }
  const own = proof.statements ?? []
  const results = await database.write(userId, [
    ...own,
    ...(single ? [endSessions(userId, 'all')] : []),
    insertSession(session),
    updateUser(userId, { last_sign_in_at: now }),
    insertAudit(
      {
        subject: userId,
        action: 'login',
        actor: userId,
        ip,
        data: { method: proof.method, session_id: session.id, ...proof.traits },
      },
      now,
    ),
  ])
  const written = results.at(-2)?.[0]
  const user = written ? userOf(written) : account.user
  return {
    session,
    body: await sessionBody(visit, { ...account, user }, session, proof.method, proof.extra),
  }
}

/** A session as clients are given it: GoTrue's answer to each way of signing in. */
export async function sessionBody(
  visit: AuthVisit,
  account: Account,
  session: SessionRow,
  method: string,
  extra: Readonly<Record<string, unknown>> = {},
): Promise<Readonly<Record<string, unknown>>> {
  const { services, now, database } = visit
  const [{ token, expiresAt }, refreshToken] = await Promise.all([
    signAccessToken(visit, account.user, session, method),
    refreshTokenOf(services.authSecrets, session, session.counter),
  ])
  // What was written now, the user's next request sees, whichever replica answers it.
  const who = identityOf({ sub: account.user.id, claims: { iss: issuerOf(visit) } } as never)
  if (who !== null) services.lastWrites.note(who, database.session.bookmarks)
  return {
    access_token: token,
    token_type: 'bearer',
    expires_in: Math.max(0, expiresAt - Math.floor(now / 1000)),
    expires_at: expiresAt,
    refresh_token: refreshToken,
    user: shownUser(account),
    ...extra,
  }
}
