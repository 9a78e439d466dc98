/**
 * The token of a session: the positions of the databases that a caller has seen, signed, so that nobody can invent any.
 * @module
 */
import { errors } from '../errors.ts'

/** Header that carries the token, in requests and in answers. */
export const sessionHeader = 'Atoll-Session'

/** Text that begins a session. */
const beginning = 'new'
const maxLength = 8192
const encoder = new TextEncoder()

/** Signs tokens and reads them back. */
export class SessionTokens {
  readonly #secret: string
  #key: CryptoKey | null = null

  /** @param secret what only this project's Workers know */
  constructor(secret: string) {
    this.#secret = secret
  }

  /**
   * @returns the bookmarks by database; none for the text that begins a session
   * @throws 400 when the token is none of this project's
   */
  async read(token: string): Promise<ReadonlyMap<string, string>> {
    if (token === beginning) return new Map()
    const [payload = '', signature = '', ...more] = token.length > maxLength ? [] : token.split('.')
    const bytes = fromBase64Url(signature)
    if (payload === '' || bytes === null || more.length > 0) throw errors.badSession()
    const valid = await crypto.subtle.verify('HMAC', await this.#signingKey(), bytes, encoder.encode(payload))
    if (!valid) throw errors.badSession()
    const text = new TextDecoder().decode(fromBase64Url(payload) ?? new Uint8Array())
    return new Map(JSON.parse(text) as [string, string][])
  }

  async write(bookmarks: ReadonlyMap<string, string>): Promise<string> {
    const payload = toBase64Url(encoder.encode(JSON.stringify([...bookmarks])))
    const signature = await crypto.subtle.sign('HMAC', await this.#signingKey(), encoder.encode(payload))
    return `${payload}.${toBase64Url(new Uint8Array(signature))}`
  }

  async #signingKey(): Promise<CryptoKey> {
    this.#key ??= await crypto.subtle.importKey(
      'raw',
      encoder.encode(`atoll-session\n${this.#secret}`),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['sign', 'verify'],
    )
    return this.#key
  }
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
  } catch {
    return null
  }
}
