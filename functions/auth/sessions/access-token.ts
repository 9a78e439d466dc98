/**
 * Access tokens: JSON Web Tokens with GoTrue's claims, which everything else verifies by itself.
 * @module
 */
import { SignJWT } from 'jose'
import { authUserOf } from '../declarations.ts'
import type { SessionRow } from '../rows/session-rows.ts'
import type { UserRow } from '../rows/user-rows.ts'
import type { AuthVisit } from '../visit.ts'

/** What no hook may say otherwise: who it is, in which session, from whom, how long. */
const fixed = ['iss', 'sub', 'iat', 'exp', 'session_id', 'aal', 'amr', 'aud'] as const

export interface AccessToken {
  readonly token: string
  /** Seconds since 1970. */
  readonly expiresAt: number
}

/** @param method by what the session came about; `token_refresh` when it goes on */
export async function signAccessToken(
  visit: AuthVisit,
  user: UserRow,
  session: Pick<SessionRow, 'id' | 'aal' | 'amr' | 'not_after'>,
  method: string,
): Promise<AccessToken> {
  const { terms, services, now, engine } = visit
  const iat = Math.floor(now / 1000)
  const end = session.not_after === null ? Number.POSITIVE_INFINITY : Math.floor(session.not_after / 1000)
  const exp = Math.min(iat + terms.tokens.accessSeconds, end)
  const own = {
    iss: issuerOf(visit),
    sub: user.id,
    aud: engine.config.jwtAudience ?? 'authenticated',
    exp,
    iat,
    email: user.email ?? '',
    phone: user.phone ?? '',
    app_metadata: user.app_metadata,
    user_metadata: user.user_metadata,
    role: user.role,
    aal: session.aal,
    amr: session.amr,
    session_id: session.id,
    is_anonymous: user.is_anonymous,
  }
  const added = await terms.hooks.claims?.({
    user: authUserOf(user),
    claims: own,
    method,
    env: services.env as never,
  })
  const kept = Object.fromEntries(fixed.map((name) => [name, own[name]]))
  const jwt = new SignJWT({ ...own, ...added, ...kept })
  if (terms.tokens.algorithm === 'HS256') {
    if (services.keys.jwtSecret === '') throw new Error('tokens of HS256 need ATOLL_JWT_SECRET')
    const secret = new TextEncoder().encode(services.keys.jwtSecret)
    return { token: await jwt.setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(secret), expiresAt: exp }
  }
  const { id, key } = await services.signingKeys.current()
  const token = await jwt.setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: id }).sign(key)
  return { token, expiresAt: exp }
}

/** Who says so: what tokens have to name, or the address of this area. */
export function issuerOf({ engine, url }: Pick<AuthVisit, 'engine' | 'url'>): string {
  return engine.config.jwtIssuer ?? `${url.origin}/auth/v1`
}
