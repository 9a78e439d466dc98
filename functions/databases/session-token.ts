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

/** Stands before the id of the last restore of all databases, where tokens have names of databases. */
const eraKey = '@'

/** Seals tokens and opens them. */
export class SessionTokens {
  readonly #sealer: Sealer
  readonly #era: string | null

  /**
   * @param secret what only this project's Workers know
   * @param era the last time that all databases were put back in time: tokens from before name positions that nobody comes to any more
   */
  constructor(secret: string, era: string | null = null) {
    this.#sealer = new Sealer('atoll-session', secret)
    this.#era = era
  }

  /**
   * @returns the bookmarks by database; none for the text that begins a session
   * @throws 400 when the token is none of this project's; 409 when it is from before a restore of all databases
   */
  async read(token: string): Promise<ReadonlyMap<string, string>> {
    if (token === beginning) return new Map()
    const opened = token.length > maxLength ? null : await this.#sealer.open(token)
    if (opened === null) throw errors.badSession()
    const bookmarks = new Map(opened as [string, string][])
    if ((bookmarks.get(eraKey) ?? null) !== this.#era) throw errors.sessionOfTimeTakenBack()
    bookmarks.delete(eraKey)
    return bookmarks
  }

  write(bookmarks: ReadonlyMap<string, string>): Promise<string> {
    return this.#sealer.seal([...bookmarks, ...(this.#era === null ? [] : [[eraKey, this.#era]])])
  }
}
