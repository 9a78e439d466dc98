import type { AtollConfig, Keys } from '../config.ts'
import { errors } from '../errors.ts'
import type { Caller } from './caller.ts'
import { verifyToken } from './verify-token.ts'

const anonymous: Caller = { role: 'anon', signedIn: false, claims: {} }
const service: Caller = { role: 'service_role', signedIn: true, claims: {} }

/**
 * Reads the caller from the bearer token (a key or a JWT), or from the `apikey` header. supabase-js sends its key as
 * both until somebody signs in; then the bearer token is the user's.
 *
 * @throws 401 when what is sent is none of this project's
 */
export async function identifyCaller(headers: Headers, keys: Keys, config: AtollConfig): Promise<Caller> {
  const authorization = headers.get('authorization')
  const bearer =
    authorization === null ? null : (/^Bearer(?:\s+(.*))?$/i.exec(authorization)?.[1]?.trim() ?? '')
  const isBearer = authorization !== null && /^Bearer\b/i.test(authorization)
  const apikey = headers.get('apikey')
  if (apikey !== null && !(isBearer && bearer === apikey)) {
    const caller = await fromKey(apikey, keys, config)
    if (!isBearer) return caller
  }
  if (isBearer) return fromKey(bearer ?? '', keys, config, true)
  if (!config.anonymous) throw errors.noAnonymous()
  return anonymous
}

async function fromKey(key: string, keys: Keys, config: AtollConfig, isToken = false): Promise<Caller> {
  if (sameSecret(key, keys.publishable)) return anonymous
  if (sameSecret(key, keys.secret)) return service
  if (!isToken && key.split('.').length !== 3) throw errors.unknownKey()
  if (/^sb_(?:publishable|secret)_/.test(key)) throw errors.unknownKey()
  const claims = await verifyToken(key, { secret: keys.jwtSecret, audience: config.jwtAudience })
  const role = typeof claims.role === 'string' ? claims.role : 'anon'
  return { role, signedIn: role !== 'anon', claims }
}

const encoder = new TextEncoder()

/** Compares in a time that says nothing about where two keys of the same length differ. */
function sameSecret(sent: string, kept: string): boolean {
  const a = encoder.encode(sent)
  const b = encoder.encode(kept)
  return kept !== '' && a.byteLength === b.byteLength && crypto.subtle.timingSafeEqual(a, b)
}
