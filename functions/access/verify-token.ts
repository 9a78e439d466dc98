/**
 * Bearer tokens: JSON Web Tokens (RFC 7519), signed with the project's secret (HS256), with a key of its own (ES256) or with one of
 * its JWKS address (RS256, ES256). The wording of refusals is PostgREST's.
 * @module
 */
import {
  base64url,
  decodeJwt,
  decodeProtectedHeader,
  type JWTPayload,
  type JWTVerifyOptions,
  errors as jose,
  jwtVerify,
} from 'jose'
import { AtollError } from '../../db/errors/atoll-error.ts'
import type { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import { RecentMap } from '../../db/memory/recent-map.ts'
import { sizeOf } from '../../db/memory/size-of.ts'
import type { Keys } from '../core/config.ts'
import { parseLossless } from '../core/parse-lossless.ts'
import type { AccessConfig } from './config.ts'
import { errors } from './errors.ts'
import type { OwnKeys } from './own-keys.ts'
import { RemoteKeys } from './remote-keys.ts'

/** Seconds that clocks may differ. */
const skewSeconds = 30

const maxRemembered = 1000
const maxRememberedBytes = 4_000_000
/** A token is verified anew after so long: its key may have been taken back. */
const maxRememberedSeconds = 600
/** Longer tokens are verified each time, so that what is remembered stays small. */
const maxRememberedLength = 4096

interface Remembered {
  readonly claims: JWTPayload
  /** Seconds since 1970. */
  readonly expiresAt: number
}

/** Verifies tokens, and remembers those that it has verified until they expire; the least recently used leaves first. */
export class TokenVerifier {
  readonly #secret: string
  readonly #audience: string | null
  readonly #issuer: string | null
  readonly #remoteKeys: RemoteKeys | null
  readonly #ownKeys: OwnKeys | null
  readonly #remembered: RecentMap<Remembered>
  #secretKey: CryptoKey | null = null

  constructor(
    keys: Keys,
    { jwtAudience, jwtIssuer }: AccessConfig,
    budget?: IsolateBudget,
    ownKeys: OwnKeys | null = null,
  ) {
    this.#ownKeys = ownKeys
    this.#remembered = new RecentMap({
      name: 'tokens',
      maxEntries: maxRemembered,
      maxBytes: maxRememberedBytes,
      floorBytes: maxRememberedBytes / 4,
      sizeOf: (token, remembered) => 2 * token.length + sizeOf(remembered),
      ...(budget ? { budget } : {}),
    })
    this.#secret = keys.jwtSecret
    this.#audience = jwtAudience
    this.#issuer = jwtIssuer
    this.#remoteKeys = keys.jwksUrl === '' ? null : new RemoteKeys(keys.jwksUrl)
  }

  /**
   * @returns the claims
   * @throws 401 with a `WWW-Authenticate` that says why
   */
  async verify(token: string): Promise<JWTPayload> {
    const remembered = this.#remembered.get(token)
    if (remembered && Date.now() / 1000 < remembered.expiresAt) return remembered.claims
    const claims = await this.#verify(token)
    if (token.length <= maxRememberedLength) {
      const ownEnd = claims.exp === undefined ? Number.POSITIVE_INFINITY : claims.exp + skewSeconds
      const expiresAt = Math.min(ownEnd, Date.now() / 1000 + maxRememberedSeconds)
      this.#remembered.set(token, { claims, expiresAt })
    }
    return claims
  }

  async #verify(token: string): Promise<JWTPayload> {
    if (token === '') throw errors.badToken('Empty JWT is sent in Authorization header')
    const parts = token.split('.').length
    if (parts !== 3) throw errors.badToken(`Expected 3 parts in JWT; got ${parts}`)
    try {
      const claims = withDigits(token, await this.#verifyWithKey(token))
      if (!isSubject(claims.sub)) throw errors.badClaims("The JWT 'sub' claim must be a string")
      if (claims.iat !== undefined && Date.now() / 1000 + skewSeconds < claims.iat) {
        throw errors.badClaims('JWT issued at future')
      }
      return claims
    } catch (error) {
      throw refusalOf(error)
    }
  }

  /** The header says which key to take; it never says which algorithm that key may be used with. */
  async #verifyWithKey(token: string): Promise<JWTPayload> {
    const { alg, kid } = decodeProtectedHeader(token)
    const options: JWTVerifyOptions = {
      clockTolerance: skewSeconds,
      ...(this.#issuer === null ? {} : { issuer: this.#issuer }),
      // A token without an audience, or with an empty list of them, is for everybody.
      ...(this.#audience === null || !namesAudience(token) ? {} : { audience: this.#audience }),
    }
    switch (alg) {
      case 'none':
        throw errors.badToken(
          'Wrong or unsupported encoding algorithm',
          "JWT is unsecured but expected 'alg' was not 'none'",
        )
      case 'RS256':
      case 'ES256': {
        const own = alg === 'ES256' && kid !== undefined ? await this.#ownKeys?.find(kid) : null
        if (own) return (await jwtVerify(token, own, { ...options, algorithms: [alg] })).payload
        if (this.#remoteKeys === null) throw errors.noSuitableKey()
        const remote = this.#remoteKeys
        const key = (...of: Parameters<RemoteKeys['find']>) => remote.find(...of)
        return (await jwtVerify(token, key, { ...options, algorithms: [alg] })).payload
      }
      default: {
        if (this.#secret === '') {
          throw this.#remoteKeys === null ? errors.noTokenSecret() : errors.noSuitableKey()
        }
        this.#secretKey ??= await crypto.subtle.importKey(
          'raw',
          new TextEncoder().encode(this.#secret),
          { name: 'HMAC', hash: 'SHA-256' },
          false,
          ['verify'],
        )
        return (await jwtVerify(token, this.#secretKey, { ...options, algorithms: ['HS256'] })).payload
      }
    }
  }
}

/** The claims with all digits of their numbers: those that a double would change are texts. */
function withDigits(token: string, claims: JWTPayload): JWTPayload {
  const [, payload = ''] = token.split('.')
  const text = new TextDecoder().decode(base64url.decode(payload))
  return /\d{16}/.test(text) ? (parseLossless(text, (digits) => digits) as JWTPayload) : claims
}

/** Text, as RFC 7519 (4.1.2) has it, or a number, as some write it. Of anything else nobody could say whom it is about. */
function isSubject(sub: unknown): boolean {
  return sub === undefined || sub === null || typeof sub === 'string' || typeof sub === 'number'
}

function namesAudience(token: string): boolean {
  const { aud } = decodeJwt(token)
  return Array.isArray(aud) ? aud.length > 0 : aud !== undefined && aud !== null
}

/** What `jose` found wrong, in PostgREST's words. */
function refusalOf(error: unknown): AtollError {
  if (error instanceof AtollError) return error
  if (error instanceof jose.JWTExpired) return errors.badClaims('JWT expired')
  if (error instanceof jose.JWTClaimValidationFailed) return errors.badClaims(claimRefusal(error))
  if (
    error instanceof jose.JWSSignatureVerificationFailed ||
    error instanceof jose.JOSEAlgNotAllowed ||
    error instanceof jose.JWKSNoMatchingKey ||
    error instanceof jose.JWKSMultipleMatchingKeys
  ) {
    return errors.noSuitableKey()
  }
  return errors.badToken('JWT cryptographic operation failed')
}

function claimRefusal({ claim, reason }: jose.JWTClaimValidationFailed): string {
  if (reason === 'invalid') return `The JWT '${claim}' claim must be a number`
  switch (claim) {
    case 'nbf':
      return 'JWT not yet valid'
    case 'aud':
      return 'JWT not in audience'
    default:
      return `JWT claim '${claim}' is not accepted`
  }
}
