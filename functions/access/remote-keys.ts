import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  type FlattenedJWSInput,
  type CryptoKey as JoseKey,
  type JWSHeaderParameters,
  errors as jose,
} from 'jose'
import { readText } from '../core/read-text.ts'
import { errors } from './errors.ts'

/** How long fetched keys are used before they are fetched again, in milliseconds. */
const freshMs = 600_000
/** Least time between two fetches, however many unknown keys tokens name. */
const pauseMs = 30_000
/** Least time between two fetches after one that failed. */
const pauseAfterFailureMs = 5_000
/** How long keys are used beyond their time while the address does not answer. */
const staleMs = 3_600_000
const timeoutMs = 5_000
const maxBytes = 262_144

/**
 * The public keys at a JWKS address (RFC 7517), fetched by `jose`: kept for ten minutes, fetched once more when a token
 * names a key that is not among them, and never more often than each thirty seconds. While the address fails, the last
 * good keys serve for an hour.
 */
export class RemoteKeys {
  readonly #remote: ReturnType<typeof createRemoteJWKSet>
  #fetchedAt = Number.NEGATIVE_INFINITY
  #failedAt = Number.NEGATIVE_INFINITY

  constructor(address: string) {
    const url = new URL(address)
    const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
    if (url.protocol !== 'https:' && !isLoopback) throw new Error('ATOLL_JWKS_URL must begin with https:')
    this.#remote = createRemoteJWKSet(url, {
      cacheMaxAge: freshMs,
      cooldownDuration: pauseMs,
      timeoutDuration: timeoutMs,
      [customFetch]: (target, options) => this.#fetch(target, options),
    })
  }

  /** The key that a token's header names, as `jwtVerify` asks for it. */
  async find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<JoseKey> {
    try {
      return await this.#remote(header, token)
    } catch (error) {
      const isAboutKeys =
        error instanceof jose.JWKSNoMatchingKey ||
        error instanceof jose.JWKSMultipleMatchingKeys ||
        error instanceof jose.JOSENotSupported
      if (isAboutKeys) throw error
      const last = this.#remote.jwks()
      if (!last || Date.now() - this.#fetchedAt > staleMs) throw errors.noKeySet(error)
      return createLocalJWKSet(last)(header, token)
    }
  }

  async #fetch(url: string, options: RequestInit): Promise<Response> {
    if (Date.now() - this.#failedAt < pauseAfterFailureMs) throw new Error('the address failed a moment ago')
    try {
      const response = await fetch(url, options)
      if (response.status !== 200) throw new Error(`the address answered ${response.status}`)
      const body = await readText(
        response.body,
        maxBytes,
        () => new Error(`the key set is larger than ${maxBytes} bytes`),
      )
      const isSet = (value: unknown) => Array.isArray((value as { keys?: unknown } | null)?.keys)
      if (!isSet(JSON.parse(body))) throw new Error('the address answered with no key set')
      this.#fetchedAt = Date.now()
      return new Response(body)
    } catch (error) {
      this.#failedAt = Date.now()
      throw error
    }
  }
}
