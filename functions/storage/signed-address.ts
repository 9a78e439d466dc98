/**
 * Signed addresses: who has one may do one thing with one object for some time. The token is encrypted and authenticated (AES-GCM):
 * it covers what, where, until when, and which bucket of the name it is, and tells nobody who made it.
 * @module
 */

import { Sealer } from '../core/sealer.ts'
import { errors } from './errors.ts'
import type { Transform } from './transform.ts'

export type SignedPurpose = 'download' | 'upload' | 'render'

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
  /** Of a rendered image, what becomes of it. */
  readonly transform?: Transform
  /** Who made it; null for downloads, whose right was found when it was made. */
  readonly caller: SignedCaller | null
  /** Seconds since 1970. */
  readonly exp: number
}

export class AddressSigner {
  readonly #sealer: Sealer

  constructor(secret: string) {
    this.#sealer = new Sealer('atoll-address', secret)
  }

  /** @returns text that fits into an address */
  sign(grant: AddressGrant): Promise<string> {
    return this.#sealer.seal(grant)
  }

  /**
   * What a token grants.
   *
   * @throws AtollError unless it is ours, for this purpose and path, and not over
   */
  async verify(token: string, purpose: SignedPurpose, path: string, now = Date.now()): Promise<AddressGrant> {
    const grant = (await this.#sealer.open(token)) as AddressGrant | null
    if (grant === null) throw errors.badSignature('it is none of this project')
    if (grant.purpose !== purpose) throw errors.badSignature('it was signed for something else')
    if (grant.path !== path) throw errors.badSignature('it was signed for another object')
    if (grant.exp * 1000 <= now) throw errors.badSignature('it has expired')
    return grant
  }
}
