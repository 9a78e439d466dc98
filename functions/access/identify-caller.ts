import type { Keys } from '../config.ts'
import { errors } from '../errors.ts'
import type { Caller } from './caller.ts'

const anonymous: Caller = { role: 'anon', signedIn: false }
const service: Caller = { role: 'service_role', signedIn: true }

/**
 * Reads the caller from the `apikey` header, or from a bearer token that is a key, as supabase-js sends it.
 *
 * @throws PGRST301 when a key is sent that is none of this project's
 */
export function identifyCaller(headers: Headers, keys: Keys): Caller {
  const bearer = /^Bearer\s+(.*)$/i.exec(headers.get('authorization') ?? '')?.[1]?.trim()
  const key = bearer || headers.get('apikey')
  if (!key) return anonymous
  if (sameSecret(key, keys.publishable)) return anonymous
  if (sameSecret(key, keys.secret)) return service
  throw errors.unknownKey()
}

const encoder = new TextEncoder()

/** Compares in a time that says nothing about where two keys of the same length differ. */
function sameSecret(sent: string, kept: string): boolean {
  const a = encoder.encode(sent)
  const b = encoder.encode(kept)
  return kept !== '' && a.byteLength === b.byteLength && crypto.subtle.timingSafeEqual(a, b)
}
