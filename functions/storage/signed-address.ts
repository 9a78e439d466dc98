/**
 * Signed addresses: who has one may do one thing with one object for some time. The token is encrypted and authenticated (AES-GCM):
 * it covers what, where, until when, and which bucket of the name it is, and tells nobody who made it.
 * @module
 */
import { fromBase64Url, toBase64Url } from '../base64url.ts'
import { errors } from '../errors.ts'

export type SignedPurpose = 'download' | 'upload'

/** Whose rights an upload has: they are asked when it comes. */
export interface SignedCaller {
  readonly role: string
  readonly claims: Readonly<Record<string, unknown>>
}

export interface AddressGrant {
  readonly purpose: SignedPurpose
  /** Bucket and name. */
  readonly path: string
  /** The bucket's version: a bucket that is made anew has another. */
  readonly version: string
  readonly upsert: boolean
  /** Who made it; null for downloads, whose right was found when it was made. */
  readonly caller: SignedCaller | null
  /** Seconds since 1970. */
  readonly exp: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const ivBytes = 12

export class AddressSigner {
  readonly #secret: string
  #key: Promise<CryptoKey> | null = null

  constructor(secret: string) {
    this.#secret = secret
  }

  /** @returns text that fits into an address */
  async sign(grant: AddressGrant): Promise<string> {
    const iv = crypto.getRandomValues(new Uint8Array(ivBytes))
    const text = encoder.encode(JSON.stringify(grant))
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await this.#readKey(), text)
    return toBase64Url(new Uint8Array([...iv, ...new Uint8Array(sealed)]))
  }

  /**
   * What a token grants.
   *
   * @throws AtollError unless it is ours, for this purpose and path, and not over
   */
  async verify(token: string, purpose: SignedPurpose, path: string, now = Date.now()): Promise<AddressGrant> {
    const grant = await this.#open(token)
    if (grant === null) throw errors.badSignature('it is none of this project')
    if (grant.purpose !== purpose) throw errors.badSignature('it was signed for something else')
    if (grant.path !== path) throw errors.badSignature('it was signed for another object')
    if (grant.exp * 1000 <= now) throw errors.badSignature('it has expired')
    return grant
  }

  async #open(token: string): Promise<AddressGrant | null> {
    const bytes = fromBase64Url(token)
    if (bytes === null || bytes.length <= ivBytes) return null
    try {
      const [iv, sealed] = [bytes.subarray(0, ivBytes), bytes.subarray(ivBytes)]
      const text = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, await this.#readKey(), sealed)
      return JSON.parse(decoder.decode(text)) as AddressGrant
    } catch {
      return null
    }
  }

  #readKey(): Promise<CryptoKey> {
    this.#key ??= (async () => {
      // Another key than that of users' tokens, so that neither can stand in for the other.
      const bytes = encoder.encode(`atoll/signed-address\n${this.#secret}`)
      const digest = await crypto.subtle.digest('SHA-256', bytes)
      return crypto.subtle.importKey('raw', digest, 'AES-GCM', false, ['encrypt', 'decrypt'])
    })()
    return this.#key
  }
}
