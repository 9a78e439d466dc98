/**
 * The token of a session: the positions of the databases that a caller has seen. It is sealed (AES-GCM): nobody can invent
 * positions, or read from them how much others write.
 * @module
 */

import { Sealer } from '../core/sealer.ts'
import { errors } from './errors.ts'

/** Header that carries the token, in requests and in answers. */
export const sessionHeader = 'Atoll-Session'

/** Text that begins a session. */
const beginning = 'new'
const maxLength = 8192

/** Seals tokens and opens them. */
export class SessionTokens {
  readonly #sealer: Sealer

  /** @param secret what only this project's Workers know */
  constructor(secret: string) {
    this.#sealer = new Sealer('atoll-session', secret)
  }

  /**
   * @returns the bookmarks by database; none for the text that begins a session
   * @throws 400 when the token is none of this project's
   */
  async read(token: string): Promise<ReadonlyMap<string, string>> {
    if (token === beginning) return new Map()
    const opened = token.length > maxLength ? null : await this.#sealer.open(token)
    if (opened === null) throw errors.badSession()
    return new Map(opened as [string, string][])
  }

  write(bookmarks: ReadonlyMap<string, string>): Promise<string> {
    return this.#sealer.seal([...bookmarks])
  }
}
