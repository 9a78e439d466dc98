import type { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import { anonymousCaller, type Caller, serviceCaller, subjectOf } from '../core/caller.ts'
import type { Keys } from '../core/config.ts'
import type { AccessConfig } from './config.ts'
import { errors } from './errors.ts'
import type { OwnKeys } from './own-keys.ts'
import { TokenVerifier } from './verify-token.ts'

/** Roles as tokens name them. */
export interface TokenRoles {
  /** Those that a token may name. */
  readonly all: ReadonlySet<string>
  /** The role in a token's claims; null when they name none. */
  readonly of: (claims: Readonly<Record<string, unknown>>) => string | null
}

/** Reads who is calling from a request's headers. */
export type Identify = (headers: Headers) => Promise<Caller>

/**
 * Reads the caller from the bearer token (a key or a JWT), or from the `apikey` header. supabase-js sends its key as
 * both until somebody signs in; then the bearer token is the user's. Keys may be JWTs themselves, as older projects
 * have them.
 *
 * The function that it makes throws 401 when what is sent is none of this project's, or names a role that nobody has declared.
 */
export function createIdentify(
  keys: Keys,
  config: AccessConfig,
  roles: TokenRoles,
  budget?: IsolateBudget,
  ownKeys: OwnKeys | null = null,
): Identify {
  const tokens = new TokenVerifier(keys, config, budget, ownKeys)

  async function fromKey(key: string, isBearer: boolean): Promise<Caller> {
    if (sameSecret(key, keys.publishable)) return anonymousCaller
    if (sameSecret(key, keys.secret)) return serviceCaller
    if (!isBearer && key.split('.').length !== 3) throw errors.unknownKey()
    if (/^sb_(?:publishable|secret)_/.test(key)) throw errors.unknownKey()
    const claims = await tokens.verify(key)
    const role = roles.of(claims) ?? 'anon'
    if (!roles.all.has(role)) throw errors.unknownRole(role)
    return { role, sub: subjectOf(claims), signedIn: role !== 'anon', claims, key: 'token' }
  }

  return async (headers) => {
    const authorization = headers.get('authorization')
    const isBearer = authorization !== null && /^Bearer\b/i.test(authorization)
    const bearer = isBearer ? (/^Bearer\s+(.*)$/i.exec(authorization)?.[1]?.trim() ?? '') : null
    const apikey = headers.get('apikey')
    const owner = apikey !== null && apikey !== bearer ? await fromKey(apikey, false) : null
    if (bearer !== null) {
      const caller = await fromKey(bearer, true)
      return owner === null ? caller : { ...caller, key: owner.key }
    }
    if (owner !== null) return owner
    if (!config.anonymous) throw errors.noAnonymous()
    return { ...anonymousCaller, key: 'none' }
  }
}

/**
 * Compares in a time that says nothing about where two keys of the same length differ: every character counts, whatever the others
 * are. In JavaScript, as the platform's own comparison costs more in calls than all the rest of finding out who calls.
 */
function sameSecret(sent: string, kept: string): boolean {
  if (kept === '' || sent.length !== kept.length) return false
  let difference = 0
  for (let i = 0; i < kept.length; i++) difference |= sent.charCodeAt(i) ^ kept.charCodeAt(i)
  return difference === 0
}
