/**
 * Bearer tokens: JSON Web Tokens (RFC 7519) signed with the project's secret, HS256 only. The wording of refusals
 * is PostgREST's.
 * @module
 */
import { decodeProtectedHeader, type JWTPayload, errors as jose, jwtVerify } from 'jose'
import { errors } from '../errors.ts'

/** What of the configuration decides whether a token is good. */
export interface TokenRules {
  readonly secret: string
  /** Audience that a token with an audience must name; null: any. */
  readonly audience: string | null
}

/** Seconds that clocks may differ. */
const skewSeconds = 30

/** Verified tokens, so that each is verified once in an isolate; the oldest leaves first. */
const verified = new Map<string, JWTPayload>()
const maxVerified = 1000

/**
 * @returns the claims
 * @throws 401 with a `WWW-Authenticate` that says why
 */
export async function verifyToken(token: string, rules: TokenRules): Promise<JWTPayload> {
  const key = `${rules.secret}\n${rules.audience ?? ''}\n${token}`
  const remembered = verified.get(key)
  if (remembered) {
    checkTimes(remembered)
    return remembered
  }
  const claims = await verify(token, rules)
  checkTimes(claims)
  checkAudience(claims, rules.audience)
  verified.set(key, claims)
  if (verified.size > maxVerified) verified.delete(verified.keys().next().value as string)
  return claims
}

async function verify(token: string, rules: TokenRules): Promise<JWTPayload> {
  if (token === '') throw errors.badToken('Empty JWT is sent in Authorization header')
  const parts = token.split('.').length
  if (parts !== 3) throw errors.badToken(`Expected 3 parts in JWT; got ${parts}`)
  if (algorithmOf(token) === 'none') {
    throw errors.badToken(
      'Wrong or unsupported encoding algorithm',
      "JWT is unsecured but expected 'alg' was not 'none'",
    )
  }
  if (rules.secret === '') throw errors.noTokenSecret()
  try {
    const secret = new TextEncoder().encode(rules.secret)
    // Times are checked below, again for remembered tokens, so jose is given a tolerance that it cannot exceed.
    const options = { algorithms: ['HS256'], clockTolerance: Number.MAX_SAFE_INTEGER / 1000 }
    return (await jwtVerify(token, secret, options)).payload
  } catch (error) {
    if (error instanceof jose.JWSSignatureVerificationFailed || error instanceof jose.JOSEAlgNotAllowed) {
      throw errors.badToken(
        'No suitable key or wrong key type',
        'None of the keys was able to decode the JWT',
      )
    }
    throw errors.badToken('JWT cryptographic operation failed')
  }
}

function algorithmOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).alg
  } catch {
    throw errors.badToken('JWT cryptographic operation failed')
  }
}

function checkTimes({ exp, nbf, iat }: JWTPayload): void {
  const now = Date.now() / 1000
  if (exp !== undefined && now - skewSeconds > exp) throw errors.badClaims('JWT expired')
  if (nbf !== undefined && now + skewSeconds < nbf) throw errors.badClaims('JWT not yet valid')
  if (iat !== undefined && now + skewSeconds < iat) throw errors.badClaims('JWT issued at future')
}

/** A token without an audience, or with an empty list of them, is for everybody. */
function checkAudience({ aud }: JWTPayload, audience: string | null): void {
  if (audience === null || aud === undefined || aud === null) return
  const named = typeof aud === 'string' ? [aud] : aud
  if (named.length > 0 && !named.includes(audience)) throw errors.badClaims('JWT not in audience')
}
