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
export async function identifyCaller(headers: Headers, keys: Keys): Promise<Caller> {
  const bearer = /^Bearer\s+(.*)$/i.exec(headers.get('authorization') ?? '')?.[1]?.trim()
  const key = bearer || headers.get('apikey')
  if (!key) return anonymous
  if (await sameSecret(key, keys.publishable)) return anonymous
  if (await sameSecret(key, keys.secret)) return service
  throw errors.unknownKey()
}

/** Compares digests, so that the time taken says nothing about where two keys differ. */
async function sameSecret(sent: string, kept: string): Promise<boolean> {
  if (kept === '') return false
  const encoder = new TextEncoder()
  const [a, b] = await Promise.all([
    crypto.subtle.digest('SHA-256', encoder.encode(sent)),
    crypto.subtle.digest('SHA-256', encoder.encode(kept)),
  ])
  return crypto.subtle.timingSafeEqual(a, b)
}
