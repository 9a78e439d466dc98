import { fromBase64Url, toBase64Url } from './base64url.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
/** Bytes of the nonce that a sealed text begins with. */
const nonceBytes = 12

/** Seals values into texts that nobody else can make, read or change (AES-GCM), and that fit into headers and addresses. */
export class Sealer {
  readonly #secret: string
  #key: Promise<CryptoKey> | null = null

  /** @param purpose keeps what is sealed for one thing from being opened as another */
  constructor(purpose: string, secret: string) {
    this.#secret = `${purpose}\n${secret}`
  }

  async seal(value: unknown): Promise<string> {
    const iv = crypto.getRandomValues(new Uint8Array(nonceBytes))
    const text = encoder.encode(JSON.stringify(value))
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await this.#readKey(), text)
    return toBase64Url(new Uint8Array([...iv, ...new Uint8Array(sealed)]))
  }

  /** @returns null when it is none of ours */
  async open(text: string): Promise<unknown> {
    const bytes = fromBase64Url(text)
    if (bytes === null || bytes.length <= nonceBytes) return null
    const algorithm = { name: 'AES-GCM', iv: bytes.subarray(0, nonceBytes) }
    try {
      const opened = await crypto.subtle.decrypt(algorithm, await this.#readKey(), bytes.subarray(nonceBytes))
      return JSON.parse(decoder.decode(opened))
    } catch {
      return null
    }
  }

  #readKey(): Promise<CryptoKey> {
    this.#key ??= (async () => {
      const digest = await crypto.subtle.digest('SHA-256', encoder.encode(this.#secret))
      return crypto.subtle.importKey('raw', digest, 'AES-GCM', false, ['encrypt', 'decrypt'])
    })()
    return this.#key
  }
}
