/**
 * Signed addresses: who has one may do one thing with one object for some time. The signature covers what, where, until when,
 * and which bucket of the name it is, so that none of these can be changed.
 * @module
 */
import { errors } from '../errors.ts'

export type SignedPurpose = 'download' | 'upload'

interface Grant {
  readonly purpose: SignedPurpose
  /** Bucket and name. */
  readonly path: string
  /** The bucket's version: a bucket that is made anew has another. */
  readonly version: string
  readonly upsert: boolean
  /** Who owns what is uploaded. */
  readonly owner: string | null
  /** Seconds since 1970. */
  readonly exp: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class AddressSigner {
  readonly #secret: string
  #key: Promise<CryptoKey> | null = null

  constructor(secret: string) {
    this.#secret = secret
  }

  /** @returns text that fits into an address */
  async sign(grant: Grant): Promise<string> {
    const body = encode(encoder.encode(JSON.stringify(grant)))
    const signature = await crypto.subtle.sign('HMAC', await this.#readKey(), encoder.encode(body))
    return `${body}.${encode(new Uint8Array(signature))}`
  }

  /**
   * What a token grants.
   *
   * @throws AtollError unless it is ours, for this purpose and path, and not over
   */
  async verify(token: string, purpose: SignedPurpose, path: string, now = Date.now()): Promise<Grant> {
    const [body = '', signature = ''] = token.split('.')
    const bytes = decode(signature)
    const isOurs =
      bytes !== null &&
      (await crypto.subtle.verify('HMAC', await this.#readKey(), bytes, encoder.encode(body)))
    const json = isOurs ? decode(body) : null
    if (json === null) throw errors.badSignature('its signature is none of this project')
    const grant = JSON.parse(decoder.decode(json)) as Grant
    if (grant.purpose !== purpose) throw errors.badSignature('it was signed for something else')
    if (grant.path !== path) throw errors.badSignature('it was signed for another object')
    if (grant.exp * 1000 <= now) throw errors.badSignature('it has expired')
    return grant
  }

  #readKey(): Promise<CryptoKey> {
    this.#key ??= (async () => {
      const algorithm = { name: 'HMAC', hash: 'SHA-256' }
      // Another key than that of users' tokens, so that neither can stand in for the other.
      const bytes = encoder.encode(`atoll/signed-address\n${this.#secret}`)
      return crypto.subtle.importKey('raw', await crypto.subtle.digest('SHA-256', bytes), algorithm, false, [
        'sign',
        'verify',
      ])
    })()
    return this.#key
  }
}

function encode(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

function decode(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return null
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    return Uint8Array.from(binary, (char) => char.charCodeAt(0))
  } catch {
    return null
  }
}
