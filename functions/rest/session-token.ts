/**
 * The token of a session: the positions of the databases that a caller has seen. It is sealed (AES-GCM): nobody can invent
 * positions, or read from them how much others write.
 * @module
 */
import { fromBase64Url, toBase64Url } from '../base64url.ts'
import { errors } from '../errors.ts'

/** Header that carries the token, in requests and in answers. */
export const sessionHeader = 'Atoll-Session'

/** Text that begins a session. */
const beginning = 'new'
const maxLength = 8192
const encoder = new TextEncoder()

/** Bytes of the nonce that a token begins with. */
const nonceBytes = 12

/** Seals tokens and opens them. */
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
    const bytes = token.length > maxLength ? null : fromBase64Url(token)
    if (bytes === null || bytes.byteLength <= nonceBytes) throw errors.badSession()
    const key = await this.#sealingKey()
    const algorithm = { name: 'AES-GCM', iv: bytes.slice(0, nonceBytes) }
    const opened = await crypto.subtle.decrypt(algorithm, key, bytes.slice(nonceBytes)).catch(() => {
      throw errors.badSession()
    })
    return new Map(JSON.parse(new TextDecoder().decode(opened)) as [string, string][])
  }

  async write(bookmarks: ReadonlyMap<string, string>): Promise<string> {
    const iv = crypto.getRandomValues(new Uint8Array(nonceBytes))
    const text = encoder.encode(JSON.stringify([...bookmarks]))
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await this.#sealingKey(), text)
    return toBase64Url(new Uint8Array([...iv, ...new Uint8Array(sealed)]))
  }

  async #sealingKey(): Promise<CryptoKey> {
    if (this.#key) return this.#key
    const digest = await crypto.subtle.digest('SHA-256', encoder.encode(`atoll-session\n${this.#secret}`))
    this.#key = await crypto.subtle.importKey('raw', digest, 'AES-GCM', false, ['encrypt', 'decrypt'])
    return this.#key
  }
}
