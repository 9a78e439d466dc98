/**
 * Cookies that keep a caller at one origin. They are signed (HMAC-SHA-256): nobody can choose their origin.
 * @module
 */
import { fromBase64Url, toBase64Url } from '../core/base64url.ts'
import type { PoolDeclaration } from './declarations.ts'

const encoder = new TextEncoder()
const defaultTtlSeconds = 86_400

export function stickyCookieName(pool: string, { sticky }: PoolDeclaration): string {
  return sticky?.cookie ?? `atoll-${pool}`
}

export class StickyCookies {
  readonly #secret: string
  #key: Promise<CryptoKey> | null = null

  constructor(secret: string) {
    this.#secret = secret
  }

  /** @returns the origin's name; null when the cookie is none of ours */
  async read(pool: string, cookie: string): Promise<string | null> {
    const [name = '', signature = ''] = cookie.split('.', 2)
    const [origin, bytes] = [fromBase64Url(name), fromBase64Url(signature)]
    if (origin === null || bytes === null) return null
    const text = new TextDecoder().decode(origin)
    return (await crypto.subtle.verify('HMAC', await this.#readKey(), bytes, signed(pool, text)))
      ? text
      : null
  }

  /** @returns a header `Set-Cookie` */
  async write(pool: string, declared: PoolDeclaration, origin: string, isSecure: boolean): Promise<string> {
    const signature = await crypto.subtle.sign('HMAC', await this.#readKey(), signed(pool, origin))
    const value = `${toBase64Url(encoder.encode(origin))}.${toBase64Url(new Uint8Array(signature))}`
    const seconds = declared.sticky?.ttlSeconds ?? defaultTtlSeconds
    return `${stickyCookieName(pool, declared)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
  }

  #readKey(): Promise<CryptoKey> {
    this.#key ??= crypto.subtle.importKey(
      'raw',
      encoder.encode(`atoll-sticky\n${this.#secret}`),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['sign', 'verify'],
    )
    return this.#key
  }
}

function signed(pool: string, origin: string) {
  return encoder.encode(`${pool}\n${origin}`)
}
