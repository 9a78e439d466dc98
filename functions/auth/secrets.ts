/**
 * What the area seals and hashes with. All of it is made of ATOLL_JWT_SECRET: whoever changes that signs everybody out, and second factors
 * cannot be read any more. API keys may change as often as they like.
 * @module
 */
import { toBase64Url } from '../core/base64url.ts'
import type { Keys } from '../core/config.ts'
import { sealingSecretOf } from '../core/config.ts'
import { Sealer } from '../core/sealer.ts'

const encoder = new TextEncoder()

export class Secrets {
  readonly #secret: string
  readonly #sealers = new Map<string, Sealer>()
  #key: Promise<CryptoKey> | null = null

  constructor(keys: Keys) {
    this.#secret = keys.jwtSecret === '' ? sealingSecretOf(keys) : keys.jwtSecret
  }

  /** Seals what must be read again. @param purpose keeps what is sealed for one thing from being opened as another */
  sealer(purpose: string): Sealer {
    const known = this.#sealers.get(purpose) ?? new Sealer(`atoll-auth-${purpose}`, this.#secret)
    this.#sealers.set(purpose, known)
    return known
  }

  /** A hash that nobody can make without the secret, as base64url: of codes, which are few enough to be tried. */
  async hash(purpose: string, ...parts: readonly string[]): Promise<string> {
    this.#key ??= crypto.subtle.importKey(
      'raw',
      encoder.encode(`atoll-auth\n${this.#secret}`),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['sign'],
    )
    const text = JSON.stringify([purpose, ...parts])
    return toBase64Url(
      new Uint8Array(await crypto.subtle.sign('HMAC', await this.#key, encoder.encode(text))),
    )
  }
}

/** Compares two texts in a time that says nothing about where they differ. */
export function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}

/** Random bytes as base64url. */
export function randomText(bytes: number): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(bytes)))
}

/** SHA-256 as base64url: of texts that are random themselves. */
export async function sha256(text: string): Promise<string> {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text))))
}
